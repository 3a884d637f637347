import TideCore

/// Quoted-printable (RFC 2045 §6.7).
enum QuotedPrintable {
  /// The most characters of a line, without its end.
  private static let width = 76

  /// The bytes that `text` stands for; a `=` that nothing known follows stays.
  static func decoded(_ text: Bytes) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      let byte = text[index]
      guard byte == 0x3D else {
        bytes.append(byte)
        index += 1
        continue
      }
      if index + 2 < text.count, let high = ASCII.hexValue(text[index + 1]),
        let low = ASCII.hexValue(text[index + 2])
      {
        bytes.append(high << 4 | low)
        index += 3
        continue
      }
      if index + 1 < text.count, text[index + 1] == 0x0A {
        index += 2
      } else if index + 2 < text.count, text[index + 1] == 0x0D, text[index + 2] == 0x0A {
        index += 3
      } else {
        bytes.append(byte)
        index += 1
      }
    }
    return bytes
  }

  /// `value` in lines of at most 76 characters.
  static func encoded(_ value: Bytes) -> [UInt8] {
    var text: [UInt8] = []
    var column = 0
    var index = 0
    while index < value.count {
      if value[index] == 0x0D, index + 1 < value.count, value[index + 1] == 0x0A {
        text += [0x0D, 0x0A]
        column = 0
        index += 2
        continue
      }
      let byte = value[index]
      // White space at a line's end would be lost.
      let isLast = index + 1 == value.count || value[index + 1] == 0x0D
      let isPlain = byte > 0x20 && byte < 0x7F && byte != 0x3D
      let written: [UInt8] =
        isPlain || (byte == 0x20 && !isLast)
        ? [byte]
        : [0x3D, HexDigit.of(byte >> 4, isUpper: true), HexDigit.of(byte & 15, isUpper: true)]
      if column + written.count >= Self.width {
        text += [0x3D, 0x0D, 0x0A]
        column = 0
      }
      text += written
      column += written.count
      index += 1
    }
    return text
  }
}
