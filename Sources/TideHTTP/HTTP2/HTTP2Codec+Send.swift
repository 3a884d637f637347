import CNghttp2
public import TideCore

extension HTTP2Codec {
  // MARK: Messages

  /// Client role: opens a stream with a request.
  ///
  /// It leaves at once, or waits for room among the streams that the server allows.
  ///
  /// - Parameters:
  ///   - head: the request's, with its pseudo-fields; names go out in lower case.
  ///   - isLast: whether the request has no content.
  /// - Returns: the new stream.
  /// - Throws: `.unsendable` for a head that must not leave, `.unsupported` unless `canOpen`, and the
  ///   connection's failure.
  public func open(_ head: MessageHead, isLast: Bool) throws(HTTPFailure) -> StreamID {
    if case .failed(let failure) = self.state { throw failure }
    guard self.canOpen else { throw HTTPFailure(.unsupported, detail: "no more streams here") }
    let method = AnsweredMethod(head.method)
    guard case .request = head.start else { throw Self.unsendable("a request that is none") }
    let progress = try self.progress(after: head, answering: nil, isLast: isLast)
    let number = unsafe self.withPairs(of: head) { pairs in
      unsafe withUnsafePointer(to: Nghttp2Callbacks.contentSource) { source in
        unsafe nghttp2_submit_request(
          self.session,
          nil,
          pairs.baseAddress,
          pairs.count,
          isLast ? nil : source,
          nil
        )
      }
    }
    guard number > 0 else {
      throw HTTPFailure(.unsupported, detail: "no stream identifier is left")
    }
    let stream = HTTP2Stream(id: StreamID(number))
    stream.method = method
    stream.sending = isLast ? .ended : progress
    stream.isWaiting = true
    self.waitingStreams += 1
    self.add(stream)
    return stream.id
  }

  /// Server role: sends an informational or the final response head.
  ///
  /// - Throws: `.unsendable` for a head that must not leave, or not now.
  public func sendHead(
    _ head: MessageHead,
    on id: StreamID,
    isLast: Bool
  ) throws(HTTPFailure) {
    guard let stream = self.stream(id) else { return }
    guard self.role == .server, case .response(let status, _) = head.start,
      case .head = stream.sending
    else { throw Self.unsendable("a head that is not a response's, or not the next") }
    guard status >= 200 else {
      guard !isLast else { throw Self.unsendable("an informational head that is the last") }
      try FieldValidation(side: .sent).check(head)
      let result = unsafe self.withPairs(of: head) { pairs in
        unsafe nghttp2_submit_headers(
          self.session,
          0,
          id.number,
          nil,
          pairs.baseAddress,
          pairs.count,
          nil
        )
      }
      return try Self.check(result)
    }
    let progress = try self.progress(after: head, answering: stream.method, isLast: isLast)
    let result = unsafe self.withPairs(of: head) { pairs in
      unsafe withUnsafePointer(to: Nghttp2Callbacks.contentSource) { source in
        unsafe nghttp2_submit_response(
          self.session,
          id.number,
          pairs.baseAddress,
          pairs.count,
          isLast ? nil : source
        )
      }
    }
    try Self.check(result)
    stream.sending = isLast ? .ended : progress
  }

  /// Queues content, which leaves as the peer's windows allow.
  ///
  /// - Throws: `.unsendable` before a final head, after the end, or beyond content-length.
  public func sendBody(_ bytes: Bytes, on id: StreamID) throws(HTTPFailure) {
    guard let stream = self.stream(id), !bytes.isEmpty else { return }
    guard case .content(let left) = stream.sending else {
      throw Self.unsendable("content before a head or after an end")
    }
    if let left {
      guard UInt64(bytes.count) <= left else {
        throw Self.unsendable("\(bytes.count) bytes of content where \(left) are left")
      }
      stream.sending = .content(left: left - UInt64(bytes.count))
    }
    stream.queue.append(bytes)
    self.resume(stream)
  }

