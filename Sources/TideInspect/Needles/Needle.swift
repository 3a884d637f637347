import TideCore

/// One value of a profile.
struct NeedleValue {
  let kind: FindingKind
  let subject: Subject
  let canonical: Bytes

  /// Whether one alone says nothing: an installed app is no finding, three of them are.
  var isSetMember: Bool { self.kind.name == "app_list" }

  /// `certain`, unless the value is so short that it may stand there for another reason.
  var certainty: Certainty {
    let isNumber = self.canonical.allSatisfy(ASCII.isDigit)
    let count = self.canonical.count
    if isNumber { return count < 6 ? .possible : count < 8 ? .likely : .certain }
    return count < 5 ? .possible : .certain
  }
}

/// One byte string to search for: a value, spelled one way, under one layer.
struct Needle {
  /// The index of its value.
  let value: Int
  let spelling: Spelling
  let layer: NeedleLayer
  /// How sure a finding of it is.
  let certainty: Certainty
  /// The bytes of the string, and of the spelling inside.
  let length: Int
  let spellingLength: Int
  let before: Boundary
  let after: Boundary
  /// Whether a character takes two bytes.
  let width: CharacterWidth

  /// The layers around the value, outermost first.
  var encoding: [String] { self.layer.names + self.spelling.names }

  /// Where the value lies, if the string ends at `end` and its surroundings are right; else nil.
  ///
  /// The automaton knows only the string. Whether it is a whole number, or base64 whose shared digits
  /// hold the right bits, is seen here.
  func confirm(_ span: Span<UInt8>, end: Int, spelled: (Needle) -> [UInt8]?) -> Range<Int>? {
    let start = end - self.length
    guard start >= 0 else { return nil }
    switch self.layer {
    case .none, .percent, .jsonEscapes, .entities, .base32, .digest, .digestTwice:
      guard self.before.allows(Neighbour.before(span, start)),
        self.after.allows(after: end, in: span)
      else { return nil }
      return start..<end
    case .exact:
      let isWhole = self.isWhole { index in
        let position = start + index
        return position >= 0 && position < span.count ? span[position] : nil
      }
      return isWhole ? start..<end : nil
    case .hex:
      return self.isWhole { Self.hexByte(span, start + 2 * $0) } ? start..<end : nil
    case .base64(_, let offset):
      guard let spelling = spelled(self) else { return nil }
      return self.confirmBase64(span, start: start, offset: offset, spelling)
    }
  }

  /// Whether the characters on both sides are right, given the byte at an index counted from the
  /// spelling's start.
  private func isWhole(_ byte: (Int) -> UInt8?) -> Bool {
    !self.width.isShadowed(self.spellingLength, byte)
      && self.before.allows(self.width.character(before: 0, byte))
      && self.after.allows(self.width.character(at: self.spellingLength, byte))
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
    let isWhole = self.isWhole { index in
      if index >= 0 || offset + index >= 0 {
        return Base64Digit.byte(span, group: group, offset + index)
      }
      // Not certainly a part of the same text: a path's segments are base64 digits too. Three
      // printable bytes say that it is.
      let bytes = (0..<3).compactMap { Base64Digit.byte(span, group: group - 4, $0) }
      let isText = bytes.count == 3 && bytes.allSatisfy { (0x20..<0x7F).contains($0) }
      return isText && index + offset >= -3 ? bytes[3 + index + offset] : nil
    }
    guard isWhole else { return nil }
    return group + shape.occupied.lowerBound..<group + shape.occupied.upperBound
  }

  private static func hexByte(_ span: Span<UInt8>, _ position: Int) -> UInt8? {
    guard position >= 0, position + 1 < span.count, let high = ASCII.hexValue(span[position]),
      let low = ASCII.hexValue(span[position + 1])
    else { return nil }
    return high << 4 | low
  }
}

/// How many bytes a character takes, and which of two holds ASCII.
enum CharacterWidth {
  case one
  case twoBigEndian
  case twoLittleEndian

  init(_ spelling: Spelling) {
    if case .coded(_, .utf16(let isBigEndian)) = spelling {
      self = isBigEndian ? .twoBigEndian : .twoLittleEndian
    } else {
      self = .one
    }
  }

  /// The character at `index`, nil if there is none or it is not ASCII.
  ///
  /// Where a byte is missing, bytes are perhaps paired the other way.
  func character(at index: Int, _ byte: (Int) -> UInt8?) -> UInt8? {
    switch self {
    case .one: byte(index)
    case .twoBigEndian: byte(index) == 0 ? byte(index + 1) : nil
    case .twoLittleEndian: (byte(index + 1) ?? 0) == 0 ? byte(index) : nil
    }
  }

  /// The character that ends at `index`.
  func character(before index: Int, _ byte: (Int) -> UInt8?) -> UInt8? {
    switch self {
    case .one: byte(index - 1)
    case .twoBigEndian: (byte(index - 2) ?? 0) == 0 ? byte(index - 1) : nil
    case .twoLittleEndian: byte(index - 1) == 0 ? byte(index - 2) : nil
    }
  }

  /// Whether the same characters in the other byte order stand here too, a byte later.
  ///
  /// ASCII between ASCII reads both ways: `00 34 00 39 00` is 49 from its first byte and from its
  /// second. One reading is enough, the one that more senders mean.
  func isShadowed(_ count: Int, _ byte: (Int) -> UInt8?) -> Bool {
    switch self {
    case .one, .twoLittleEndian: false
    case .twoBigEndian: byte(count) == 0 && byte(-1) != nil && (byte(-2) ?? 0) == 0
    }
  }
}
