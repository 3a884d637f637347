public import TideCore

/// What may be asked about a certificate's revocation, and of whom.
public struct RevocationQuery: Hashable, Sendable {
  /// Where: `http://host[:port]/path`, in visible ASCII.
  public let url: String
  /// The body of a POST (RFC 6960 appendix A.1, `application/ocsp-request`); nil for a CRL, which is
  /// got by GET.
  public let ocspRequest: Bytes?
  /// By what to keep the answer: 64 hexadecimal digits, the same for the same question to whomever.
  public let cacheName: String
  /// Which certificate of the path it is about.
  let depth: Int

  /// The most bytes of an answer that are read, in the body; a longer one is unusable.
  ///
  /// An OCSP answer for one certificate has some 2 KB; public CRLs have up to a few MB.
  public var largestAnswer: Int { self.ocspRequest == nil ? 8 << 20 : 64 << 10 }
}

/// What an answer says.
public enum RevocationAnswer: Hashable, Sendable {
  /// The certificate is not revoked; may be kept, and relied on, until then.
  case good(until: WallTime)
  /// The certificate is revoked: since when and why, for people.
  case revoked(String)
  /// Nothing that could be relied on: why, for people. It must not be kept.
  case unusable(String)
}
