/// The certificates that were last found to be revoked, by their digests.
///
/// Bounded, because upstreams choose what they show. Whose turn it is to be forgotten had its sessions
/// ended long ago; it is only judged again like any other.
struct RevokedCertificates {
  static let capacity = 1_024

  private var known: Set<[UInt8]> = []
  /// The oldest first.
  private var order: [[UInt8]] = []

  /// Takes a certificate in, and forgets the oldest if there are too many.
  mutating func insert(_ digest: [UInt8]) {
    guard self.known.insert(digest).inserted else { return }
    self.order.append(digest)
    if self.order.count > Self.capacity { self.known.remove(self.order.removeFirst()) }
  }

  /// Whether one of these is known to be revoked.
  func contains(anyOf digests: [[UInt8]]) -> Bool { digests.contains(where: self.known.contains) }
}
