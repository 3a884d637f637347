internal import TideCore

/// A pattern of bytes in which `*` stands for any run, split once so that matching is a few searches.
struct Glob: Hashable, Sendable {
  /// What stands between the stars: one piece is a pattern without a star.
  private let pieces: [[UInt8]]
  private let ignoresCase: Bool

  init(_ pattern: String, ignoringCase: Bool) {
    self.ignoresCase = ignoringCase
    self.pieces = pattern.utf8.split(separator: 0x2A, omittingEmptySubsequences: false)
      .map { ignoringCase ? $0.map(ASCII.lowercased) : Array($0) }
  }

  func matches(_ bytes: Bytes) -> Bool {
    bytes.withSpan { self.matches($0) }
  }

  private func matches(_ text: Span<UInt8>) -> Bool {
    guard let first = self.pieces.first, let last = self.pieces.last else { return false }
    if self.pieces.count == 1 { return text.count == first.count && self.has(first, text, at: 0) }
    var position = first.count
    let end = text.count - last.count
    guard end >= position, self.has(first, text, at: 0), self.has(last, text, at: end)
    else { return false }
    // The leftmost place for each piece leaves the most room for those that follow.
    for piece in self.pieces.dropFirst().dropLast() {
      while position + piece.count <= end, !self.has(piece, text, at: position) { position += 1 }
      guard position + piece.count <= end else { return false }
      position += piece.count
    }
    return true
  }

  private func has(_ piece: [UInt8], _ text: Span<UInt8>, at start: Int) -> Bool {
    for offset in piece.indices {
      let byte = text[start + offset]
      guard (self.ignoresCase ? ASCII.lowercased(byte) : byte) == piece[offset]
      else { return false }
    }
    return true
  }
}
