/// The versions of HTTP/1 that we speak (RFC 9112 §2.3).
public enum HTTPVersion: Hashable, Sendable {
  /// HTTP/1.0.
  case http10
  /// HTTP/1.1, or any later minor version.
  case http11
}

/// The first line of a message.
public enum StartLine: Hashable, Sendable {
  /// A request's method and target, as sent.
  case request(method: Bytes, target: Bytes)
  /// A response's status code (100...999) and reason phrase, which may be empty.
  case response(status: Int, reason: Bytes)
}

/// Everything of a message that comes before its body.
public struct MessageHead: Sendable {
  /// The request line or status line.
  public var start: StartLine
  /// The sender's version.
  public var version: HTTPVersion
  /// The header section.
  public var fields: HeaderFields
  /// The head as it came over the wire, blank line included; empty if we made it ourselves.
  public var raw: Bytes

  /// Joins a start line and fields.
  public init(
    start: StartLine,
    version: HTTPVersion = .http11,
    fields: HeaderFields,
    raw: Bytes = Bytes()
  ) {
    self.start = start
    self.version = version
    self.fields = fields
    self.raw = raw
  }

  /// The request's method; empty for a response.
  public var method: Bytes {
    if case .request(let method, _) = self.start { return method }
    return Bytes()
  }

  /// The request's target as sent; empty for a response.
  public var target: Bytes {
    if case .request(_, let target) = self.start { return target }
    return Bytes()
  }

  /// The response's status; 0 for a request.
  public var status: Int {
    if case .response(let status, _) = self.start { return status }
    return 0
  }
}

/// A piece of a message, in order: a head, body bytes, perhaps trailers, the end.
public enum MessagePart: Sendable {
  /// The message begins. An informational (1xx) response is a head with no end of its own.
  case head(MessageHead)
  /// The next bytes of the content, without transfer coding; never empty.
  case body(Bytes)
  /// The trailer section; only after a chunked body, and never empty.
  case trailers(HeaderFields)
  /// The message is complete.
  case end
}
