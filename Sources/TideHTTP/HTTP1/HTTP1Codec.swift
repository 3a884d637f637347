public import TideCore

/// One side of an HTTP/1 connection (RFC 9112): bytes in, parts out; parts in, bytes out.
///
/// Strict on purpose: what two recipients could read differently is refused, never repaired, and after
/// a failure the receiving half says only that failure again. The halves are independent, but for a
/// response's length, which depends on the request's method: `expectResponse` and `willAnswer`.
///
/// ```
///                 head            body's last byte            next()
///   between ──────────────► body ──────────────────► complete ───────► between
///      │ ▲  └─── head without a body ──────────────────▲
///      └─┘ 1xx
/// ```
///
/// What comes after a message's end stays raw until `next()`: it may be the next request, or a tunnel.
/// It is not bounded here; who reads on while an exchange runs watches `bufferedCount`.
public struct HTTP1Codec: Sendable {
  /// Which side of a connection it is.
  public enum Role: Sendable {
    /// Receives requests, sends responses.
    case server
    /// Receives responses, sends requests.
    case client
  }

  let role: Role
  let bounds: HeadParser.Bounds
  let chunkLineLimit: Int

  var receiving = Receiving.head
  /// What came and is not parsed: of one section, or after the message's end.
  var buffer = Bytes()
  var parser: HeadParser
  /// Client role: for the request whose response comes next.
  var expected: AnsweredMethod?
  /// Whether a `101` may answer: of the request that is expected to be, or is, answered next.
  var mayUpgrade = false
  /// Whether a 1xx was the last head, so that its request still waits.
  var isAfterInformational = false
  /// Whether the one empty line before a request was seen.
  var isAfterEmptyLine = false
  /// Whether a server sent bytes after a response and before another request.
  var hasStrayBytes = false
  var hasEnded = false

  var sending = Sending.head
  /// Server role: for the request that is answered.
  var answered = AnsweredMethod.other

  /// The framing of the message being received: known once its head was emitted.
  public internal(set) var receivedFraming = BodyFraming.none
  /// The framing of the message being sent: known once its head was sent.
  ///
  /// After `.end` of a message `.untilClose`, the caller has to close: nothing else can be sent.
  public internal(set) var sentFraming = BodyFraming.none

  /// Makes a codec for a new connection.
  public init(role: Role, limits: Limits) {
    self.role = role
    self.bounds = HeadParser.Bounds(bytes: limits.headBytes, fields: limits.headFields)
    self.chunkLineLimit = limits.chunkLineBytes
    self.parser = HeadParser(role == .server ? .request : .response)
  }

  /// Parses on up to the current message's end; what comes after that is kept for `next`.
  ///
  /// Body parts are slices of `bytes`. Parts that were found before a failure are there as well.
  ///
  /// - Throws: what is wrong with the bytes; the same again from then on.
  public mutating func receive(
    _ bytes: Bytes,
    _ parts: inout [MessagePart]
  ) throws(HTTPFailure) {
    if case .failed(let failure) = self.receiving { throw failure }
    self.buffer.append(bytes)
    try self.advance(&parts)
  }

  /// Starts the next message with the leftover bytes; to be called when an exchange is over.
  ///
  /// Does nothing unless the current message is complete.
  ///
  /// - Throws: as `receive`; `.unexpectedBytes` if a server had sent more before it was asked.
  public mutating func next(_ parts: inout [MessagePart]) throws(HTTPFailure) {
    if case .failed(let failure) = self.receiving { throw failure }
    guard case .complete = self.receiving else { return }
    self.receivedFraming = .none
    self.isAfterEmptyLine = false
    self.startHead()
    // A response that was sent in advance would answer the wrong request.
    if self.hasStrayBytes { throw self.failed(Self.strayBytes) }
    try self.advance(&parts)
    if self.hasEnded { try self.receiveEnd(&parts) }
  }

  /// Takes note that the peer closed: ends a close-delimited response.
  ///
  /// - Throws: `.truncated` in the middle of a message; nothing between messages, even if a response
  ///   was expected.
  public mutating func receiveEnd(_ parts: inout [MessagePart]) throws(HTTPFailure) {
    self.hasEnded = true
    switch self.receiving {
    case .failed(let failure): throw failure
    case .complete: return
    case .untilClose: self.finish(&parts)
    case .head where self.isBetweenMessages: return
    case .head, .length, .chunked, .trailers:
      throw self.failed(HTTPFailure(.truncated, detail: "closed before the message's end"))
    }
  }

  /// Client role: names the method of the request that the next response answers.
  ///
  /// To be called once for each request before any byte of its response comes. One response at a time.
  /// With `mayUpgrade`, a `101` to it ends HTTP: what follows is given out as content, as it comes.
  public mutating func expectResponse(toMethod method: Bytes, mayUpgrade: Bool = false) {
    self.expected = AnsweredMethod(method)
    self.mayUpgrade = mayUpgrade
    if case .complete = self.receiving, !self.buffer.isEmpty { self.hasStrayBytes = true }
  }

  /// Server role: names the method of the request that the next final response answers.
  public mutating func willAnswer(method: Bytes) {
    self.answered = AnsweredMethod(method)
    self.mayUpgrade = false
  }

  /// Server role: lets a `101` answer, after which the connection is not HTTP any more.
  public mutating func willUpgrade() { self.mayUpgrade = true }

  /// The number of bytes that came and were not given out.
  public var bufferedCount: Int { self.buffer.count }

  /// Takes the raw bytes after a complete message, as after CONNECT; empty in the middle of one.
  public mutating func takeLeftover() -> Bytes {
    guard case .complete = self.receiving else { return Bytes() }
    let leftover = self.buffer
    self.buffer = Bytes()
    self.hasStrayBytes = false
    return leftover
  }

  /// Whether nothing of a next message has come.
  public var isBetweenMessages: Bool {
    switch self.receiving {
    case .head: self.buffer.isEmpty && !self.isAfterInformational
    case .complete: self.buffer.isEmpty
    case .length, .chunked, .trailers, .untilClose, .failed: false
    }
  }

  /// Whether some but not all of a head has come.
  public var isMidHead: Bool {
    if case .head = self.receiving { return !self.buffer.isEmpty }
    return false
  }
}
