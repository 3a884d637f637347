import TideCore

/// Replacements at places of one run of bytes, put in all at once.
struct Splice {
  private var edits: [(range: Range<Int>, bytes: [UInt8])] = []

  /// Notes that `bytes` take the place of `range`.
  mutating func replace(_ range: Range<Int>, with bytes: [UInt8]) {
    self.edits.append((range, bytes))
  }

  /// `original` with everything put in; nil if places overlap or lie outside.
  func applied(to original: Bytes) -> Bytes? {
    let edits = self.edits.sorted { $0.range.lowerBound < $1.range.lowerBound }
    var result: [UInt8] = []
    result.reserveCapacity(original.count + edits.reduce(0) { $0 + $1.bytes.count })
    var position = 0
    for edit in edits {
      guard edit.range.lowerBound >= position, edit.range.upperBound <= original.count else {
        return nil
      }
      result.append(contentsOf: original.slice(position..<edit.range.lowerBound))
      result += edit.bytes
      position = edit.range.upperBound
    }
    result.append(contentsOf: original.slice(position..<original.count))
    return Bytes(result)
  }
}
