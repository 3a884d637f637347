internal import TideCore
internal import TideCrypto

/// A line as every one must be: its first four members, its hash, and JSON in between.
///
/// Most lines are looked at in this way alone: their chain holds whatever else they say.
struct LineFace {
  let sequence: UInt64
  let type: String
  /// What the line says is the hash of the line before, as digits.
  let previous: Bytes
  /// The part that is hashed.
  let hashed: Bytes
  /// The line's own hash, as digits.
  let hash: [UInt8]

  /// Reads a line without its newline; nil if it is not of the form.
  init?(_ line: Bytes) {
    guard line.count <= LogReader.longestLine, let (hashed, hash) = LineTail.split(line) else {
      return nil
    }
    let found: (UInt64, String, Range<Int>)? = line.withSpan { span in
      var cursor = Cursor()
      guard cursor.take("{\"seq\":", in: span), let sequence = cursor.number(in: span),
        cursor.take(",\"time\":\"", in: span), cursor.text(in: span) != nil,
        cursor.take(",\"type\":\"", in: span), let type = cursor.text(in: span),
        cursor.take(",\"prev\":\"", in: span), let previous = cursor.text(in: span),
        previous.count == 64, JSONShape.isObject(span)
      else { return nil }
      let name = String(decoding: type.map { span[$0] }, as: UTF8.self)
      return (sequence, name, previous)
    }
    guard let (sequence, type, previous) = found else { return nil }
    self.sequence = sequence
    self.type = type
    self.previous = line.slice(previous)
    self.hashed = hashed
    self.hash = hash
  }

  /// Whether the line's hash follows from its own `prev`.
  func isRightByItself(_ hasher: inout SHA256Hasher) -> Bool {
    self.follows(self.previous.array, &hasher)
  }

  /// Whether the line's hash follows from the one before.
  func follows(_ hash: [UInt8], _ hasher: inout SHA256Hasher) -> Bool {
    hasher.update(hash)
    hasher.update(self.hashed)
    var text: [UInt8] = []
    text.reserveCapacity(64)
    Hex.encode(hasher.finish().span, into: &text)
    return text == self.hash
  }

  private struct Cursor {
    var index = 0

    mutating func take(_ text: StaticString, in span: borrowing Span<UInt8>) -> Bool {
      let count = text.utf8CodeUnitCount
      guard self.index + count <= span.count else { return false }
      let start = self.index
      let isSame = text.withUTF8Buffer { wanted in
        for offset in 0..<count where unsafe wanted[offset] != span[start + offset] { return false }
        return true
      }
      if isSame { self.index += count }
      return isSame
    }

    /// Decimal digits, none of them a 0 in front.
    mutating func number(in span: borrowing Span<UInt8>) -> UInt64? {
      let start = self.index
      var value: UInt64 = 0
      while self.index < span.count, ASCII.isDigit(span[self.index]), self.index - start < 18 {
        value = value * 10 + UInt64(span[self.index] - 0x30)
        self.index += 1
      }
      return self.index > start && span[start] != 0x30 ? value : nil
    }

    /// The bytes up to the next quote, which is passed; nil if there is an escape among them.
    mutating func text(in span: borrowing Span<UInt8>) -> Range<Int>? {
      let start = self.index
      while self.index < span.count {
        let byte = span[self.index]
        if byte == 0x22 {
          self.index += 1
          return start..<self.index - 1
        }
        guard byte != 0x5C, byte >= 0x20 else { return nil }
        self.index += 1
      }
      return nil
    }
  }
}
