/// The versions of HTTP that we speak.
public enum HTTPVersion: Hashable, Sendable {
  /// HTTP/1.0 (RFC 9112 §2.3).
  case http10
  /// HTTP/1.1, or any later minor version.
  case http11
  /// HTTP/2 (RFC 9113).
  case http2
}

/// What an HTTP/2 request says beside its method and path (RFC 9113 §8.3.1, RFC 8441 §4).
///
/// A class, so that heads of HTTP/1, which have none, carry one pointer.
public final class PseudoFields: Sendable {
  /// `:scheme`; nil for a plain CONNECT.
  public let scheme: Bytes?
  /// `:authority`; nil if it was left out, so that Host names the authority.
  public let authority: Bytes?
  /// `:protocol` of an extended CONNECT, such as `websocket`.
  public let protocolName: Bytes?

  /// Joins pseudo-fields.
  public init(scheme: Bytes?, authority: Bytes?, protocolName: Bytes? = nil) {
    self.scheme = scheme
    self.authority = authority
    self.protocolName = protocolName
  }
}

/// The first line of a message.
public enum StartLine: Hashable, Sendable {
  /// A request's method and target, as sent.
  case request(method: Bytes, target: Bytes)
  /// A response's status code (100...999) and reason phrase, which may be empty.
  case response(status: Int, reason: Bytes)
}

/// Everything of a message that comes before its body.
///
/// Copies share what they say, because a head is handed on a dozen times an exchange and rarely changed.
public struct MessageHead: Sendable {
  @usableFromInline final class Contents: Sendable {
    @usableFromInline let start: StartLine
    @usableFromInline let version: HTTPVersion
    @usableFromInline let fields: HeaderFields
    @usableFromInline let raw: Bytes
    @usableFromInline let pseudo: PseudoFields?

    init(
      start: StartLine,
      version: HTTPVersion,
      fields: HeaderFields,
      raw: Bytes,
      pseudo: PseudoFields?
    ) {
      self.start = start
      self.version = version
      self.fields = fields
      self.raw = raw
      self.pseudo = pseudo
    }
  }

  @usableFromInline var contents: Contents

  /// Joins a start line and fields.
  public init(
    start: StartLine,
    version: HTTPVersion = .http11,
    fields: HeaderFields,
    raw: Bytes = Bytes(),
    pseudo: PseudoFields? = nil
  ) {
    self.contents = Contents(
      start: start,
      version: version,
      fields: fields,
      raw: raw,
      pseudo: pseudo
    )
  }

  /// The request line or status line; in HTTP/2 what `:method` and `:path`, or `:status`, say.
  @inlinable public var start: StartLine { self.contents.start }

  /// The sender's version.
  @inlinable public var version: HTTPVersion {
    get { self.contents.version }
    set { if newValue != self.contents.version { self.change(version: newValue) } }
  }

  /// The header section.
  @inlinable public var fields: HeaderFields {
    get { self.contents.fields }
    set { self.change(fields: newValue) }
  }

  /// The head as it came over the wire, blank line included; empty if we made it ourselves.
  ///
  /// In HTTP/2, where the wire is HPACK: the decoded field lines in their order, pseudo-fields too, each as
  /// `name: value` and CRLF, then a blank line.
  @inlinable public var raw: Bytes { self.contents.raw }

  /// The rest of an HTTP/2 request's pseudo-fields; nil for everything else.
  @inlinable public var pseudo: PseudoFields? { self.contents.pseudo }

  @usableFromInline
  mutating func change(version: HTTPVersion? = nil, fields: HeaderFields? = nil) {
    self.contents = Contents(
      start: self.start,
      version: version ?? self.version,
      fields: fields ?? self.fields,
      raw: self.raw,
      pseudo: self.pseudo
    )
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
  /// The trailer section; in HTTP/1 only after a chunked body; never empty.
  case trailers(HeaderFields)
  /// The message is complete.
  case end
}
