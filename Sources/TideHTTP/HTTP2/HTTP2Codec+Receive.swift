import CNghttp2
public import TideCore

extension HTTP2Codec {
  /// The most frames that answer the peer's and that nobody takes.
  static let maxUntakenReplies = 4_096
  /// How many times `limits.headBytes` a header block may decompress to.
  ///
  /// A head between one and so many times its limit is refused alone; beyond, the connection goes:
  /// 270 KiB of HPACK can stand for a gigabyte (an HPACK bomb).
  private static let bombFactor = 16

  /// Takes in what the peer sent.
  ///
  /// - Parameters:
  ///   - bytes: the next bytes, split anywhere; large pieces of content are slices of them.
  ///   - now: feeds the budgets of frames that move nothing forward.
  ///   - events: gets what happened, also before a failure.
  /// - Throws: `.malformedFrame`, `.flood`; the same again from then on. The GOAWAY is in the output.
  public func receive(
    _ bytes: Bytes,
    at now: Instant,
    _ events: inout [HTTP2Event]
  ) throws(HTTPFailure) {
    switch self.state {
    case .failed(let failure): throw failure
    case .ended: return
    case .open: break
    }
    self.idleFrames.refill(at: now)
    self.resets.refill(at: now)
    self.input = bytes
    swap(&self.events, &events)
    unsafe bytes.withUnsafeBytes { buffer in
      unsafe self.inputStart = buffer.baseAddress
      unsafe self.readAll(buffer)
      unsafe self.inputStart = nil
    }
    swap(&self.events, &events)
    self.input = Bytes()
    if case .failed(let failure) = self.state { throw failure }
  }

  private func readAll(_ buffer: UnsafeRawBufferPointer) {
    var position = 0
    while position < buffer.count, case .open = self.state {
      let (end, violation) = self.input.withSpan {
        self.scanner.scan($0, from: position, &self.idleFrames)
      }
      for _ in 0..<self.scanner.alternativeServices { self.events.append(.alternativeService) }
      unsafe self.feed(UnsafeRawBufferPointer(rebasing: buffer[position..<end]))
      position = end
      if !self.idleFrames.spend(self.scanner.contentFrames), self.violation == nil {
        self.violation = FrameScanner.flood("too many frames without content")
      }
      if case .open = self.state, let violation = violation ?? self.violation {
        self.end(violation)
      }
    }
  }

  /// Gives bytes to nghttp2, and serialises what it has to answer: an error shows only there.
  private func feed(_ part: UnsafeRawBufferPointer) {
    guard unsafe !part.isEmpty, let start = part.baseAddress else { return }
    let queued = unsafe nghttp2_session_get_outbound_queue_size(self.session)
    let bytes = unsafe start.assumingMemoryBound(to: UInt8.self)
    let result = unsafe nghttp2_session_mem_recv(self.session, bytes, part.count)
    guard result >= 0 else { return self.failFatally(result) }
    guard unsafe nghttp2_session_get_outbound_queue_size(self.session) > queued else { return }
    self.flush()
    if self.untakenReplies > Self.maxUntakenReplies, self.violation == nil {
      self.violation = FrameScanner.flood("answers that are not read")
    }
  }

  // MARK: Heads

  /// A header block begins on a stream that nghttp2 knows.
  func beganHead(_ frame: nghttp2_frame) {
    let id = StreamID(unsafe frame.hd.stream_id)
    switch self.role {
    case .server:
      guard unsafe frame.headers.cat != NGHTTP2_HCAT_REQUEST else {
        self.add(HTTP2Stream(id: id))
        self.lastStream = max(self.lastStream, id)
        self.treatAlike(id)
        return self.assembly.begin(.request)
      }
      self.assembly.begin(self.stream(id) == nil ? .ignored : .trailers)
    case .client:
      guard let stream = self.stream(id) else { return self.assembly.begin(.ignored) }
      if case .head = stream.receiving {
        self.assembly.begin(.response)
      } else {
        self.assembly.begin(.trailers)
      }
    }
  }

  /// Lets a stream's content take turns with the others' whatever priorities the device names.
  private func treatAlike(_ id: StreamID) {
    var priority = nghttp2_extpri(urgency: UInt32(NGHTTP2_EXTPRI_DEFAULT_URGENCY), inc: 1)
    unsafe nghttp2_session_change_extpri_stream_priority(self.session, id.number, &priority, 1)
  }

