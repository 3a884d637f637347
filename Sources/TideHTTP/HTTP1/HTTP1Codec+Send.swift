public import TideCore

// The sending machine. Its failures are mistakes of ours, or of a rewrite: it is the last to see a
// message whole, so that nothing leaves whose framing is not what its head says.
extension HTTP1Codec {
  enum Sending {
    case head
    case none
    /// What is left to send.
    case length(UInt64)
    case chunked(trailers: HeaderFields)
    case untilClose
    /// A close-delimited message has ended: the connection has to.
    case closed
  }

  /// Adds the bytes of `part` to `output`.
  ///
  /// The head's fields decide what may follow. Trailers and the last chunk are written at `.end`. An
  /// informational head leaves the way free for the final one.
  ///
  /// - Throws: `.unsendable`, and `BodyFraming.of`'s failures; `output` is then as it was.
  public mutating func send(
    _ part: MessagePart,
    _ output: inout [UInt8]
  ) throws(HTTPFailure) {
    switch part {
    case .head(let head): try self.sendHead(head, &output)
    case .body(let bytes): try self.sendBody(bytes, &output)
    case .trailers(let fields):
      guard case .chunked(let trailers) = self.sending, trailers.isEmpty else {
        throw Self.unsendable("trailers of a message that is not chunked")
      }
      try BodyFraming.checkTrailers(fields)
      try HeadWriter.check(fields)
      self.sending = .chunked(trailers: fields)
    case .end: try self.sendEnd(&output)
    }
  }

  private static func unsendable(_ detail: String) -> HTTPFailure {
    HTTPFailure(.unsendable, detail: detail)
  }

  private mutating func sendHead(
    _ head: MessageHead,
    _ output: inout [UInt8]
  ) throws(HTTPFailure) {
    guard case .head = self.sending else { throw Self.unsendable("a head within a message") }
    var isInterim = false
    switch (head.start, self.role) {
    case (.request, .client): break
    case (.response(let status, _), .server):
      guard status != 101 || self.mayUpgrade else { throw Self.unsendable("101") }
      isInterim = status < 200
    case (.request, .server), (.response, .client):
      throw Self.unsendable("a head of the other side")
    }
    let framing = try BodyFraming.of(head, answering: self.answered)
    try HeadWriter.write(head, &output)
    if isInterim {
      // After an upgrade nothing more is framed here.
      if head.status == 101 { self.sending = .closed }
      return
    }
    self.answered = .other
    self.begin(framing)
  }

  private mutating func begin(_ framing: BodyFraming) {
    self.sentFraming = framing
    switch framing {
    case .none: self.sending = .none
    case .length(let count): self.sending = .length(count)
    case .chunked: self.sending = .chunked(trailers: HeaderFields())
    case .untilClose: self.sending = .untilClose
    }
  }

  private mutating func sendBody(_ bytes: Bytes, _ output: inout [UInt8]) throws(HTTPFailure) {
    // An empty chunk would be the last one.
    if bytes.isEmpty { return }
    switch self.sending {
    case .head, .closed: throw Self.unsendable("a body before a head")
    case .none: throw Self.unsendable("a body where there is none")
    case .length(let left):
      guard UInt64(bytes.count) <= left else {
        throw Self.unsendable("\(bytes.count) bytes of body where \(left) are left")
      }
      self.sending = .length(left - UInt64(bytes.count))
      output.append(contentsOf: bytes)
    case .chunked(let trailers):
      guard trailers.isEmpty else { throw Self.unsendable("a body after trailers") }
      HeadWriter.writeSizeLine(bytes.count, &output)
      output.append(contentsOf: bytes)
      output.append(contentsOf: HeadWriter.lineEnd)
    case .untilClose: output.append(contentsOf: bytes)
    }
  }

  /// Accounts for the next bytes of a body that are sent as they are, so that they need no copy.
  ///
  /// - Returns: whether they are; else they go through `send`, which frames them as a chunk.
  /// - Throws: as `send`.
  public mutating func passBody(_ count: Int) throws(HTTPFailure) -> Bool {
    switch self.sending {
    case .head, .closed, .none, .chunked: return false
    case .length(let left):
      guard UInt64(count) <= left else {
        throw Self.unsendable("\(count) bytes of body where \(left) are left")
      }
      self.sending = .length(left - UInt64(count))
      return true
    case .untilClose: return true
    }
  }

  private mutating func sendEnd(_ output: inout [UInt8]) throws(HTTPFailure) {
    switch self.sending {
    case .head, .closed: throw Self.unsendable("an end before a head")
    case .none, .length(0): self.sending = .head
    case .length(let left): throw Self.unsendable("an end where \(left) bytes are left")
    case .chunked(let trailers):
      output.append(contentsOf: HeadWriter.lastChunk)
      HeadWriter.writeLines(trailers, &output)
      output.append(contentsOf: HeadWriter.lineEnd)
      self.sending = .head
    case .untilClose: self.sending = .closed
    }
  }
}
