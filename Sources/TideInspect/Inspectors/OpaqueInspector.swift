import Glibc
import TideCore
import TideCrypto
import TideDecoding

/// Finds bodies that nothing can read: bytes as random as ciphertext, of no known format.
///
/// DETECTION.md's rule is more than 7.5 bit a byte over 256 bytes or more. That is the entropy of what
/// sends the bytes; a sample of n bytes shows less, of random ones about 255 / (2 n ln 2) bit less (G. A.
/// Miller, "Note on the bias of information estimates", 1955). So much is added to what is measured, and
/// three times what it errs by, some 11 / (n ln 2) bit: of 1,000 random bodies of 256 bytes one is missed.
///
/// Signatures, keys and certificates are random by nature; a leaf that is called so and has such a length
/// is none. Nor are cookies, which the server made.
struct OpaqueInspector: LeafInspector {
  static let id = "opaque"
  let interest = Interest(locations: [.path, .query, .header, .body, .websocket])

  /// Fewer bytes say too little.
  static let fewest = LeafSurvey.long
  /// Bit a byte.
  static let threshold = 7.5
  /// What is measured of a longer one: as many from its start as from its middle.
  private static let sample = 64 << 10

  func inspect(_ leaves: Leaves, _ sink: inout LeafSink) {
    for index in leaves.survey.long {
      let leaf = leaves.leaf(index)
      guard !leaf.isOpened, leaf.value.count >= Self.fewest, Self.isBinary(leaf.value),
        !MediaMagic.isMedia(leaf.value), !Self.isCertificate(leaf.value),
        !Self.isToken(leaf.value.count, leaves.topics(of: leaf), leaves.location),
        Self.isRandom(leaf.value)
      else { continue }
      sink.report(
        FindingKind("opaque"),
        .likely,
        in: leaf,
        value: Bytes(ASCII.hex(Digest.sha256.hash(leaf.value))),
        replacing: .impossible
      )
    }
  }

  /// Whether the first bytes hold what text has none of: a glance before anything is counted.
  private static func isBinary(_ bytes: Bytes) -> Bool {
    let shape = Shape(bytes.slice(0..<min(bytes.count, 512)))
    return shape.classes.contains(.control) && shape.classes.contains(.high)
  }

  /// DER: a sequence whose length says that it is all of it (X.690 §8.1.3).
  private static func isCertificate(_ bytes: Bytes) -> Bool {
    guard bytes[0] == 0x30, bytes[1] == 0x82 else { return false }
    return Int(bytes[2]) << 8 + Int(bytes[3]) + 4 == bytes.count
  }

  /// Whether a leaf that is called a signature or a token has the length of one: that of an RSA modulus
  /// of 2,048 to 4,096 bits, or anything in a field of the head up to what fields hold.
  private static func isToken(
    _ count: Int,
    _ topics: LeafTopics,
    _ location: FindingLocation
  ) -> Bool {
    guard topics.contains(.token) else { return false }
    switch location {
    case .header, .cookie, .trailer: return count <= 2_048
    case .path, .query, .body, .websocket: return [256, 384, 512].contains(count)
    }
  }

  /// Whether what is measured may come from a source of more than 7.5 bit a byte.
  private static func isRandom(_ bytes: Bytes) -> Bool {
    let measured = self.entropy(bytes)
    let error = 3 * 11.3 / (Double(bytes.count) * self.naturalLogarithmOf2)
    return measured + error > self.threshold
  }

  private static let naturalLogarithmOf2 = 0.693_147_180_559_945

  /// Bit a byte that the sender is estimated to have chosen from.
  static func entropy(_ bytes: Bytes) -> Double {
    var counts = [Int](repeating: 0, count: 256)
    var total = 0
    bytes.withSpan { span in
      let first = min(span.count, self.sample)
      for index in 0..<first { counts[Int(span[index])] += 1 }
      total = first
      let middle = max(first, span.count / 2)
      let end = min(span.count, middle + self.sample)
      for index in middle..<max(middle, end) { counts[Int(span[index])] += 1 }
      total += max(0, end - middle)
    }
    var sum = 0.0
    var kinds = 0
    for count in counts where count > 0 {
      kinds += 1
      let share = Double(count) / Double(total)
      sum -= share * log2(share)
    }
    return min(8, sum + Double(kinds - 1) / (2 * Double(total) * self.naturalLogarithmOf2))
  }
}
