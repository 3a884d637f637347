import TideCore

/// The strings of all needles, and which of them to compare where the automaton saw a short piece.
///
/// The automaton searches for a piece of at most eight bytes of each string, its anchor: it stays small
/// and fast, and strings that share a piece, as a digest and its cuts do, share a literal.
struct NeedleIndex: Sendable {
  /// A string to search for.
  struct Entry {
    let bytes: [UInt8]
    let isCaseless: Bool
    /// Whether its first bytes tell it best, as of digests; else its last.
    let isAnchoredFirst: Bool
  }

  /// The most bytes of an anchor: what vectorscan's literal matcher compares at once.
  static let anchorLength = 8

  /// The strings, one after the other, those without case in lower case.
  private var text: [UInt8] = []
  /// Where each needle's string begins in `text`; one more at the end.
  private var starts: [UInt32] = [0]
  /// How many bytes of each string follow its anchor.
  private var rests: [UInt16] = []
  private var caseless: [Bool] = []
  /// The needles of each literal, and where each literal's begin; one more at the end.
  private var candidates: [UInt32] = []
  private var firsts: [UInt32] = []

  /// Sorts the strings by anchor, and gives the literals for the automaton.
  init(_ entries: [Entry], literals: inout [Automaton.Literal]) {
    var numbers: [Automaton.Literal: Int] = [:]
    var members: [[UInt32]] = []
    literals = []
    self.starts.reserveCapacity(entries.count + 1)
    self.rests.reserveCapacity(entries.count)
    self.caseless.reserveCapacity(entries.count)
    for (index, entry) in entries.enumerated() {
      let bytes = entry.isCaseless ? entry.bytes.map(ASCII.lowercased) : entry.bytes
      self.text += bytes
      self.starts.append(UInt32(self.text.count))
      self.caseless.append(entry.isCaseless)
      let anchor = Self.anchor(bytes, isFirst: entry.isAnchoredFirst)
      self.rests.append(UInt16(bytes.count - anchor.upperBound))
      let literal = Automaton.Literal(bytes: Array(bytes[anchor]), isCaseless: entry.isCaseless)
      if let number = numbers[literal] {
        members[number].append(UInt32(index))
      } else {
        numbers[literal] = literals.count
        literals.append(literal)
        members.append([UInt32(index)])
      }
    }
    self.firsts.reserveCapacity(members.count + 1)
    self.candidates.reserveCapacity(entries.count)
    for member in members {
      self.firsts.append(UInt32(self.candidates.count))
      self.candidates += member
    }
    self.firsts.append(UInt32(self.candidates.count))
  }

  /// Whether a string has bytes to search for: not only zeros.
  static func isSearchable(_ bytes: [UInt8]) -> Bool {
    bytes.count <= Int(UInt16.max) && bytes.contains { $0 != 0 }
  }

  /// The bytes that the index occupies.
  var byteCount: Int {
    self.text.count + self.starts.count * 4 + self.rests.count * 2 + self.caseless.count
      + self.candidates.count * 4 + self.firsts.count * 4
  }

  /// Adds the needles whose strings stand at an anchor that the automaton saw.
  func confirm(_ hit: AutomatonScratch.Hit, in span: Span<UInt8>, _ hits: inout [NeedleHit]) {
    let literal = Int(hit.literal)
    for place in Int(self.firsts[literal])..<Int(self.firsts[literal + 1]) {
      let needle = Int(self.candidates[place])
      let first = Int(self.starts[needle])
      let count = Int(self.starts[needle + 1]) - first
      let end = hit.end + Int(self.rests[needle])
      guard end <= span.count, end >= count else { continue }
      if self.stands(first, count, span, at: end - count, self.caseless[needle]) {
        hits.append(NeedleHit(needle: needle, end: end))
      }
    }
  }

  private func stands(
    _ first: Int,
    _ count: Int,
    _ span: Span<UInt8>,
    at start: Int,
    _ isCaseless: Bool
  ) -> Bool {
    for index in 0..<count {
      let byte = span[start + index]
      guard (isCaseless ? ASCII.lowercased(byte) : byte) == self.text[first + index] else {
        return false
      }
    }
    return true
  }

  /// The piece to search for; it does not begin with 0, which vectorscan takes for an end.
  private static func anchor(_ bytes: [UInt8], isFirst: Bool) -> Range<Int> {
    let count = min(bytes.count, self.anchorLength)
    var range = isFirst ? 0..<count : bytes.count - count..<bytes.count
    while range.count > 1, bytes[range.lowerBound] == 0 {
      range = range.lowerBound + 1..<range.upperBound
    }
    if bytes[range.lowerBound] != 0 { return range }
    // Only zeros there: the last piece that begins with something else.
    let start = bytes.lastIndex { $0 != 0 } ?? 0
    return start..<min(bytes.count, start + self.anchorLength)
  }
}