  /// Ends a message with a trailer section, which follows what is queued.
  ///
  /// - Throws: `.unsendable` as `sendEnd`, and for fields that must not leave.
  public func sendTrailers(_ fields: HeaderFields, on id: StreamID) throws(HTTPFailure) {
    guard let stream = self.stream(id) else { return }
    try FieldValidation(side: .sent).checkTrailers(fields)
    try self.endSending(stream)
    if !fields.isEmpty { stream.trailers = fields }
    self.resume(stream)
  }

  /// Ends a message.
  ///
  /// - Throws: `.unsendable` before a final head, at a second end, or short of content-length: such a
  ///   message has to be reset.
  public func sendEnd(on id: StreamID) throws(HTTPFailure) {
    guard let stream = self.stream(id) else { return }
    try self.endSending(stream)
    self.resume(stream)
  }

  private func endSending(_ stream: HTTP2Stream) throws(HTTPFailure) {
    guard case .content(let left) = stream.sending else {
      throw Self.unsendable("an end before a head or after an end")
    }
    if let left, left > 0 { throw Self.unsendable("an end where \(left) bytes are left") }
    stream.sending = .ended
  }

  private func progress(
    after head: MessageHead,
    answering method: AnsweredMethod?,
    isLast: Bool
  ) throws(HTTPFailure) -> HTTP2Stream.Progress {
    let validation = FieldValidation(
      side: .sent,
      allowsExtendedConnect: self.allowsExtendedConnect
    )
    try validation.check(head)
    do throws(HTTPFailure) {
      let progress = try HTTP2Stream.Progress.after(head, answering: method)
      if isLast, case .content(let left?) = progress, left > 0 {
        throw Self.unsendable("an end where \(left) bytes are left")
      }
      return progress
    } catch {
      throw Self.unsendable(error.detail)
    }
  }

  private func resume(_ stream: HTTP2Stream) {
    guard stream.isDeferred else { return }
    stream.isDeferred = false
    unsafe nghttp2_session_resume_data(self.session, stream.id.number)
  }

  private static func unsendable(_ detail: String) -> HTTPFailure {
    HTTPFailure(.unsendable, detail: detail)
  }

  private static func check(_ result: Int32) throws(HTTPFailure) {
    guard result >= 0 else { throw self.unsendable("nghttp2 error \(result)") }
  }

  // MARK: Output

  /// Serialises frames until `output` has grown by about `limit` bytes or nothing more may go.
  ///
  /// - Parameters:
  ///   - output: gets the bytes for the peer at its end.
  ///   - limit: in bytes; exceeded by a frame at most, and by what `receive` had to answer.
  ///   - events: gets `.sent`, and resets of streams that cannot be opened.
  /// - Throws: what `receive` would from then on; `output` is good up to there.
  public func takeOutput(
    _ output: inout [UInt8],
    limit: Int,
    _ events: inout [HTTP2Event]
  ) throws(HTTPFailure) {
    self.untakenReplies = 0
    let start = output.count
    if output.isEmpty {
      swap(&output, &self.output)
    } else {
      output.append(contentsOf: self.output)
      self.output = []
    }
    guard self.isSessionUsable else { return }
    let wasFailed = self.isFailed
    swap(&output, &self.output)
    swap(&events, &self.events)
    let room = start.addingReportingOverflow(max(0, limit))
    self.outputEnd = room.overflow ? Int.max : room.partialValue
    self.serialise()
    swap(&events, &self.events)
    swap(&output, &self.output)
    if case .failed(let failure) = self.state, !wasFailed { throw failure }
  }

  private var isFailed: Bool {
    if case .failed = self.state { return true }
    return false
  }

  /// Serialises control frames, heads and trailers, but no content.
  func flush() {
    self.isFlushing = true
    self.outputEnd = Int.max
    self.serialise()
    self.isFlushing = false
  }

  private func serialise() {
    while self.output.count < self.outputEnd, self.isSessionUsable {
      var start: UnsafePointer<UInt8>?
      let count = unsafe nghttp2_session_mem_send(self.session, &start)
      guard count > 0 else {
        if count < 0 { self.failFatally(count) }
        return
      }
      unsafe self.output.append(contentsOf: UnsafeBufferPointer(start: start, count: count))
    }
  }

