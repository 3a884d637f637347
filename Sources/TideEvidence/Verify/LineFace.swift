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
      var cursor = LineCursor()
      guard cursor.take("{\"seq\":", in: span), let sequence = cursor.plainNumber(in: span),
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
}
