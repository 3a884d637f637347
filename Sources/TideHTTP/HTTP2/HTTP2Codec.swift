import CNghttp2
public import TideCore

/// One side of an HTTP/2 connection (RFC 9113), without I/O: bytes and commands in, bytes and events out.
///
/// nghttp2 frames, compresses and keeps windows; what a message may say is `FieldValidation`'s, and how
/// much that moves nothing forward a peer may send is `FrameBudget`'s.
///
/// Confined to one loop. Bytes of the peer go into `receive`; what the peer is owed comes out of
/// `takeOutput`, after `receive`, after each thing sent, and after a failure too: that is where the
/// GOAWAY is. What is sent on a stream that is gone does nothing: its `.reset` is among the events.
///
/// ```
///            a connection error, a flood
///   open ──────────────────────────────────► failed
///     └── goAway(code) ─► ended
/// ```
@safe public final class HTTP2Codec {
  /// Which side of a connection it is.
  public enum Role: Sendable {
    /// Of a device: receives requests.
    case server
    /// Of an upstream: sends requests.
    case client
  }

  /// How far the connection has come.
  enum State {
    case open
    /// We said GOAWAY with an error; nothing more is read.
    case ended
    case failed(HTTPFailure)
  }

  let role: Role
  let limits: Limits
  let session: OpaquePointer
  var state = State.open
  /// Whether nghttp2 may be called; after a fatal error of its own it may only be freed.
  var isSessionUsable = true

  private(set) var streams: [StreamID: HTTP2Stream] = [:]
  /// The stream that was looked up last: the next look-up is mostly for the same.
  private var recentStream: HTTP2Stream?
  /// Client role: how many requests have not left.
  var waitingStreams = 0
  /// The highest stream of the peer's that we looked at.
  var lastStream = StreamID(0)
  var hasReceivedGoAway = false
  var hasSentGoAway = false
  var allowsExtendedConnect = false

  var scanner: FrameScanner
  var assembly: HeadAssembly
  var idleFrames: FrameBudget
  var resets: FrameBudget
  /// How many RST_STREAM of our own wait to be serialised: all others are nghttp2's, for errors.
  var ownResets = 0
  /// Why the connection has to end, found inside a callback, from which nghttp2 should not be ended.
  var violation: FrameScanner.Violation?

  /// What `receive` was given, to slice content from; empty outside of it.
  var input = Bytes()
  var inputStart: UnsafeRawPointer?
  /// Content that was received and not yet consumed.
  var unconsumed = 0
  /// The caller's events while a callback may add to them.
  var events: [HTTP2Event] = []

  /// Serialised and not taken; while output is taken, the caller's own buffer.
  var output: [UInt8] = []
  /// Where `takeOutput` stops.
  var outputEnd = 0
  /// Whether only control frames are wanted: content waits for `takeOutput`.
  var isFlushing = false
  /// Frames that answer the peer's, serialised since the last `takeOutput`.
  var untakenReplies = 0
  /// Room for the name and value pairs of one head, kept between heads.
  var pairs = Pairs()

  /// Makes a codec for a new connection; its preface and settings are in the output.
  ///
  /// - Throws: `.unsupported` if memory is exhausted or a limit is none that HTTP/2 can have.
  public init(role: Role, limits: Limits) throws(HTTPFailure) {
    let bounds = HeadParser.Bounds(bytes: limits.headBytes, fields: limits.headFields)
    self.role = role
    self.limits = limits
    self.scanner = FrameScanner(role: role)
    self.assembly = HeadAssembly(bounds: bounds)
    self.idleFrames = FrameBudget(
      burst: limits.idleFrameBurst,
      perSecond: limits.idleFramesPerSecond
    )
    self.resets = FrameBudget(burst: limits.resetBurst, perSecond: limits.resetsPerSecond)
    guard let session = unsafe Nghttp2Session.make(role) else {
      throw HTTPFailure(.unsupported, detail: "no HTTP/2 session")
    }
    unsafe self.session = session
    unsafe nghttp2_session_set_user_data(session, Unmanaged.passUnretained(self).toOpaque())
    guard unsafe Nghttp2Session.configure(session, role, limits) else {
      throw HTTPFailure(.unsupported, detail: "limits that HTTP/2 cannot have")
    }
    // Now, so that a server's preface is first even if the first bytes already fail.
    self.flush()
  }

  deinit { unsafe nghttp2_session_del(self.session) }

  // MARK: Connection

  /// Whether there is something for `takeOutput`.
  public var hasOutput: Bool {
    guard self.output.isEmpty else { return true }
    return unsafe self.isSessionUsable && nghttp2_session_want_write(self.session) != 0
  }

  /// How many streams are not closed, requests that wait for room at the server included.
  public var openStreams: Int { self.streams.count }

  /// Whether there is nothing more to read or write: the connection can be closed.
  public var isOver: Bool {
    guard self.output.isEmpty else { return false }
    switch self.state {
    case .failed: return true
    case .open, .ended: break
    }
    return unsafe nghttp2_session_want_read(self.session) == 0
      && nghttp2_session_want_write(self.session) == 0
  }

  /// Whether a header block has begun and not ended: its sender must not take for ever.
  public var isMidHead: Bool { self.scanner.isMidHead }

