public import TideCore

/// A request that the proxy answers itself.
public struct LocalRequest: Sendable {
  /// The request's head.
  public let head: MessageHead
  /// The target's path and query.
  public let path: Bytes
  /// The host asked for, without port; empty if there is none.
  public let host: String
  /// The client's address.
  public let client: IPAddress
  /// Whether it came through the proxy (absolute-form or a tunnel), not to it.
  public let isThroughProxy: Bool
  /// Whether it came inside TLS under a leaf of ours, so that the device trusts our certificate.
  public let isSecure: Bool

  /// Joins a request.
  public init(
    head: MessageHead,
    path: Bytes,
    host: String,
    client: IPAddress,
    isThroughProxy: Bool,
    isSecure: Bool
  ) {
    self.head = head
    self.path = path
    self.host = host
    self.client = client
    self.isThroughProxy = isThroughProxy
    self.isSecure = isSecure
  }
}

/// A whole answer of ours.
public struct LocalResponse: Sendable {
  /// The status code.
  public let status: Int
  /// Fields, Content-Length left out: it is the body's.
  public let fields: [(String, String)]
  /// The content; not sent in answer to HEAD.
  public let body: Bytes

  /// Joins an answer.
  public init(status: Int, fields: [(String, String)], body: Bytes) {
    self.status = status
    self.fields = fields
    self.body = body
  }
}

/// Why the proxy answers in a server's place.
public struct Notice: Sendable {
  /// The status code that it will have.
  public let status: Int
  /// What happened.
  public let failure: FlowFailure
  /// The rule that decided, if one did.
  public let rule: RuleID?
  /// The rule's own words.
  public let ruleDescription: String
  /// What the device asked for.
  public let authority: String
  /// The region concerned, if any.
  public let region: String?
  /// The request's fields, for its language and the media types it accepts.
  public let fields: HeaderFields

  /// Joins a notice.
  public init(
    status: Int,
    failure: FlowFailure,
    rule: RuleID?,
    ruleDescription: String,
    authority: String,
    region: String?,
    fields: HeaderFields
  ) {
    self.status = status
    self.failure = failure
    self.rule = rule
    self.ruleDescription = ruleDescription
    self.authority = authority
    self.region = region
    self.fields = fields
  }
}

/// Whoever answers for the proxy itself: the onboarding pages and the pages that name a cause.
public protocol LocalSite: Sendable {
  /// Whether the host is one of the proxy's own names, which never leave it.
  func isOwn(_ host: Hostname) -> Bool
  /// Answers a request for the proxy itself.
  func respond(to request: LocalRequest) -> LocalResponse
  /// Answers in a server's place.
  func page(for notice: Notice) -> LocalResponse
  /// A client ended a TLS handshake because of our certificate.
  func clientRejectedCertificate(_ client: IPAddress)
}
