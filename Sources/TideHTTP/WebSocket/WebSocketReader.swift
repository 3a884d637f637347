public import TideCore

/// Reads one direction's frames (RFC 6455 §5.2) as they come, split anywhere.
///
/// A data frame is never buffered: what is held back is an unfinished header, at most 13 bytes, or an
/// unfinished control frame, at most 130. After a failure it stays failed, after a close frame it reads
/// nothing more.
public struct WebSocketReader: Sendable {
  /// Who sends what is read.
  public enum Sender: Hashable, Sendable {
    /// The side that asked for the WebSocket: its frames are masked.
    case client
    /// The other: its frames are not.
    case server
  }

  //  betweenFrames ──header──▶ inFrame ──last byte──▶ betweenFrames ──close frame──▶ closed
  //        └──────────────────────┴─── whatever is wrong ──▶ failed
  private enum State {
    case betweenFrames(held: Bytes)
    case inFrame(Frame)
    case closed
    case failed(WebSocketFailure)
  }

  /// What of a data frame is still to come.
  private struct Frame {
    var remaining: UInt64
    var mask: WebSocketMask?
    let isFinal: Bool
  }

  /// The message that has begun and not ended.
  private struct Message {
    let kind: SocketMessage.Kind
    /// Text that is compressed is for whoever decompresses it to check.
    var text: UTF8Validator?
  }

  private let sender: Sender
  private let allowsCompression: Bool
  private var state = State.betweenFrames(held: Bytes())
  private var message: Message?

  /// Makes a reader of one direction of one WebSocket.
  ///
  /// - Parameters:
  ///   - sender: who sends what is read.
  ///   - allowsCompression: whether permessage-deflate was agreed on.
  public init(from sender: Sender, allowsCompression: Bool) {
    self.sender = sender
    self.allowsCompression = allowsCompression
  }

  /// Whether no message, frame or header has begun that has not ended.
  public var isBetweenMessages: Bool {
    guard self.message == nil else { return false }
    return switch self.state {
    case .betweenFrames(let held): held.isEmpty
    case .inFrame: false
    case .closed: true
    case .failed: false
    }
  }

  /// Whether a close frame has come.
  public var hasClosed: Bool {
    if case .closed = self.state { true } else { false }
  }

  /// Reads the next bytes and adds what they complete to `pieces`.
  ///
  /// What came before a failure is in `pieces` when it throws. Bytes after a close frame are dropped: no
  /// piece has them.
  ///
  /// - Throws: `.protocolError`, or `.invalidText` for a text message that is not compressed and not
  ///   UTF-8; again at every later call.
  public mutating func receive(
    _ bytes: Bytes,
    _ pieces: inout [WebSocketPiece]
  ) throws(WebSocketFailure) {
    do throws(WebSocketFailure) {
      try self.read(bytes, &pieces)
    } catch {
      self.state = .failed(error)
      throw error
    }
  }

  private mutating func read(
    _ bytes: Bytes,
    _ pieces: inout [WebSocketPiece]
  ) throws(WebSocketFailure) {
    var at = 0
    while true {
      switch self.state {
      case .failed(let failure): throw failure
      case .closed: return
      case .betweenFrames(let held):
        guard at < bytes.count else { return }
        if held.isEmpty {
          guard let count = try self.beginFrame(bytes, at: at, &pieces) else {
            // A copy, so that a few bytes do not keep a whole read alive.
            self.state = .betweenFrames(held: Bytes(bytes.dropping(first: at).array))
            return
          }
          at += count
        } else {
          // Enough for the longest header and for the longest control frame.
          let wanted = WebSocketFrameHeader.largest + WebSocketFrameHeader.largestControl
          var whole = held
          whole.append(bytes.slice(at..<min(bytes.count, at + wanted)))
          guard let count = try self.beginFrame(whole, at: 0, &pieces) else {
            self.state = .betweenFrames(held: whole)
            return
          }
          at += count - held.count
        }
      case .inFrame(let frame):
        guard at < bytes.count || frame.remaining == 0 else { return }
        at = try self.readPayload(frame, bytes, at: at, &pieces)
      }
    }
  }

  /// Reads a data frame's header or a whole control frame and returns its size; nil if it is not all there.
  private mutating func beginFrame(
    _ bytes: Bytes,
    at start: Int,
    _ pieces: inout [WebSocketPiece]
  ) throws(WebSocketFailure) -> Int? {
    let header = try bytes.withSpan { span throws(WebSocketFailure) in
      try WebSocketFrameHeader.parse(
        span,
        at: start,
        isMasked: self.sender == .client,
        allowsCompression: self.allowsCompression
      )
    }
    guard let header else { return nil }
    let headerEnd = start + header.count
    if let kind = header.opcode.kind, header.opcode.isControl {
      let end = headerEnd + Int(header.payloadLength)
      guard end <= bytes.count else { return nil }
      let sent = bytes.slice(headerEnd..<end)
      var mask = header.mask.map(WebSocketMask.init)
      let payload = mask?.apply(to: sent) ?? sent
      if kind == .close { _ = try WebSocketClose(payload: payload) }
      pieces.append(.control(kind, payload: payload, raw: bytes.slice(start..<end)))
      self.state = kind == .close ? .closed : .betweenFrames(held: Bytes())
      return end - start
    }

    let kind = try self.beginMessage(header)
    let frame = WebSocketFrame(
      opcode: header.opcode,
      kind: kind,
      isFinal: header.isFinal,
      isCompressed: header.isCompressed,
      payloadLength: header.payloadLength,
      mask: header.mask
    )
    pieces.append(.frame(frame, raw: bytes.slice(start..<headerEnd)))
    self.state = .inFrame(
      Frame(
        remaining: header.payloadLength,
        mask: header.mask.map(WebSocketMask.init),
        isFinal: header.isFinal
      )
    )
    return header.count
  }

  /// Puts a data frame in its place in a message (RFC 6455 §5.4), and says what the message is.
  private mutating func beginMessage(
    _ header: WebSocketFrameHeader
  ) throws(WebSocketFailure) -> SocketMessage.Kind {
    guard let kind = header.opcode.kind else {
      guard let message = self.message else {
        throw WebSocketFailure(.protocolError, detail: "a continuation of no message")
      }
      return message.kind
    }
    guard self.message == nil else {
      throw WebSocketFailure(.protocolError, detail: "a new message within another")
    }
    let isText = kind == .text && !header.isCompressed
    self.message = Message(kind: kind, text: isText ? UTF8Validator() : nil)
    return kind
  }

  /// Passes on what is there of the frame's payload and returns where it ends.
  private mutating func readPayload(
    _ frame: Frame,
    _ bytes: Bytes,
    at start: Int,
    _ pieces: inout [WebSocketPiece]
  ) throws(WebSocketFailure) -> Int {
    var frame = frame
    let count = Int(min(frame.remaining, UInt64(bytes.count - start)))
    let raw = count == 0 ? Bytes() : bytes.slice(start..<start + count)
    let payload = frame.mask?.apply(to: raw) ?? raw
    frame.remaining -= UInt64(count)
    let endsFrame = frame.remaining == 0
    let endsMessage = endsFrame && frame.isFinal
    if self.message?.text?.accepts(payload) == false
      || endsMessage && self.message?.text?.isComplete == false
    {
      throw WebSocketFailure(.invalidText, detail: "a text message is not UTF-8")
    }
    pieces.append(.payload(payload, raw: raw, endsMessage: endsMessage, endsFrame: endsFrame))
    if endsMessage { self.message = nil }
    self.state = endsFrame ? .betweenFrames(held: Bytes()) : .inFrame(frame)
    return start + count
  }
}
