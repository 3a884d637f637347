import TideCore

/// Degrees, minutes and seconds as maps write them: `25°03'22.9"N`, `N 25° 3.382'`.
struct Sexagesimal {
  /// Degrees.
  let value: Double
  let isLatitude: Bool
  /// The bytes, side letter included, counted from the leaf's start.
  let range: Range<Int>

  /// Longer leaves are no position.
  private static let longest = 512
  /// The sign for degrees in UTF-8 (U+00B0).
  private static let sign: (UInt8, UInt8) = (0xC2, 0xB0)

  /// Whether there is a degree sign in text that is not too long; a glance.
  static func mayBe(in span: Span<UInt8>) -> Bool {
    guard span.count <= self.longest else { return false }
    for index in 0..<span.count where span[index] == self.sign.0 { return true }
    return false
  }

  /// Those in text, in order.
  static func all(_ text: Bytes) -> [Sexagesimal] {
    guard text.withSpan({ self.mayBe(in: $0) }) else { return [] }
    let bytes = text.array
    var found: [Sexagesimal] = []
    var index = 1
    while index + 1 < bytes.count {
      guard bytes[index] == self.sign.0, bytes[index + 1] == self.sign.1 else {
        index += 1
        continue
      }
      let floor = found.last?.range.upperBound ?? 0
      if let angle = self.angle(bytes, index, floor) {
        found.append(angle)
        index = angle.range.upperBound
      } else {
        index += 2
      }
    }
    return found
  }

  /// The angle whose degree sign stands at `sign`, from `floor` on; nil if its side is not told.
  private static func angle(_ bytes: [UInt8], _ sign: Int, _ floor: Int) -> Sexagesimal? {
    var start = sign
    while start > floor, ASCII.isDigit(bytes[start - 1]) || bytes[start - 1] == 0x2E { start -= 1 }
    guard let degrees = Double(String(decoding: bytes[start..<sign], as: UTF8.self)) else {
      return nil
    }
    var side: UInt8?
    // The side's letter in front: `N25°`, `N 25°`.
    for distance in 1...2 where start - distance >= floor && side == nil {
      let byte = bytes[start - distance]
      if self.isSide(byte) {
        side = byte
        start -= distance
      } else if byte != 0x20 {
        break
      }
    }
    let isPrefixed = side != nil
    var parts = [degrees]
    var number = ""
    var end = sign + 2
    var position = end
    while position < bytes.count, position - sign < 32 {
      let byte = bytes[position]
      position += 1
      if ASCII.isDigit(byte) || byte == 0x2E {
        number.unicodeScalars.append(Unicode.Scalar(byte))
        continue
      }
      if !number.isEmpty {
        // After the seconds, and after what is not marked, comes something else.
        guard parts.count < 3, byte != 0x2C, let part = Double(number) else { break }
        parts.append(part)
        number = ""
        end = position
      }
      if self.isSide(byte) {
        if !isPrefixed {
          side = byte
          end = position
        }
        break
      }
      if byte == 0x2C || byte == 0x3B { break }
    }
    guard let side, parts[0] <= 180, parts.dropFirst().allSatisfy({ $0 < 60 }) else { return nil }
    var value = parts[0]
    if parts.count > 1 { value += parts[1] / 60 }
    if parts.count > 2 { value += parts[2] / 3600 }
    if side == 0x53 || side == 0x57 { value = -value }
    return Sexagesimal(
      value: value,
      isLatitude: side == 0x4E || side == 0x53,
      range: start..<end
    )
  }

  private static func isSide(_ byte: UInt8) -> Bool {
    byte == 0x4E || byte == 0x53 || byte == 0x45 || byte == 0x57
  }

  /// `25°03'22.9"N` as `25°00'00.0"N`: minutes and seconds go, degrees and the shape stay.
  static func withoutMinutes(_ written: Bytes) -> [UInt8] {
    var isMinute = false
    return written.array.map { byte in
      if byte == self.sign.1 { isMinute = true }
      if self.isSide(byte) || byte == 0x2C { isMinute = false }
      return isMinute && ASCII.isDigit(byte) ? 0x30 : byte
    }
  }
}
