/// Finds the word that a misspelt one was probably meant to be.
public enum SuggestNearest {
  /// The most edits between a word and what is suggested for it.
  static let maxDistance = 2
  /// The longest word that is compared, in characters: the cost grows with its square.
  static let maxLength = 64

  /// The word among `candidates` that is fewest edits away from `word`; `nil` if none is near.
  ///
  /// An edit inserts, deletes or replaces a character, or swaps two neighbours; case is ignored. At most
  /// two, and always fewer than half of the word's characters, or `ip` would be near to everything.
  public static func to(_ word: String, among candidates: some Sequence<String>) -> String? {
    let written = Array(word.lowercased())
    guard written.count <= Self.maxLength else { return nil }
    var nearest: (word: String, distance: Int)?
    for candidate in candidates {
      let meant = Array(candidate.lowercased())
      guard abs(meant.count - written.count) <= Self.maxDistance else { continue }
      let distance = Self.distance(written, meant)
      guard distance <= Self.maxDistance, distance * 2 < max(written.count, meant.count),
        distance < nearest?.distance ?? .max
      else { continue }
      nearest = (candidate, distance)
    }
    return nearest?.word
  }

  /// The edits between two words, each place edited once (optimal string alignment).
  static func distance(_ a: [Character], _ b: [Character]) -> Int {
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in a.indices {
      var row = [i + 1]
      row.reserveCapacity(b.count + 1)
      for j in b.indices {
        var cost = min(last[j + 1], row[j]) + 1
        cost = min(cost, last[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
          cost = min(cost, beforeLast[j - 1] + 1)
        }
        row.append(cost)
      }
      beforeLast = last
      last = row
    }
    return last[b.count]
  }
}
