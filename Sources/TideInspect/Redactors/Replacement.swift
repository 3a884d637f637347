import TideCore
import TideCrypto

extension InspectionPlan {
  /// What is written over a match; nil if there is nothing that could be written soundly.
  func replacement(
    for match: Match,
    in bytes: Bytes
  ) -> (written: [UInt8], canonical: Bytes)? {
    switch match.replacing {
    case .impossible: return nil
    case .writing(let write):
      let written = bytes.slice(match.range)
      for attempt in UInt8(0)..<8 {
        var choices = self.pseudonyms.choices(match.kind, match.value, attempt: attempt)
        guard let new = write(&choices, written) else { return nil }
        if !written.elementsEqual(new.written) { return new }
      }
      return nil
    case .refilling: break
    }
    let subject: Subject? =
      switch match.source {
      case .needle(let index): self.needles.values[self.needles.needles[index].value].subject
      case .inspector, .leafInspector:
        // What the profile knows has one pseudonym, whoever saw it.
        self.needles.subject(match.kind, match.value) ?? Subject(match.kind, match.value.text)
      }
    guard let pseudonym = subject.flatMap({ self.pseudonyms.pseudonym(match.kind, $0) }),
      let written = Replacement.bytes(for: match, in: bytes, with: pseudonym, self.needles)
    else { return nil }
    return (written, pseudonym.canonical)
  }
}

/// Writes a pseudonym over a match, in the match's own spelling, encoding and case.
enum Replacement {
  /// The bytes to put in place of `match`, as many as it has; nil if it cannot be done soundly.
  static func bytes(
    for match: Match,
    in original: Bytes,
    with pseudonym: Subject,
    _ needles: NeedleSet
  ) -> [UInt8]? {
    let written = original.slice(match.range)
    let result: [UInt8]?
    switch match.source {
    case .inspector, .leafInspector:
      result = self.refilled(written, match.value, pseudonym.canonical)
    case .needle(let index):
      let needle = needles.needles[index]
      guard let spelled = needle.spelling.bytes(of: pseudonym),
        spelled.count == needle.spellingLength
      else { return nil }
      if case .base64(let alphabet, let offset) = needle.layer {
        let shape = Base64Shape(offset: offset, count: spelled.count)
        result = self.rewritten(original, match.range, shape, spelled, alphabet)
      } else {
        let bytes = needle.layer.bytes(of: spelled)
        result = needle.layer.isCaseless ? bytes.map { self.recased($0, as: written) } : bytes
      }
    }
    guard let result, result.count == written.count, !written.elementsEqual(result) else {
      return nil
    }
    return result
  }

  /// `written` with the characters of `value` replaced by those of `pseudonym`, separators kept.
  private static func refilled(
    _ written: Bytes,
    _ value: Bytes,
    _ pseudonym: Bytes
  ) -> [UInt8]? {
    guard value.count == pseudonym.count else { return nil }
    var result: [UInt8] = []
    var index = 0
    var position = 0
    while position < written.count {
      let byte = written[position]
      if index < value.count, ASCII.lowercased(byte) == ASCII.lowercased(value[index]) {
        result.append(pseudonym[index])
        index += 1
        position += 1
      } else if byte == 0x25, index < value.count, position + 2 < written.count,
        let high = ASCII.hexValue(written[position + 1]),
        let low = ASCII.hexValue(written[position + 2]), high << 4 | low == value[index]
      {
        // An escaped character stays escaped, so it must stay what it is.
        guard pseudonym[index] == value[index] else { return nil }
        result += written.slice(position..<position + 3)
        index += 1
        position += 3
      } else {
        result.append(byte)
        position += 1
      }
    }
    guard index == value.count else { return self.refilledEnd(written, value, pseudonym) }
    return self.recased(result, as: written)
  }

  /// A telephone number as dialled at home: its last digits are replaced, a trunk prefix stays.
  ///
  /// What of the value is not written must be the pseudonym's too: the country.
  private static func refilledEnd(
    _ written: Bytes,
    _ value: Bytes,
    _ pseudonym: Bytes
  ) -> [UInt8]? {
    let places = written.indices.filter { ASCII.isDigit(written[$0]) }
    let shared = zip(places.reversed(), value.reversed()).prefix { written[$0] == $1 }.count
    let missing = value.count - shared
    guard shared >= 6, places.count <= shared + 2, !written.contains(0x25),
      value.slice(0..<missing) == pseudonym.slice(0..<missing)
    else { return nil }
    var result = written.array
    for (place, byte) in zip(places.suffix(shared), pseudonym.suffix(shared)) {
      result[place] = byte
    }
    return result
  }

  /// `bytes` in the case of `written`, letter by letter, and where that has none, in its main case.
  private static func recased(_ bytes: [UInt8], as written: Bytes) -> [UInt8] {
    guard bytes.count == written.count else { return bytes }
    let hasUpper = written.contains { $0 &- 0x41 < 26 }
    let hasLower = written.contains { $0 &- 0x61 < 26 }
    return bytes.indices.map { index in
      let byte = bytes[index]
      guard ASCII.lowercased(byte) &- 0x61 < 26 else { return byte }
      let model = written[index]
      let isUpper: Bool
      if ASCII.lowercased(model) &- 0x61 < 26 {
        isUpper = model &- 0x41 < 26
      } else if hasUpper != hasLower {
        isUpper = hasUpper
      } else {
        return byte
      }
      return isUpper ? byte & 0xDF : byte | 0x20
    }
  }

  /// The base64 digits at `range` with the bits of `spelled` in them and their other bits kept.
  private static func rewritten(
    _ original: Bytes,
    _ range: Range<Int>,
    _ shape: Base64Shape,
    _ spelled: [UInt8],
    _ alphabet: Base64
  ) -> [UInt8]? {
    guard range.count == shape.occupied.count else { return nil }
    var values: [UInt8] = []
    for byte in original.slice(range) {
      guard let value = Base64Digit.value(byte) else { return nil }
      values.append(value)
    }
    for (index, byte) in spelled.enumerated() {
      for bit in 0..<8 {
        let place = (shape.offset + index) * 8 + bit
        let mask = UInt8(1) << UInt8(5 - place % 6)
        let digit = place / 6 - shape.occupied.lowerBound
        if byte & (0x80 >> UInt8(bit)) != 0 {
          values[digit] |= mask
        } else {
          values[digit] &= ~mask
        }
      }
    }
    if let used = self.alphabet(around: range, in: original) {
      return values.map { Base64Digit.digit($0, used) }
    }
    // What was written tells nothing of its alphabet, and whoever reads it knows only one: a wrong guess breaks it.
    guard values.allSatisfy({ $0 < 62 }) else { return nil }
    return values.map { Base64Digit.digit($0, alphabet) }
  }

  /// The alphabet of the text around `range`, as far as one of the four telling digits shows it.
  private static func alphabet(around range: Range<Int>, in original: Bytes) -> Base64? {
    let reach = 4_096
    let before = original.slice(max(0, range.lowerBound - reach)..<range.lowerBound).reversed()
    let after = original.slice(
      range.upperBound..<min(original.count, range.upperBound + reach)
    )
    let inside = original.slice(range)
    let run =
      Array(inside) + before.prefix { Base64Digit.value($0) != nil }
      + after.prefix { Base64Digit.value($0) != nil }
    for byte in run {
      if byte == 0x2D || byte == 0x5F { return .url }
      if byte == 0x2B || byte == 0x2F { return .standard }
    }
    return nil
  }
}
