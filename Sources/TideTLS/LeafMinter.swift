import COpenSSL
public import TideCore

/// Makes and keeps the leaves of one loop.
///
/// Confined to its loop, so it needs no lock. All its leaves share one fresh P-256 key, which is never
/// the CA's; nothing but a restart's worth of recorded sessions hangs on it, and ECDHE protects those.
public final class LeafMinter {
  /// How long a leaf is valid at most, from now.
  ///
  /// Well inside every client's limit: 47 days is where the public schedule ends (CA/B SC-081v3).
  private static let lifetimeSeconds: Int64 = 30 * 86_400

  /// How many leaves have been made.
  public private(set) var mintedCount = 0

  private let authority: CertificateAuthority
  private let key: PrivateKey
  private let keyIdentifier: [UInt8]
  private let authorityEnd: WallTime
  private let authorityStart: WallTime
  private var cache: LeafCache

  /// Makes a minter with a fresh leaf key.
  ///
  /// - Parameters:
  ///   - authority: who signs.
  ///   - capacity: how many leaves are kept at most; the least recently used goes first.
  /// - Throws: `.internal`.
  public init(authority: CertificateAuthority, capacity: Int) throws(TLSFailure) {
    let key = try PrivateKey.generate(.p256)
    self.keyIdentifier = CertificateAuthority.keyIdentifier(of: key)
    self.key = key
    self.authority = authority
    self.authorityStart = authority.notBefore
    self.authorityEnd = authority.notAfter
    self.cache = LeafCache(capacity: capacity)
  }

  /// The leaf for `host`: from the cache, or made now.
  ///
  /// - Throws: `.certificate` if the CA is not valid at `now`.
  public func leaf(for host: Host, at now: WallTime) throws(TLSFailure) -> Leaf {
    if let leaf = self.cache.leaf(for: host), self.isFresh(leaf, at: now) { return leaf }
    guard now >= self.authorityStart, now < self.authorityEnd else {
      throw TLSFailure(
        .certificate,
        detail: "the CA is not valid now, only until \(self.authorityEnd.rfc3339)"
      )
    }
    let leaf = try self.mint(host, at: now)
    self.cache.insert(leaf)
    return leaf
  }

  /// Whether a leaf may still be handed out: not within an hour, or a tenth of its life, of its end.
  private func isFresh(_ leaf: Leaf, at now: WallTime) -> Bool {
    guard now >= leaf.notBefore, now < leaf.notAfter else { return false }
    // No new leaf would live longer than one that ends with the CA.
    if leaf.notAfter == self.authorityEnd { return true }
    let life = leaf.notAfter.seconds - leaf.notBefore.seconds
    let left = leaf.notAfter.seconds - now.seconds
    return left > max(3_600, life / 10)
  }

  private func mint(_ host: Host, at now: WallTime) throws(TLSFailure) -> Leaf {
    let name = host.description
    // RFC 5280, ub-common-name: 64. A longer name stands in the subjectAltName alone.
    let fitsCommonName = name.utf8.count <= 64
    let draft = CertificateDraft(
      subject: fitsCommonName ? [.init(attribute: NID_commonName, value: name)] : [],
      // An hour back, for slow clocks on phones.
      notBefore: max(now.advanced(bySeconds: -3_600), self.authorityStart),
      notAfter: min(now.advanced(bySeconds: Self.lifetimeSeconds), self.authorityEnd),
      extensions: [
        .endEntity, .digitalSignature, .serverAuthentication,
        .host(host, isCritical: !fitsCommonName),
        .subjectKey(self.keyIdentifier), .authorityKey(self.authority.keyIdentifier),
      ]
    )
    let certificate = try draft.signed(
      for: self.key,
      by: self.authority.certificate,
      with: self.authority.key
    )
    self.mintedCount += 1
    return Leaf(
      host: host,
      certificate: certificate,
      key: self.key,
      chain: self.authority.leafChain
    )
  }
}
