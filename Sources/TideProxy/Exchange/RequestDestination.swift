import TideCore
import TideHTTP

/// Whom a request names, and what its head becomes for the server.
struct RequestDestination {
  private let target: RequestTarget
  /// Where in an absolute target the path begins; nil if it is empty there, or for other forms.
  private let pathStart: Int?
  /// The target's path and query; `*` for the asterisk form.
  let path: Bytes
  /// The authority of an absolute target, else of Host; nil if neither is there or Host is malformed.
  let named: Authority?
  let hasMalformedHost: Bool

  /// Reads target and Host.
  ///
  /// - Throws: if the target is malformed, or a CONNECT, which has no place inside a route.
  init(_ head: MessageHead, route: Route) throws(HTTPFailure) {
    self.target = try RequestTarget.parse(method: head.method, target: head.target)
    let host = head.fields.first("host")
    let fromHost = host.flatMap {
      Authority($0.text, defaultPort: route.facts.authority.port)
    }
    self.hasMalformedHost = fromHost == nil && host?.isEmpty == false
    switch self.target {
    case .origin(let origin):
      self.path = origin
      self.pathStart = nil
      self.named = fromHost
    case .asterisk:
      self.path = "*"
      self.pathStart = nil
      self.named = fromHost
    case .absolute(_, let authority, let origin):
      self.path = origin
      let start = head.target.count - origin.count
      self.pathStart = start > 0 && head.target.dropping(first: start) == origin ? start : nil
      self.named = authority
    case .authority:
      throw HTTPFailure(.malformedTarget, detail: "CONNECT inside a connection")
    }
  }

  /// The head for the server: origin-form, our version, hop-by-hop fields dropped, a Host.
  func outgoing(_ head: MessageHead, route: Route) -> MessageHead {
    var outgoing = HeadRewrite.forwardable(head, direction: .request)
    outgoing.version = .http11
    if case .absolute = self.target {
      // The path as it stands in `head`, whose bytes redaction may have changed: it keeps lengths.
      let path = self.pathStart.map { head.target.dropping(first: $0) } ?? self.path
      outgoing = HeadRewrite.withTarget(outgoing, path)
      if !route.isSecure, let named = self.named { Self.setHost(named, in: &outgoing) }
    } else if head.fields.first("host") == nil {
      Self.setHost(route.facts.authority, in: &outgoing)
    }
    return outgoing
  }

  /// RFC 9112 §3.2.2: the absolute target decides, and Host is made to agree.
  private static func setHost(_ authority: Authority, in head: inout MessageHead) {
    let text = authority.port == 80 ? Self.withoutPort(authority) : authority.description
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