  private func endedHead(_ id: StreamID, isLast: Bool) {
    if self.assembly.listSize > self.limits.headBytes.multipliedClamped(by: Self.bombFactor) {
      self.violation = FrameScanner.flood("a header block that decompresses without end")
    }
    guard let stream = self.stream(id) else { return }
    switch self.assembly.section {
    case .ignored: return
    case .request:
      do throws(HTTPFailure) {
        try self.endedRequest(stream, isLast: isLast)
      } catch {
        stream.receiving = isLast ? .ended : .refused
        self.events.append(.refusedHead(id, error))
      }
    case .response:
      do throws(HTTPFailure) {
        try self.endedResponse(stream, isLast: isLast)
      } catch {
        self.violate(stream, error)
      }
    case .trailers: self.endedTrailers(stream, isLast: isLast)
    }
  }

  private func endedRequest(_ stream: HTTP2Stream, isLast: Bool) throws(HTTPFailure) {
    let head = try self.assembly.head()
    let validation = FieldValidation(
      side: .received,
      allowsExtendedConnect: self.allowsExtendedConnect
    )
    try validation.check(head)
    let progress = try Self.progress(after: head, answering: nil)
    if isLast { try Self.checkEnd(progress) }
    stream.method = AnsweredMethod(head.method)
    stream.receiving = progress
    self.events.append(.head(stream.id, head, isLast: isLast))
    if isLast { self.ended(stream) }
  }

  private func endedResponse(_ stream: HTTP2Stream, isLast: Bool) throws(HTTPFailure) {
    let head = try self.assembly.head()
    try FieldValidation(side: .received).check(head)
    guard head.status >= 200 else {
      guard !isLast else {
        throw HTTPFailure(.malformedHead, detail: "an informational response that is the last")
      }
      // A server may send as many as it likes, but not for ever.
      if !self.idleFrames.spend(2) {
        self.violation = FrameScanner.flood("too many informational responses")
      }
      return self.events.append(.head(stream.id, head, isLast: false))
    }
    let progress = try Self.progress(after: head, answering: stream.method)
    // What answers HEAD may say how long it would be.
    if isLast { try Self.checkEnd(progress) }
    stream.receiving = progress
    self.events.append(.head(stream.id, head, isLast: isLast))
    if isLast { self.ended(stream) }
  }

  private func endedTrailers(_ stream: HTTP2Stream, isLast: Bool) {
    switch stream.receiving {
    case .refused:
      if isLast { stream.receiving = .ended }
    case .head, .ended: return
    case .content:
      do throws(HTTPFailure) {
        let fields = try self.assembly.trailers()
        try FieldValidation(side: .received).checkTrailers(fields)
        guard isLast else {
          throw HTTPFailure(.malformedHead, detail: "a second head that does not end its message")
        }
        try Self.checkEnd(stream.receiving)
        if !fields.isEmpty { self.events.append(.trailers(stream.id, fields)) }
        self.ended(stream)
      } catch {
        self.violate(stream, error)
      }
    }
  }

  private static func progress(
    after head: MessageHead,
    answering method: AnsweredMethod?
  ) throws(HTTPFailure) -> HTTP2Stream.Progress {
    do throws(HTTPFailure) {
      return try HTTP2Stream.Progress.after(head, answering: method)
    } catch {
      throw HTTPFailure(.malformedHead, detail: error.detail)
    }
  }

  /// Refuses an end before all that content-length promised (RFC 9113 §8.1.1).
  private static func checkEnd(_ progress: HTTP2Stream.Progress) throws(HTTPFailure) {
    guard case .content(let left?) = progress, left > 0 else { return }
    throw HTTPFailure(.malformedHead, detail: "an end where \(left) bytes are left")
  }

  private func ended(_ stream: HTTP2Stream) {
    stream.receiving = .ended
    self.events.append(.end(stream.id))
  }

  // MARK: Content

  func receivedContent(_ chunk: UnsafeRawBufferPointer, on id: StreamID) {
    guard let stream = self.stream(id), case .content(let left) = stream.receiving else {
      unsafe nghttp2_session_consume(self.session, id.number, chunk.count)
      guard let stream = self.stream(id), case .head = stream.receiving else { return }
      return self.violate(stream, HTTPFailure(.malformedHead, detail: "content before a head"))
    }
    if let left {
      guard UInt64(chunk.count) <= left else {
        unsafe nghttp2_session_consume(self.session, id.number, chunk.count)
        let detail = "\(chunk.count) bytes of content where \(left) are left"
        return self.violate(stream, HTTPFailure(.malformedHead, detail: detail))
      }
      stream.receiving = .content(left: left - UInt64(chunk.count))
    }
    self.unconsumed += chunk.count
    unsafe self.events.append(.body(id, self.bytes(of: chunk)))
  }

