import TideCore

/// One value of a profile.
struct NeedleValue {
  let kind: FindingKind
  let subject: Subject
  let canonical: Bytes

  /// `certain`, unless the value is so short that it may stand there for another reason.
  var certainty: Certainty {
    let isNumber = self.canonical.allSatisfy(ASCII.isDigit)
    return self.canonical.count < (isNumber ? 8 : 5) ? .possible : .certain
  }
}

/// One byte string to search for: a value, spelled one way, under one layer.
struct Needle {
  /// The index of its value.
  let value: Int
  let spelling: Spelling
  let layer: Layer
  /// The bytes of the string, and of the spelling inside.
  let length: Int
  let spellingLength: Int
  let before: Boundary
  let after: Boundary

  /// Where the value lies, if the string ends at `end` and its surroundings are right; else nil.
  ///
  /// The automaton knows only the string. Whether it is a whole number, or base64 whose shared digits
  /// hold the right bits, is seen here.
  func confirm(_ span: Span<UInt8>, end: Int, spelled: (Needle) -> [UInt8]?) -> Range<Int>? {
    let start = end - self.length
    guard start >= 0 else { return nil }
    switch self.layer {
    case .none, .percent, .jsonEscapes, .digest:
      guard self.before.allows(Neighbour.before(span, start)),
        self.after.allows(Neighbour.after(span, end))
      else { return nil }
      return start..<end
    case .hex:
      guard self.before.allows(Self.hexByte(span, start - 2)),
        self.after.allows(Self.hexByte(span, end))
      else { return nil }
      return start..<end
    case .base64(_, let offset):
      guard let spelling = spelled(self) else { return nil }
      return self.confirmBase64(span, start: start, offset: offset, spelling)
    }
  }

  private func confirmBase64(
    _ span: Span<UInt8>,
    start: Int,
    offset: Int,
    _ spelling: [UInt8]
  ) -> Range<Int>? {
    let shape = Base64Shape(offset: offset, count: spelling.count)
    let group = start - shape.core.lowerBound
    for (index, byte) in spelling.enumerated() {
      guard let decoded = Base64Digit.byte(span, group: group, offset + index) else {
        // The last digit of unpadded text holds fewer bits than a byte only if the byte ends there.
        return nil
      }
      guard decoded == byte else { return nil }
    }
    let previous: UInt8?
    if offset > 0 {
      previous = Base64Digit.byte(span, group: group, offset - 1)
    } else {
      // Not certainly a part of the same text: a path's segments are base64 digits too. Three
      // printable bytes say that it is.
      let bytes = (0..<3).compactMap { Base64Digit.byte(span, group: group - 4, $0) }
      let isText = bytes.count == 3 && bytes.allSatisfy { (0x20..<0x7F).contains($0) }
      previous = isText ? bytes.last : nil
    }
    let next = Base64Digit.byte(span, group: group, offset + spelling.count)
    guard self.before.allows(previous), self.after.allows(next) else { return nil }
    return group + shape.occupied.lowerBound..<group + shape.occupied.upperBound
  }

  private static func hexByte(_ span: Span<UInt8>, _ position: Int) -> UInt8? {
    guard position >= 0, position + 1 < span.count, let high = ASCII.hexValue(span[position]),
      let low = ASCII.hexValue(span[position + 1])
    else { return nil }
    return high << 4 | low
  }
}
