public import TideCore

/// A request target in one of its four forms (RFC 9112 §3.2).
public enum RequestTarget: Hashable, Sendable {
  /// `host:port`: what CONNECT asks for, and nothing else does.
  case authority(Authority)
  /// A URI: what a client asks a proxy for.
  ///
  /// `scheme` is `http` or `https`; `origin` is what to ask the server for: the path with its query,
  /// `/` for an empty path, or `*` for OPTIONS with neither (RFC 9112 §3.2.4).
  case absolute(scheme: String, authority: Authority, origin: Bytes)
  /// A path with its query: what a client asks a server for.
  case origin(Bytes)
  /// `*`: what OPTIONS asks of the server itself.
  case asterisk

  /// Reads the target of a request with `method`.
  ///
  /// - Throws: `.malformedTarget` if it is in no form that goes with the method, or has a fragment or
  ///   userinfo; `.unsupported` for a URI of another scheme.
  public static func parse(method: Bytes, target: Bytes) throws(HTTPFailure) -> RequestTarget {
    // Nothing that a sane client sends: a server might cut there, or answer for what is behind it.
    guard !target.isEmpty, !target.contains(0x23), target.allSatisfy(Octet.isTargetText) else {
      throw self.malformed("an octet that no target has", target)
    }
    if AnsweredMethod(method) == .connect {
      guard let authority = Authority(utf8: target, defaultPort: nil) else {
        throw self.malformed("not a host and port", target)
      }
      return .authority(authority)
    }
    let isOptions = method.count == 7 && method.elementsEqual("OPTIONS".utf8)
    if target[0] == 0x2F { return .origin(target) }
    if target.count == 1, target[0] == 0x2A, isOptions { return .asterisk }
    return try self.readAbsolute(target, isOptions: isOptions)
  }

  private static func readAbsolute(
    _ target: Bytes,
    isOptions: Bool
  ) throws(HTTPFailure) -> RequestTarget {
    guard let colon = target.firstIndex(of: Octet.colon),
      target.dropping(first: colon).starts(with: "://".utf8)
    else { throw self.malformed("not a URI", target) }
    let scheme = target.slice(0..<colon)
    let defaultPort: UInt16
    if scheme.isText("http") {
      defaultPort = 80
    } else if scheme.isText("https") {
      defaultPort = 443
    } else {
      throw HTTPFailure(.unsupported, "a scheme", quoting: scheme)
    }
    let rest = target.dropping(first: colon + 3)
    let end = rest.firstIndex { $0 == 0x2F || $0 == 0x3F } ?? rest.count
    guard let authority = Authority(utf8: rest.slice(0..<end), defaultPort: defaultPort) else {
      throw self.malformed("not a host", rest.slice(0..<end))
    }
    var origin = rest.dropping(first: end)
    if origin.isEmpty {
      origin = isOptions ? "*" : "/"
    } else if origin[0] == 0x3F {
      origin = "/"
      origin.append(rest.dropping(first: end))
    }
    let name = defaultPort == 80 ? "http" : "https"
    return .absolute(scheme: name, authority: authority, origin: origin)
  }

  /// Quotes nothing that may hold a password.
  private static func malformed(_ clause: String, _ bytes: Bytes) -> HTTPFailure {
    guard !bytes.contains(0x40) else { return HTTPFailure(.malformedTarget, detail: clause) }
    return HTTPFailure(.malformedTarget, clause, quoting: bytes)
  }
}