  /// The chunk as a slice of the input; a copy of a small one, which would keep all of the input alive.
  private func bytes(of chunk: UnsafeRawBufferPointer) -> Bytes {
    guard let start = unsafe self.inputStart, let base = chunk.baseAddress,
      chunk.count >= self.input.count / 16
    else { return unsafe Bytes(copying: chunk) }
    let offset = unsafe base - start
    guard offset >= 0, offset + chunk.count <= self.input.count else {
      return unsafe Bytes(copying: chunk)
    }
    return self.input.slice(offset..<offset + chunk.count)
  }

  private func endedContent(_ frame: nghttp2_frame) {
    let isLast = unsafe frame.hd.flags & FrameType.endStream != 0
    // Each DATA frame costs a permit, which those for dead streams do not get back.
    let hasContent = unsafe frame.hd.length > frame.data.padlen
    self.idleFrames.earn(hasContent ? 2 : isLast ? 1 : 0)
    guard isLast, let stream = self.stream(StreamID(unsafe frame.hd.stream_id)) else { return }
    switch stream.receiving {
    case .refused: stream.receiving = .ended
    case .ended: return
    case .head:
      self.violate(stream, HTTPFailure(.malformedHead, detail: "an end before a head"))
    case .content:
      do throws(HTTPFailure) {
        try Self.checkEnd(stream.receiving)
        self.ended(stream)
      } catch {
        self.violate(stream, error)
      }
    }
  }

  // MARK: Other frames

  /// A frame has come whole, on a stream that nghttp2 knows or on the connection.
  func received(_ frame: nghttp2_frame) {
    let id = StreamID(unsafe frame.hd.stream_id)
    switch unsafe frame.hd.type {
    case FrameType.data: unsafe self.endedContent(frame)
    case FrameType.headers:
      self.endedHead(id, isLast: unsafe frame.hd.flags & FrameType.endStream != 0)
    case FrameType.resetStream:
      guard let stream = self.stream(id) else { return }
      stream.isResetByPeer = true
      if !stream.hasSentEnd { self.chargeReset() }
    case FrameType.settings: self.receivedSettings()
    case FrameType.goAway: unsafe self.receivedGoAway(frame.goaway)
    default: return
    }
  }

  private func receivedSettings() {
    guard self.role == .client, !self.allowsExtendedConnect,
      unsafe nghttp2_session_get_remote_settings(
        self.session,
        NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL
      ) == 1
    else { return }
    self.allowsExtendedConnect = true
    self.events.append(.extendedConnectAllowed)
  }

  private func receivedGoAway(_ frame: nghttp2_goaway) {
    self.hasReceivedGoAway = true
    let last = StreamID(unsafe frame.last_stream_id)
    let code = HTTP2ErrorCode(rawValue: unsafe frame.error_code)
    self.events.append(.goAway(last: last, code))
    // Those that have left are closed by nghttp2; those that wait would only be when it is their turn.
    for id in self.streams.filter({ $0.value.isWaiting }).keys.sorted() {
      self.reset(id, .refusedStream)
      self.events.append(.reset(id, .refusedStream, isFromPeer: true))
    }
  }

  /// A stream is closed in nghttp2, whoever closed it.
  func closed(_ id: StreamID, _ code: HTTP2ErrorCode) {
    guard let stream = self.forget(id) else { return }
    if stream.isResetByPeer {
      self.events.append(.reset(id, code, isFromPeer: true))
    } else if code != .noError {
      // GOAWAY closes with REFUSED_STREAM what the server has not looked at.
      let isFromPeer = self.role == .client && self.hasReceivedGoAway && code == .refusedStream
      self.events.append(.reset(id, code, isFromPeer: isFromPeer))
    }
  }

  /// Resets a stream for what the peer said on it.
  private func violate(_ stream: HTTP2Stream, _ failure: HTTPFailure) {
    self.reset(stream.id, .protocolError)
    self.events.append(.violation(stream.id, failure))
    self.events.append(.reset(stream.id, .protocolError, isFromPeer: false))
    self.chargeReset()
  }

  /// Takes a permit for a stream that a device made us throw away.
  ///
  /// By a reset of its own (CVE-2023-44487) or by an error that makes us reset (CVE-2025-8671). What a
  /// server resets is bounded by what a device asks for.
  func chargeReset() {
    guard self.role == .server, !self.resets.spend() else { return }
    self.violation = FrameScanner.flood("too many streams that were reset")
  }
}

extension Int {
  fileprivate func multipliedClamped(by factor: Int) -> Int {
    let product = self.multipliedReportingOverflow(by: factor)
    return product.overflow ? Int.max : product.partialValue
  }
}
