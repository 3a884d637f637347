import COpenSSL
public import TideCore

/// Which of two CAs signs a leaf: after a rotation devices may know only the older one.
public enum LeafIssuer: Hashable, Sendable {
  /// The CA that is in use.
  case current
  /// The one before the rotation, until it ends.
  case previous
}

/// Makes and keeps the leaves of one loop.
///
/// Confined to its loop, so it needs no lock. All its leaves share one fresh P-256 key, which is never
/// the CA's; nothing but a restart's worth of recorded sessions hangs on it, and ECDHE protects those.
public final class LeafMinter {
  /// How long a leaf is valid at most, from now.
  ///
  /// Well inside every client's limit: 47 days is where the public schedule ends (CA/B SC-081v3).
  private static let lifetimeSeconds: Int64 = 30 * 86_400

  /// How many leaves have been made, of all kinds.
  public internal(set) var mintedCount = 0

  /// One CA with the leaves that it signed.
  private struct Issuer {
    let authority: CertificateAuthority
    let start: WallTime
    let end: WallTime
    var cache: LeafCache

    init(_ authority: CertificateAuthority, capacity: Int) {
      self.authority = authority
      self.start = authority.notBefore
      self.end = authority.notAfter
      self.cache = LeafCache(capacity: capacity)
    }

    func isValid(at now: WallTime) -> Bool { now >= self.start && now < self.end }
  }

  private var current: Issuer
  private var previous: Issuer?
  private let key: PrivateKey
  private let keyIdentifier: [UInt8]
  /// What signs leaves that are not to be trusted; made when it is first needed.
  var untrusted: UntrustedIssuer?

  /// Makes a minter with a fresh leaf key.
  ///
  /// - Parameters:
  ///   - authority: who signs.
  ///   - previous: who signed before a rotation; devices that do not know `authority` yet may still
  ///     be shown leaves of this one, until it ends.
  ///   - capacity: how many leaves are kept at most, for each CA; the least recently used goes first.
  /// - Throws: `.internal`.
  public init(
    authority: CertificateAuthority,
    previous: CertificateAuthority? = nil,
    capacity: Int
  ) throws(TLSFailure) {
    let key = try PrivateKey.generate(.p256)
    self.keyIdentifier = CertificateAuthority.keyIdentifier(of: key)
    self.key = key
    self.current = Issuer(authority, capacity: capacity)
    self.previous = previous.map { Issuer($0, capacity: capacity) }
  }

  /// The leaf for `host`: from the cache, or made now.
  ///
  /// - Parameters:
  ///   - host: whom it is for, and no other.
  ///   - now: the time.
  ///   - issuer: who is to sign; `.previous` only where `hasPrevious` says that there is one.
  /// - Returns: the leaf.
  /// - Throws: `.certificate` if the CA is not valid at `now`, or may not issue for `host`.
  public func leaf(
    for host: Host,
    at now: WallTime,
    issuer: LeafIssuer = .current
  ) throws(TLSFailure) -> Leaf {
    switch issuer {
    case .current: return try self.leaf(for: host, at: now, by: &self.current)
    case .previous:
      guard var previous = self.previous else {
        throw TLSFailure(.certificate, detail: "there is no CA before this one")
      }
      // Out and back in: an optional's content cannot be passed `inout` past its check.
      defer { self.previous = previous }
      return try self.leaf(for: host, at: now, by: &previous)
    }
  }

  /// Whether the CA may issue a leaf for `host`: see `CertificateAuthority.permits`.
  public func permits(_ host: Host) -> Bool { self.current.authority.permits(host) }

  /// Whether a leaf by the CA before the rotation could be had.
  ///
  /// - Parameters:
  ///   - now: the time; a CA that has ended signs no more.
  ///   - host: whom it would be for, since that CA may have had other limits; nil for anyone.
  /// - Returns: whether `leaf(for:at:issuer: .previous)` has a CA to sign with.
  public func hasPrevious(at now: WallTime, for host: Host? = nil) -> Bool {
    guard let previous = self.previous, previous.isValid(at: now) else { return false }
    return host.map { previous.authority.permits($0) } ?? true
  }

  private func leaf(
    for host: Host,
    at now: WallTime,
    by issuer: inout Issuer
  ) throws(TLSFailure) -> Leaf {
    if let leaf = issuer.cache.leaf(for: host), Self.isFresh(leaf, of: issuer, at: now) {
      return leaf
    }
    guard issuer.isValid(at: now) else {
      throw TLSFailure(
        .certificate,
        detail: "the CA is not valid now, only from \(issuer.start.rfc3339) "
          + "until \(issuer.end.rfc3339)"
      )
    }
    guard issuer.authority.permits(host) else {
      throw TLSFailure(
        .certificate,
        detail: "the CA's name constraints do not permit \(host.description)"
      )
    }
    let leaf = try self.mint(host, at: now, by: issuer)
    issuer.cache.insert(leaf)
    return leaf
  }

  /// Whether a leaf may still be handed out: not within an hour, or a tenth of its life, of its end.
  private static func isFresh(_ leaf: Leaf, of issuer: Issuer, at now: WallTime) -> Bool {
    guard now >= leaf.notBefore, now < leaf.notAfter else { return false }
    // No new leaf would live longer than one that ends with the CA.
    if leaf.notAfter == issuer.end { return true }
    let life = leaf.notAfter.seconds - leaf.notBefore.seconds
    let left = leaf.notAfter.seconds - now.seconds
    return left > max(3_600, life / 10)
  }

  private func mint(_ host: Host, at now: WallTime, by issuer: Issuer) throws(TLSFailure) -> Leaf {
    let name = host.description
    // RFC 5280, ub-common-name: 64. A longer name stands in the subjectAltName alone.
    let fitsCommonName = name.utf8.count <= 64
    let draft = CertificateDraft(
      subject: .entries(fitsCommonName ? [.init(attribute: NID_commonName, value: name)] : []),
      // An hour back, for slow clocks on phones.
      notBefore: max(now.advanced(bySeconds: -3_600), issuer.start),
      notAfter: min(now.advanced(bySeconds: Self.lifetimeSeconds), issuer.end),
      extensions: [
        .endEntity, .digitalSignature, .serverAuthentication,
        .host(host, isCritical: !fitsCommonName),
        .subjectKey(self.keyIdentifier), .authorityKey(issuer.authority.keyIdentifier),
      ]
    )
    let certificate = try draft.signed(
      for: self.key,
      by: issuer.authority.certificate,
      with: issuer.authority.key
    )
    self.mintedCount += 1
    return Leaf(
      host: host,
      certificate: certificate,
      key: self.key,
      chain: issuer.authority.leafChain
    )
  }
}
