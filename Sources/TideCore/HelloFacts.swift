/// What a ClientHello says before it is answered (RFC 8446 §4.1.2).
public struct HelloFacts: Sendable {
  /// The server name asked for (RFC 6066 §3), canonical; nil if there is none.
  public let serverName: Hostname?
  /// Whether there is a server name that is not a legal host name.
  public let hasMalformedServerName: Bool
  /// The protocols offered (RFC 7301), in the client's order; empty if the extension is absent.
  public let applicationProtocols: [String]
  /// The TLS versions offered, as on the wire (0x0304 is TLS 1.3), GREASE left out.
  public let versions: [UInt16]
  /// Whether the encrypted_client_hello extension is there, real or GREASE.
  public let hasEncryptedHello: Bool
  /// Its JA4 fingerprint; empty where it was not computed.
  public let fingerprint: String
  /// The hello as it came: whole TLS records, for the record and for the TLS library.
  public let raw: Bytes

  /// Joins what was read from a hello.
  public init(
    serverName: Hostname?,
    hasMalformedServerName: Bool = false,
    applicationProtocols: [String],
    versions: [UInt16],
    hasEncryptedHello: Bool = false,
    fingerprint: String = "",
    raw: Bytes
  ) {
    self.serverName = serverName
    self.hasMalformedServerName = hasMalformedServerName
    self.applicationProtocols = applicationProtocols
    self.versions = versions
    self.hasEncryptedHello = hasEncryptedHello
    self.fingerprint = fingerprint
    self.raw = raw
  }
}
