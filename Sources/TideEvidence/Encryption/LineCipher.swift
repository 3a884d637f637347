internal import TideCore
internal import TideCrypto

/// Which members of lines stay in the clear in an encrypted case: what a stranger needs to check the chain, its heads and
/// its files.
enum ClearLines {
  /// Whether a type's lines are not encrypted at all.
  static func contain(_ type: String) -> Bool {
    switch type {
    case "tree-head", "segment", "wire", "wire-recovered", "clock": true
    default: false
    }
  }
}

/// Hides members of the lines that one writer writes.
final class LineSealer {
  /// What stands before the ciphertext.
  static let opening = Array(",\"sealed\":\"".utf8)

  private let cipher: AEAD
  private let keys: CaseKeys

  init(_ keys: CaseKeys) {
    self.cipher = AEAD(keys.lines)
    self.keys = keys
  }

  /// The member `sealed` in place of others.
  ///
  /// - Parameters:
  ///   - members: those that are hidden, with the comma before them; or nothing.
  ///   - start: the line's bytes before them, which it binds them to.
  ///   - sequence: the line's number.
  /// - Returns: nonce, ciphertext and tag.
  func seal(
    _ members: borrowing Span<UInt8>,
    after start: borrowing Span<UInt8>,
    sequence: UInt64
  ) -> [UInt8] {
    let nonce = self.keys.nonce(sequence)
    var sealed = nonce
    sealed.reserveCapacity(AEAD.nonceByteCount + members.count + AEAD.tagByteCount)
    self.cipher.seal(members, nonce: nonce, associated: start, into: &sealed)
    return sealed
  }
}

/// Shows the lines of an encrypted case as they would be without encryption.
final class LineOpener {
  private let cipher: AEAD

  init(_ keys: CaseKeys) { self.cipher = AEAD(keys.lines) }

  /// The line with its hidden members in their place; nil if it is not as it was written.
  ///
  /// Its hash is still that of the line as it lies in the log.
  func open(_ line: Bytes) -> Bytes? {
    guard let (place, type) = Self.membersStart(of: line) else { return nil }
    if ClearLines.contain(type.text) { return line }
    guard let start = Self.find(LineSealer.opening, in: line, from: place) else { return nil }
    let textStart = start + LineSealer.opening.count
    guard let length = line.slice(textStart..<line.count).firstIndex(of: 0x22),
      let sealed = Base64.standard.decode(line.slice(textStart..<textStart + length)),
      sealed.count >= AEAD.nonceByteCount
    else { return nil }
    let members = line.withSpan { span in
      self.cipher.open(
        sealed.span.extracting(AEAD.nonceByteCount..<sealed.count),
        nonce: Array(sealed.prefix(AEAD.nonceByteCount)),
        associated: span.extracting(0..<start)
      )
    }
    guard let members else { return nil }
    var opened = line.slice(0..<start).array
    opened.append(contentsOf: members)
    opened.append(contentsOf: line.slice(textStart + length + 1..<line.count))
    return Bytes(opened)
  }

  /// Where the members of a line's own begin, and its type.
  private static func membersStart(of line: Bytes) -> (Int, Bytes)? {
    let found: (Int, Range<Int>)? = line.withSpan { span in
      var cursor = LineCursor()
      guard cursor.take("{\"seq\":", in: span), cursor.number(in: span) != nil,
        cursor.take(",\"time\":\"", in: span), cursor.text(in: span) != nil,
        cursor.take(",\"type\":\"", in: span), let type = cursor.text(in: span),
        cursor.take(",\"prev\":\"", in: span), cursor.text(in: span) != nil
      else { return nil }
      return (cursor.index, type)
    }
    return found.map { ($0.0, line.slice($0.1)) }
  }

  /// Quotes in texts are escaped, so that the first such bytes are the member.
  private static func find(_ text: [UInt8], in line: Bytes, from start: Int) -> Int? {
    line.withSpan { span in
      var index = start
      while index + text.count <= span.count {
        var count = 0
        while count < text.count, span[index + count] == text[count] { count += 1 }
        if count == text.count { return index }
        index += 1
      }
      return nil
    }
  }
}
