import TideCore

/// Finds equipment identities that are in no profile: 15 digits with a right check digit, under a
/// name that says so.
///
/// Without such a name nothing is reported: every tenth order number of 15 digits has a right check
/// digit.
struct IMEIInspector: Inspector {
  static let id = "imei"
  let interest = Interest.everything
  let maxMatchLength = 21
  let trigger: Trigger? = DigitRuns.trigger

  private static let names = [
    "imei", "imeis", "imeilist", "deviceid", "devid", "did", "phoneid", "terminalid", "equipmentid",
  ]

  func inspect(_ window: borrowing Window, _ sink: inout FindingSink) {
    DigitRuns.forEach(window, count: 15...15) { span, range in
      guard IMEIForm.isPlausible(span, range), Luhn.isValid(span, range),
        window.names(at: range.lowerBound).include(Self.names)
      else { return }
      sink.report(.imei, .likely, at: range, value: window.bytes.slice(range))
    }
  }
}

/// The forms of equipment identities (3GPP TS 23.003 §6.2).
enum IMEIForm {
  /// Reporting bodies that have allocated type codes (GSMA TS.06 annex A), the first two digits.
  ///
  /// 00 is for test equipment. Pseudonyms begin with 77, which nobody was given.
  private static let reportingBodies: Set<UInt8> = [
    1, 10, 30, 33, 35, 44, 45, 49, 50, 51, 52, 53, 54, 86, 91, 98, 99,
  ]

  /// The digits of a value that is one from end to end, its groups separated or not: 15 with a right
  /// check digit, 16 with a version in its place, or 14 with neither.
  static func digits(_ text: [UInt8]) -> [UInt8]? {
    let digits = text.filter(ASCII.isDigit)
    let isSpelled = text.allSatisfy { ASCII.isDigit($0) || $0 == 0x2D || $0 == 0x20 || $0 == 0x2F }
    guard isSpelled, text.count - digits.count <= 3, (14...16).contains(digits.count) else {
      return nil
    }
    let span = digits.span
    guard self.isPlausible(span, 0..<digits.count),
      digits.count != 15 || Luhn.isValid(span, 0..<15)
    else { return nil }
    return digits
  }

  /// Whether somebody gave the type code and the serial number is no placeholder.
  static func isPlausible(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let first = range.lowerBound
    let body = (span[first] &- 0x30) * 10 + (span[first + 1] &- 0x30)
    guard self.reportingBodies.contains(body) else { return false }
    // One digit repeated, or nothing but zeros or counting up.
    var steps = Set<UInt8>()
    for index in first + 8..<first + 13 { steps.insert(span[index + 1] &- span[index]) }
    steps.remove(0xF7)  // 9 to 0
    return steps.count > 1
  }
}
