internal import TideCore
internal import TideCrypto

/// The spellings that a value is known to travel in, without what only inspection could tell.
///
/// The value itself, percent-encoded, JSON-escaped, in hexadecimal and in base64 at any place of a longer
/// text, and its common digests whole or cut. Telephone numbers and other numbers are found with separators
/// between their digits too.
enum ShareSafeSpellings {
  /// Kinds whose values are telephone numbers.
  private static let phones = ["msisdn", "contact_phone"]
  /// Kinds whose values are interface addresses.
  private static let addresses = ["wifi_mac", "bt_mac", "bssid"]

  /// Adds the spellings of a value to needles.
  ///
  /// - Parameters:
  ///   - value: in its canonical spelling.
  ///   - kind: what it is.
  ///   - placeholder: what stands for it.
  ///   - isDeep: whether encodings and digests are added too: they are many.
  ///   - needles: takes the spellings.
  static func add(
    _ value: Bytes,
    _ kind: String,
    _ placeholder: Int32,
    isDeep: Bool,
    to needles: inout ShareSafeNeedles
  ) {
    let digits = value.filter(ASCII.isDigit)
    if self.phones.contains(kind) {
      if digits.count >= 8 {
        needles.insert(digits: digits.suffix(8), .init(placeholder: placeholder, takesPrefix: true))
      }
    } else if digits.count >= 10, digits.count == value.count {
      needles.insert(digits: digits, .init(placeholder: placeholder, takesPrefix: false))
    }
    for form in self.forms(of: value, kind) {
      needles.insert(form, placeholder)
      needles.insert(self.percentEncoded(form), placeholder)
      if form.contains(where: { $0 >= 0x80 }) {
        needles.insert(self.escaped(form), placeholder)
      }
      if form.contains(0x20) { needles.insert(form.map { $0 == 0x20 ? 0x2B : $0 }, placeholder) }
      guard isDeep, form.count >= ShareSafeNeedles.shortest else { continue }
      self.addEncodings(of: form, placeholder, to: &needles)
    }
  }

  private static func forms(of value: Bytes, _ kind: String) -> [[UInt8]] {
    let plain = value.array
    var forms = [plain]
    if self.phones.contains(kind), plain.first == 0x2B, plain.count > 8 {
      forms.append(Array(plain.dropFirst()))
      // The country code has one to three digits (ITU-T E.164 §6.2.1); a national number begins with 0.
      for count in 1...3 { forms.append([0x30] + plain.dropFirst(1 + count)) }
    }
    let hex = plain.filter { ASCII.hexValue($0) != nil }
    if self.addresses.contains(kind), hex.count == 12 {
      forms += [[], [0x3A], [0x2D]].map { self.grouped(hex, [2, 2, 2, 2, 2, 2], by: $0) }
      forms.append(self.grouped(hex, [4, 4, 4], by: [0x2E]))
    } else if hex.count == 32, plain.count == 32 || plain.count == 36 {
      forms += [[], [0x2D]].map { self.grouped(hex, [8, 4, 4, 4, 12], by: $0) }
    }
    return Array(Set(forms))
  }

  private static func grouped(_ text: [UInt8], _ lengths: [Int], by separator: [UInt8]) -> [UInt8] {
    var rest = text[...]
    var result: [UInt8] = []
    for length in lengths {
      if !result.isEmpty { result += separator }
      result += rest.prefix(length)
      rest = rest.dropFirst(length)
    }
    return result
  }

  private static func addEncodings(
    of form: [UInt8],
    _ placeholder: Int32,
    to needles: inout ShareSafeNeedles
  ) {
    needles.insert(Hex.encode(form).utf8, placeholder, reach: .word)
    // Inside a longer text, base64 of a value depends on where it begins: the digits that hold bits of
    // nothing else are the same each time.
    for shift in 0..<3 {
      let text = Array(Base64.standard.encode([UInt8](repeating: 0, count: shift) + form).utf8)
      let first = [0, 2, 3][shift]
      let end = (shift + form.count) * 8 / 6
      guard end - first >= 6 else { continue }
      needles.insert(text[first..<end], placeholder, reach: .base64)
      needles.insert(self.urlDigits(text[first..<end]), placeholder, reach: .base64)
    }
    let lower = form.map(ASCII.lowercased)
    let upper = form.map { $0 &- 0x61 < 26 ? $0 & 0xDF : $0 }
    for text in Set([form, lower, upper]) {
      for digest in Digest.allCases {
        let sum = digest.hash(text)
        // Digests are cut by some who send them; their first half is as telling.
        needles.insert(Hex.encode(sum).utf8.prefix(16), placeholder, reach: .word)
        let digits = Base64.standard.encode(sum).utf8.prefix(14)
        needles.insert(digits, placeholder, reach: .base64)
        needles.insert(self.urlDigits(Array(digits)[...]), placeholder, reach: .base64)
      }
    }
  }

  private static func urlDigits(_ text: ArraySlice<UInt8>) -> [UInt8] {
    text.map { $0 == 0x2B ? 0x2D : $0 == 0x2F ? 0x5F : $0 }
  }

  /// All but unreserved characters percent-encoded (RFC 3986 §2.3).
  static func percentEncoded(_ text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for byte in text {
      if ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
        || [0x2D, 0x2E, 0x5F, 0x7E].contains(byte)
      {
        result.append(byte)
      } else {
        result += Array("%\(ASCII.hex([byte]).uppercased())".utf8)
      }
    }
    return result
  }

  /// Scalars beyond ASCII as JSON escapes them (RFC 8259 §7).
  private static func escaped(_ text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for unit in String(decoding: text, as: UTF8.self).utf16 {
      if unit < 0x80 {
        result.append(UInt8(unit))
      } else {
        result += Array("\\u".utf8)
        result += Array(ASCII.hex([UInt8(unit >> 8), UInt8(unit & 0xFF)]).utf8)
      }
    }
    return result
  }
}
