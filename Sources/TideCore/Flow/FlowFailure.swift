/// Why a flow or a connection ended other than by its own protocol.
public struct FlowFailure: Error, Hashable, Sendable {
  /// What went wrong; the raw value is the name in records.
  public enum Code: String, CaseIterable, Sendable {
    /// The message is not HTTP/1, or breaks its grammar.
    case malformedMessage = "malformed-message"
    /// Two parsers could frame the message differently.
    case ambiguousFraming = "ambiguous-framing"
    /// A head is over its limit.
    case headTooLarge = "head-too-large"
    /// A request target that is not one.
    case malformedTarget = "malformed-target"
    /// The name does not resolve.
    case nameNotFound = "name-not-found"
    /// The resolver did not answer in time or failed.
    case resolverFailed = "resolver-failed"
    /// The server refused or reset the connection attempt.
    case connectionRefused = "connection-refused"
    /// The server did not accept in time.
    case connectTimeout = "connect-timeout"
    /// The peer of the connection is not the address that was decided on.
    case wrongPeer = "wrong-peer"
    /// The upstream's certificate is not to be trusted.
    case untrustedUpstream = "untrusted-upstream"
    /// The upstream's TLS handshake failed otherwise.
    case upstreamHandshake = "upstream-handshake"
    /// The client gave up or broke the TLS handshake; often a pinned certificate.
    case clientHandshake = "client-handshake"
    /// The hello is malformed, endless or late.
    case badHello = "bad-hello"
    /// The connection or a message was cut before its end.
    case truncated
    /// Nothing came for too long.
    case idleTimeout = "idle-timeout"
    /// The server did not answer in time.
    case responseTimeout = "response-timeout"
    /// A destination of special use that is not in `upstream.allow_special_use`.
    case specialUse = "special-use"
    /// The destination is this proxy.
    case loop
    /// A rule blocked it.
    case blockedByRule = "blocked-by-rule"
    /// A rule whose `how` is `refuse` blocked its CONNECT.
    case refusedByRule = "refused-by-rule"
    /// A Host that is not this connection's.
    case misdirected
    /// A server name that is not the CONNECT name.
    case fronting
    /// Redaction could not be done soundly, and the rule says block.
    case notRedactable = "not-redactable"
    /// The proxy wants to know who the device is, and was not told (RFC 9110 §11.7).
    case authenticationRequired = "authentication-required"
    /// What cannot be inspected does not go to a region that a rule names.
    case opaque
    /// A limit of ours was reached.
    case overLimit = "over-limit"
    /// The proxy is stopping.
    case shutdown
    /// A mistake of ours.
    case internalError = "internal-error"
  }

  /// Whose failure it is.
  public enum Origin: String, Sendable {
    /// The device's side.
    case downstream
    /// The server's side.
    case upstream
    /// Ours.
    case `internal`
  }

  /// What went wrong.
  public let code: Code
  /// Whose failure it is.
  public let origin: Origin
  /// For people: one clause, at most 64 bytes of a peer's input, no payload.
  public let detail: String

  /// Joins a failure.
  public init(_ code: Code, origin: Origin, detail: String) {
    self.code = code
    self.origin = origin
    self.detail = detail
  }
}
