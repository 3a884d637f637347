internal import Glibc
internal import TideCore
internal import TideCrypto

/// The digests of contents that came last, up to 32 KiB: devices are told the same again and again, and to compare
/// costs a tenth of hashing.
///
/// `unsafe`: compares by `memcmp`, both sides borrowed for the call.
struct RecentContents: ~Copyable {
  private struct Entry {
    /// Of the content that came last in this place.
    var sample: UInt64 = 0
    var content: [UInt8] = []
    var digest: [UInt8] = []
  }

  /// Larger contents are hashed: what is kept is bounded by this and the number of entries, to 2 MiB.
  private static let mostBytes = 32 << 10
  /// Larger contents are kept when they seem to come a second time: most come once, and are not copied.
  private static let mostAtOnce = 4 << 10

  /// Each content has one place, where the next one replaces it.
  private var entries = [Entry](repeating: Entry(), count: 64)
  private var hasher = SHA256Hasher()

  /// The SHA-256 of a content.
  mutating func digest(of content: Bytes) -> [UInt8] {
    guard !content.isEmpty, content.count <= Self.mostBytes else { return self.hash(content) }
    let sample = Self.sample(content)
    let place = Int(sample >> 32) % self.entries.count
    if Self.areEqual(content, self.entries[place].content) { return self.entries[place].digest }
    let digest = self.hash(content)
    let seemsKnown = self.entries[place].sample == sample
    self.entries[place].sample = sample
    guard seemsKnown || content.count <= Self.mostAtOnce else { return digest }
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
  private static func sample(_ content: Bytes) -> UInt64 {
    var sample = UInt64(content.count)
    let step = max(1, content.count / 16)
    content.withSpan { span in
      for index in stride(from: span.count - 1, through: 0, by: -step) {
        sample = (sample ^ UInt64(span[index])) &* 0x100_0000_01B3
      }
    }
    return sample
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