  /// Client role: whether `open` can be called.
  ///
  /// False once either side said GOAWAY, or when as many requests wait as `limits.streams`.
  public var canOpen: Bool {
    switch (self.role, self.state) {
    case (.server, _), (_, .failed), (_, .ended): false
    case (.client, .open):
      !self.hasReceivedGoAway && !self.hasSentGoAway && self.waitingStreams < self.limits.streams
    }
  }

  /// How many bytes given to `sendBody` for `stream` have not left.
  public func queued(on stream: StreamID) -> Int { self.stream(stream)?.queue.count ?? 0 }

  /// Ends the connection: no new stream is taken.
  ///
  /// - Parameter code: `.noError` lets the streams go on that are there; with any other they are gone,
  ///   without events, and nothing more is read or written but the GOAWAY.
  public func goAway(_ code: HTTP2ErrorCode) {
    guard case .open = self.state else { return }
    self.hasSentGoAway = true
    guard code != .noError else {
      let last = unsafe nghttp2_session_get_last_proc_stream_id(self.session)
      unsafe nghttp2_submit_goaway(self.session, 0, last, code.rawValue, nil, 0)
      return
    }
    self.state = .ended
    self.forgetAll()
    unsafe nghttp2_session_terminate_session(self.session, code.rawValue)
  }

  /// Server role: offers extended CONNECT (RFC 8441 §3), in a SETTINGS frame of its own.
  public func allowExtendedConnect() {
    guard case .open = self.state, self.role == .server, !self.allowsExtendedConnect else { return }
    self.allowsExtendedConnect = true
    var setting = nghttp2_settings_entry(
      settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL.rawValue),
      value: 1
    )
    unsafe nghttp2_submit_settings(self.session, 0, &setting, 1)
  }

  // MARK: Streams

  /// Resets a stream and drops what is queued for it; does nothing if it is gone.
  public func reset(_ stream: StreamID, _ code: HTTP2ErrorCode) {
    guard let gone = self.forget(stream) else { return }
    self.ownResets += 1
    unsafe nghttp2_submit_rst_stream(self.session, 0, gone.id.number, code.rawValue)
  }

  /// Gives back the flow-control credit of received content that went on, or was dropped.
  ///
  /// On the stream, unless it is closed, and on the connection.
  public func consumed(_ count: Int, on stream: StreamID) {
    let returned = min(count, self.unconsumed)
    guard returned > 0, self.isSessionUsable else { return }
    self.unconsumed -= returned
    unsafe nghttp2_session_consume(self.session, stream.number, returned)
  }

  /// Gives back credit on the connection alone, or on the stream alone, of what `consumed` was not told of.
  ///
  /// What one stream keeps for long can so be kept from taking the room of all the others.
  public func consumed(connection: Int, stream count: Int, on stream: StreamID) {
    guard self.isSessionUsable else { return }
    let returned = min(connection, self.unconsumed)
    if returned > 0 {
      self.unconsumed -= returned
      unsafe nghttp2_session_consume_connection(self.session, returned)
    }
    if count > 0 { unsafe nghttp2_session_consume_stream(self.session, stream.number, count) }
  }

  /// Finds a stream that is not closed.
  func stream(_ id: StreamID) -> HTTP2Stream? {
    if let recent = self.recentStream, recent.id == id { return recent }
    guard let stream = self.streams[id] else { return nil }
    self.recentStream = stream
    return stream
  }

  /// Puts a new stream into the table.
  func add(_ stream: HTTP2Stream) {
    self.streams[stream.id] = stream
    self.recentStream = stream
  }

  /// Takes a stream out of the table: no more events come of it.
  func forget(_ id: StreamID) -> HTTP2Stream? {
    self.recentStream = nil
    guard let stream = self.streams.removeValue(forKey: id) else { return nil }
    if stream.isWaiting { self.waitingStreams -= 1 }
    return stream
  }

  private func forgetAll() {
    self.recentStream = nil
    self.streams = [:]
    self.waitingStreams = 0
  }

  // MARK: Failure

  /// Ends the connection for what the peer did.
  func end(_ violation: FrameScanner.Violation) {
    guard case .open = self.state else { return }
    self.violation = violation
    unsafe nghttp2_session_terminate_session(self.session, violation.code.rawValue)
    self.flush()
    self.fail(violation.failure)
  }

  /// Ends the connection for a fatal error of nghttp2's, whose session then has no GOAWAY to give.
  func failFatally(_ error: Int) {
    guard self.isSessionUsable else { return }
    self.isSessionUsable = false
    let (code, failure) = Nghttp2Session.failure(ofFatal: error)
    self.fail(failure)
    self.output.append(contentsOf: [0, 0, 8, FrameType.goAway, 0, 0, 0, 0, 0])
    for number in [UInt32(bitPattern: self.lastStream.number), code.rawValue] {
      for shift in [24, 16, 8, 0] as [UInt32] {
        self.output.append(UInt8(truncatingIfNeeded: number >> shift))
      }
    }
  }

  /// Notes the first failure; nothing that came before it is forgotten but the streams.
  func fail(_ failure: HTTPFailure) {
    if case .failed = self.state { return }
    self.state = .failed(failure)
    self.forgetAll()
  }
}
