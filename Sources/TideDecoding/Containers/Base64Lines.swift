import TideCore

/// Base64 of the standard alphabet (RFC 4648 §4), broken into lines as MIME and property lists have it.
enum Base64Lines {
  private static let digits = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
  )

  /// The bytes that `text` stands for, white space left out; nil if it is no base64.
  static func decoded(_ text: Bytes) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3 + 3)
    var bits: UInt32 = 0
    var count = 0
    var padding = 0
    for byte in text {
      if JSONScanner.isSpace(byte) { continue }
      if byte == 0x3D {
        padding += 1
        continue
      }
      guard padding == 0, let digit = Self.value(byte) else { return nil }
      bits = bits << 6 | digit
      count += 1
      guard count % 4 == 0 else { continue }
      bytes.append(UInt8(truncatingIfNeeded: bits >> 16))
      bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
      bytes.append(UInt8(truncatingIfNeeded: bits))
    }
    switch count % 4 {
    case 0: break
    case 2: bytes.append(UInt8(truncatingIfNeeded: bits >> 4))
    case 3:
      bytes.append(UInt8(truncatingIfNeeded: bits >> 10))
      bytes.append(UInt8(truncatingIfNeeded: bits >> 2))
    default: return nil
    }
    guard padding <= 2, count > 0 else { return nil }
    return bytes
  }

  /// `value` in base64, with the padding and the line breaks of `original`.
  static func encoded(_ value: Bytes, as original: Bytes) -> [UInt8] {
    let hasPadding = original.last == 0x3D || original.count { !JSONScanner.isSpace($0) } % 4 == 0
    let text = Self.line(value, hasPadding: hasPadding)
    guard let width = original.firstIndex(where: JSONScanner.isSpace), width > 0 else {
      return text
    }
    let rest = original.dropping(first: width)
    let mark = rest.prefix(while: JSONScanner.isSpace)
    var lines: [UInt8] = []
    lines.reserveCapacity(text.count + text.count / width * mark.count)
    for start in stride(from: 0, to: text.count, by: width) {
      if start > 0 { lines += mark }
      lines += text[start..<min(start + width, text.count)]
    }
    return lines
  }

  private static func line(_ value: Bytes, hasPadding: Bool) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(value.count / 3 * 4 + 4)
    for start in stride(from: 0, to: value.count, by: 3) {
      let group = value.slice(start..<min(start + 3, value.count))
      var bits: UInt32 = 0
      for offset in 0..<3 { bits = bits << 8 | UInt32(offset < group.count ? group[offset] : 0) }
      for place in 0..<4 {
        if place <= group.count {
          text.append(Self.digits[Int(bits >> UInt32(18 - 6 * place) & 63)])
        } else if hasPadding {
          text.append(0x3D)
        }
      }
    }
    return text
  }

  private static func value(_ byte: UInt8) -> UInt32? {
    switch byte {
    case 0x41...0x5A: UInt32(byte - 0x41)
    case 0x61...0x7A: UInt32(byte - 0x47)
    case 0x30...0x39: UInt32(byte + 4)
    case 0x2B: 62
    case 0x2F: 63
    default: nil
    }
  }
}