  /// How much of a stream's content goes into its next DATA frame.
  func contentToSend(upTo room: Int, on id: StreamID, _ flags: inout UInt32) -> Int {
    if self.isFlushing { return Int(NGHTTP2_ERR_PAUSE.rawValue) }
    guard let stream = self.stream(id) else {
      return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
    }
    let count = min(room, stream.queue.count)
    let isEnd = stream.isSendingEnded && count == stream.queue.count
    guard count > 0 || isEnd else {
      stream.isDeferred = true
      return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    }
    flags = NGHTTP2_DATA_FLAG_NO_COPY.rawValue
    guard isEnd else { return count }
    flags |= NGHTTP2_DATA_FLAG_EOF.rawValue
    guard let trailers = stream.trailers else { return count }
    flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
    let result = unsafe self.withPairs(of: trailers) { pairs in
      unsafe nghttp2_submit_trailer(self.session, id.number, pairs.baseAddress, pairs.count)
    }
    return result == 0 ? count : Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
  }

  /// Writes a DATA frame: its header, then content straight from the queue.
  func sendContent(
    _ count: Int,
    on id: StreamID,
    header: UnsafeBufferPointer<UInt8>
  ) -> Int32 {
    guard let stream = self.stream(id) else {
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
    }
    unsafe self.output.append(contentsOf: header)
    stream.queue.move(count, to: &self.output)
    if count > 0 {
      // Readers give credit back in pieces as small as a kilobyte, on the stream and the connection.
      self.idleFrames.earn(2 + count >> 9)
      if case .sent(id, let before) = self.events.last {
        self.events[self.events.count - 1] = .sent(id, before + count)
      } else {
        self.events.append(.sent(id, count))
      }
    }
    return self.output.count < self.outputEnd ? 0 : NGHTTP2_ERR_PAUSE.rawValue
  }

  /// A frame has been serialised.
  func sentFrame(_ frame: nghttp2_frame) {
    let type = unsafe frame.hd.type
    switch type {
    case FrameType.data, FrameType.headers:
      guard let stream = self.stream(StreamID(unsafe frame.hd.stream_id)) else { return }
      if unsafe frame.hd.flags & FrameType.endStream != 0 { stream.hasSentEnd = true }
      guard type == FrameType.headers else { return }
      self.idleFrames.earn(1)
      guard stream.isWaiting else { return }
      stream.isWaiting = false
      self.waitingStreams -= 1
    case FrameType.goAway: unsafe self.sentGoAway(frame.goaway)
    case FrameType.resetStream:
      self.untakenReplies += 1
      if self.ownResets > 0 { self.ownResets -= 1 } else { self.chargeReset() }
    default: self.untakenReplies += 1
    }
  }

  /// Finds out why nghttp2 ends the connection, if we did not ask for it.
  private func sentGoAway(_ frame: nghttp2_goaway) {
    self.hasSentGoAway = true
    let code = HTTP2ErrorCode(rawValue: unsafe frame.error_code)
    guard case .open = self.state, code != .noError, self.violation == nil else { return }
    let reason = unsafe UnsafeBufferPointer(
      start: frame.opaque_data,
      count: frame.opaque_data_len
    )
    let detail = unsafe reason.isEmpty ? "\(code)" : "\(code), \(HTTPFailure.escaped(reason))"
    self.fail(HTTPFailure(code == .enhanceYourCalm ? .flood : .malformedFrame, detail: detail))
  }

  /// A frame was dropped by nghttp2: only a head or trailers matter, without which a stream would hang.
  func couldNotSend(_ frame: nghttp2_frame, _ error: Int32) {
    let id = StreamID(unsafe frame.hd.stream_id)
    // A request's stream is closed at once, and told there; a connection that ends needs no resets.
    guard unsafe frame.hd.type == FrameType.headers,
      error != NGHTTP2_ERR_SESSION_CLOSING.rawValue,
      unsafe frame.headers.cat != NGHTTP2_HCAT_REQUEST, self.stream(id) != nil
    else { return }
    self.reset(id, .internalError)
    self.events.append(.reset(id, .internalError, isFromPeer: false))
  }
}
