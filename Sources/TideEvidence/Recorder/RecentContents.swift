internal import Glibc
internal import TideCore
internal import TideCrypto

/// The digests of small contents that came last: devices are told the same again and again, and to compare
/// costs a tenth of hashing.
///
/// `unsafe`: compares by `memcmp`, both sides borrowed for the call.
struct RecentContents: ~Copyable {
  private struct Entry {
    var content: [UInt8] = []
    var digest: [UInt8] = []
  }

  /// Larger contents are hashed: what is kept is bounded by this and the number of entries.
  private static let mostBytes = 4 << 10

  /// Each content has one place, where the next one replaces it.
  private var entries = [Entry](repeating: Entry(), count: 64)
  private var hasher = SHA256Hasher()

  /// The SHA-256 of a content.
  mutating func digest(of content: Bytes) -> [UInt8] {
    guard !content.isEmpty, content.count <= Self.mostBytes else { return self.hash(content) }
    let place = Self.sample(content) % self.entries.count
    if Self.areEqual(content, self.entries[place].content) { return self.entries[place].digest }
    let digest = self.hash(content)
    self.entries[place].content.removeAll(keepingCapacity: true)
    self.entries[place].content.append(contentsOf: content)
    self.entries[place].digest = digest
    return digest
  }

  private mutating func hash(_ content: Bytes) -> [UInt8] {
    self.hasher.update(content)
    return self.hasher.finish()
  }

  /// A number that few others have: of the size and some bytes, spread evenly.
  private static func sample(_ content: Bytes) -> Int {
    var sample = UInt64(content.count)
    let step = max(1, content.count / 16)
    content.withSpan { span in
      for index in stride(from: span.count - 1, through: 0, by: -step) {
        sample = (sample ^ UInt64(span[index])) &* 0x100_0000_01B3
      }
    }
    return Int(sample >> 32)
  }

  private static func areEqual(_ a: Bytes, _ b: [UInt8]) -> Bool {
    guard a.count == b.count else { return false }
    return unsafe a.withUnsafeBytes { a in
      unsafe b.withUnsafeBytes { b in
        guard let first = a.baseAddress, let second = b.baseAddress else { return unsafe b.isEmpty }
        return unsafe memcmp(first, second, b.count) == 0
      }
    }
  }
}
