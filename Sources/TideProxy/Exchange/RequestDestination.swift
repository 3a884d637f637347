import TideCore
import TideHTTP

/// Whom a request names, and what its head becomes for the server.
struct RequestDestination {
  private let target: RequestTarget
  /// Where in the target the path begins, or the query if `addsSlash`; nil if it has neither.
  private let pathStart: Int?
  /// Whether an absolute target has no path, so that its origin-form has a slash of ours.
  private let addsSlash: Bool
  /// The target's path and query; `*` for the asterisk form.
  let path: Bytes
  /// The authority of an absolute target, else of Host; nil if neither is there or Host is malformed.
  let named: Authority?
  let hasMalformedHost: Bool
  /// Whether there is a Host field, be it empty.
  let hasHost: Bool

  /// Reads target and Host.
  ///
  /// - Throws: if the target is malformed, or a CONNECT, which has no place inside a route.
  init(_ head: MessageHead, route: Route) throws(HTTPFailure) {
    self.hasHost = head.fields.firstIndex(named: "host") != nil
    if head.version == .http2 {
      // The codec has checked the pseudo-fields, and that Host agrees with them (RFC 9113 §8.3.1).
      self.target = .origin(head.target)
      self.path = head.target
      self.pathStart = nil
      self.addsSlash = false
      let field = head.pseudo?.authority ?? head.fields.first("host")
      self.named = field.flatMap { route.authority(ofHost: $0) }
      self.hasMalformedHost = self.named == nil
      return
    }
    self.target = try RequestTarget.parse(method: head.method, target: head.target)
    let host = head.fields.first("host")
    let fromHost = host.flatMap { route.authority(ofHost: $0) }
    self.hasMalformedHost = fromHost == nil && host?.isEmpty == false
    switch self.target {
    case .origin(let origin):
      self.path = origin
      self.pathStart = nil
      self.addsSlash = false
      self.named = fromHost
    case .asterisk:
      self.path = "*"
      self.pathStart = nil
      self.addsSlash = false
      self.named = fromHost
    case .absolute(_, let authority, let origin):
      self.path = origin
      let hasPath =
        head.target.count > origin.count
        && head.target.dropping(first: head.target.count - origin.count) == origin
      self.addsSlash = !hasPath && origin.first == 0x2F
      let shared = self.addsSlash ? origin.count - 1 : hasPath ? origin.count : 0
      self.pathStart = shared > 0 ? head.target.count - shared : nil
      self.named = authority
    case .authority:
      throw HTTPFailure(.malformedTarget, detail: "CONNECT inside a connection")
    }
  }

  /// The head for the server: origin-form, our version, hop-by-hop fields dropped, a Host.
  func outgoing(_ head: MessageHead, route: Route, keepsUpgrade: Bool = false) -> MessageHead {
    var outgoing = HeadRewrite.forwardable(head, direction: .request, keepsUpgrade: keepsUpgrade)
    if head.version == .http2 { return outgoing }
    outgoing.version = .http11
    if case .absolute = self.target {
      // The path as it stands in `head`, whose bytes redaction may have changed: it keeps lengths.
      var path = self.path
      if let pathStart {
        path = self.addsSlash ? "/" : Bytes()
        path.append(head.target.dropping(first: pathStart))
      }
      outgoing = HeadRewrite.withTarget(outgoing, path)
      if let named = self.named { Self.setHost(named, route.isSecure ? 443 : 80, in: &outgoing) }
    } else if head.fields.first("host") == nil {
      let shown = Authority(host: route.leafHost, port: route.facts.authority.port)
      Self.setHost(shown, route.isSecure ? 443 : 80, in: &outgoing)
    }
    return outgoing
  }

  /// RFC 9112 §3.2.2: the absolute target decides, and Host is made to agree.
  private static func setHost(
    _ authority: Authority,
    _ defaultPort: UInt16,
    in head: inout MessageHead
  ) {
    let text = authority.port == defaultPort ? Self.withoutPort(authority) : authority.description
    if let index = head.fields.firstIndex(named: "host") {
      guard head.fields.value(at: index) != Bytes(text) else { return }
      head.fields.replaceValue(at: index, with: Bytes(text))
    } else {
      head.fields.append(name: "Host", value: Bytes(text))
    }
  }

  /// The host as it stands in a URL, with brackets around IPv6.
  static func withoutPort(_ authority: Authority) -> String {
    String(authority.description.dropLast(String(authority.port).count + 1))
  }
}
