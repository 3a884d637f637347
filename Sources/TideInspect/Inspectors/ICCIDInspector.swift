import TideCore

/// Finds SIM card numbers that are in no profile: 89, a country code, 19 or 20 digits, and a right
/// check digit (ITU-T E.118).
struct ICCIDInspector: Inspector {
  static let id = "iccid"
  let interest = Interest.everything
  let maxMatchLength = 24
  let trigger: Trigger? = DigitRuns.trigger

  private static let names = [
    "iccid", "iccids", "simserial", "simserialnumber", "simsn", "simno", "simid", "uicc", "ccid",
  ]

  func inspect(_ window: borrowing Window, _ sink: inout FindingSink) {
    DigitRuns.forEach(window, count: 19...20) { span, range in
      let first = range.lowerBound
      guard span[first] == 0x38, span[first + 1] == 0x39, span[first + 2] != 0x30,
        Luhn.isValid(span, range), !Self.isRepeated(span, range)
      else { return }
      let isNamed = window.names(at: first).include(Self.names)
      sink.report(
        .iccid,
        isNamed ? .likely : .possible,
        at: range,
        value: window.bytes.slice(range)
      )
    }
  }

  /// Whether all digits from the seventh to the last but one are the same: a placeholder.
  private static func isRepeated(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    range.dropFirst(7).dropLast().allSatisfy { span[$0] == span[range.lowerBound + 6] }
  }
}
