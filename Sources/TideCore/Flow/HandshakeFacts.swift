/// One TLS leg once its handshake is over, well or badly.
public struct HandshakeFacts: Sendable {
  /// What is known of a chain's revocation.
  public struct Revocation: Hashable, Sendable {
    /// The answer; the raw value is the name in records.
    public enum Status: String, CaseIterable, Sendable {
      /// Whoever was asked vouches for the leaf.
      case good
      /// A certificate of the chain is revoked.
      case revoked
      /// Nobody who knows was heard.
      case unknown
      /// Nobody was asked: `tls.revocation` is `off`.
      case unchecked
    }

    /// The answer.
    public var status: Status
    /// Who gave it: `staple`, `crl`, `ocsp`, in the order in which they were heard.
    public var sources: [String]
    /// For people: until when it holds, or what was wrong with an answer; empty if there is nothing to say.
    public var detail: String

    /// Joins an answer.
    public init(status: Status, sources: [String] = [], detail: String = "") {
      self.status = status
      self.sources = sources
      self.detail = detail
    }
  }

  /// A signed certificate timestamp (RFC 6962 §3.2), as shown; its signature is not checked.
  public struct CertificateTimestamp: Hashable, Sendable {
    /// The log's id: the SHA-256 of its key.
    public let log: Bytes
    /// When the log took the certificate in.
    public let time: WallTime
    /// Where it was shown: `certificate`, `tls` or `ocsp`.
    public let source: String

    /// Joins a timestamp.
    public init(log: Bytes, time: WallTime, source: String) {
      self.log = log
      self.time = time
      self.source = source
    }
  }

  /// What an upstream showed of itself; absent on the device's leg.
  public struct Peer: Sendable {
    /// The certificates as sent, DER, leaf first; of a resumed session those of its full handshake.
    public var chain: [Bytes] = []
    /// `ok`, or why verification failed.
    public var verification: String?
    /// What is known of the chain's revocation; nil if the handshake did not get so far.
    public var revocation: Revocation?
    /// The timestamps that it showed.
    public var timestamps: [CertificateTimestamp] = []
    /// The subject of the root that the chain was verified to; nil if it was not.
    public var anchor: String?
    /// Whether that root is one of the public ones; nil if that is not known on this machine.
    public var isPublicAnchor: Bool?
    /// Whether it asked for a client certificate.
    public var wantsClientCertificate = false
    /// Whether it was given one (`tls.client_certs`).
    public var gotClientCertificate = false

    /// Knows nothing.
    public init() {}

    /// Whether the chain verified and nobody said that it is revoked.
    public var isTrusted: Bool { self.verification == "ok" && self.revocation?.status != .revoked }
  }

  /// Which side: `upstream` or `downstream`.
  public var leg: String
  /// Such as `TLSv1.3`; empty if the handshake did not get so far.
  public var version: String
  /// The cipher suite's IANA name; empty as for `version`.
  public var cipher: String
  /// The key exchange group, such as `X25519`; nil if there was no key exchange or it is not known.
  public var group: String?
  /// The protocol agreed on by ALPN; nil if none.
  public var applicationProtocol: String?
  /// Whether it went on from an earlier session.
  public var isResumed = false
  /// The JA4 of our own hello; nil on the device's leg, whose hello is an event of its own.
  public var fingerprint: String?
  /// What the upstream showed of itself; nil on the device's leg.
  public var peer: Peer?

  /// Joins what every handshake has.
  public init(leg: String, version: String, cipher: String, applicationProtocol: String?) {
    self.leg = leg
    self.version = version
    self.cipher = cipher
    self.applicationProtocol = applicationProtocol
  }
}
