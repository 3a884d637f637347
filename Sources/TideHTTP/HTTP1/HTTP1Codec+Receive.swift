import TideCore

// The receiving machine.
extension HTTP1Codec {
  enum Receiving {
    /// `buffer` holds what came of a head: possibly nothing.
    case head
    case length(UInt64)
    case chunked(ChunkedBody)
    /// `buffer` holds what came of a trailer section.
    case trailers
    case untilClose
    case complete
    case failed(HTTPFailure)
  }

  static var strayBytes: HTTPFailure {
    HTTPFailure(.unexpectedBytes, detail: "bytes from a server that was not asked")
  }

  mutating func advance(_ parts: inout [MessagePart]) throws(HTTPFailure) {
    do throws(HTTPFailure) {
      while try self.step(&parts) {}
    } catch {
      throw self.failed(error)
    }
  }

  mutating func failed(_ failure: HTTPFailure) -> HTTPFailure {
    self.receiving = .failed(failure)
    self.buffer = Bytes()
    return failure
  }

  /// Makes the next step; tells whether another may follow.
  private mutating func step(_ parts: inout [MessagePart]) throws(HTTPFailure) -> Bool {
    guard !self.buffer.isEmpty else { return false }
    switch self.receiving {
    case .head: return try self.receiveHead(&parts)
    case .length(let remaining):
      let body = self.take(Int(min(remaining, UInt64(self.buffer.count))))
      parts.append(.body(body))
      self.receiving = .length(remaining - UInt64(body.count))
      if remaining == UInt64(body.count) { self.finish(&parts) }
      return false
    case .chunked(let chunks):
      return try self.receiveChunks(chunks, &parts)
    case .trailers:
      guard let count = try self.parser.parse(self.buffer, within: self.bounds) else {
        return false
      }
      let raw = self.take(count)
      let trailers = self.parser.fields(raw)
      if !trailers.isEmpty {
        try BodyFraming.checkTrailers(trailers)
        parts.append(.trailers(trailers))
      }
      self.finish(&parts)
      return false
    case .untilClose:
      parts.append(.body(self.take(self.buffer.count)))
      return false
    case .complete:
      if self.role == .client, self.expected == nil { self.hasStrayBytes = true }
      return false
    case .failed(let failure): throw failure
    }
  }

  private mutating func receiveHead(_ parts: inout [MessagePart]) throws(HTTPFailure) -> Bool {
    if self.role == .server {
      guard self.skipEmptyLine() else { return false }
    } else if self.expected == nil {
      throw Self.strayBytes
    }
    guard let count = try self.parser.parse(self.buffer, within: self.bounds) else { return false }
    let raw = self.take(count)
    guard let head = self.parser.head(raw) else { return false }
    switch head.start {
    case .request:
      try RequestLine.checkHost(head)
      self.receivedFraming = try BodyFraming.of(head, answering: .other)
    case .response(101, _) where self.mayUpgrade:
      self.expected = nil
      self.isAfterInformational = false
      self.receivedFraming = .untilClose
      self.receiving = .untilClose
      parts.append(.head(head))
      return true
    case .response(101, _):
      throw HTTPFailure(.unsupported, detail: "101 to a request without Upgrade")
    case .response(..<200, _):
      parts.append(.head(head))
      self.startHead()
      self.isAfterInformational = true
      return true
    case .response:
      self.receivedFraming = try BodyFraming.of(head, answering: self.expected ?? .other)
      self.expected = nil
      self.isAfterInformational = false
    }
    parts.append(.head(head))
    switch self.receivedFraming {
    case .none, .length(0): self.finish(&parts)
    case .length(let count): self.receiving = .length(count)
    case .chunked: self.receiving = .chunked(ChunkedBody())
    case .untilClose: self.receiving = .untilClose
    }
    return true
  }

  /// Skips one CRLF before a request, which old clients send after a body (RFC 9112 §2.2).
  ///
  /// - Returns: whether there is a byte of a request line.
  private mutating func skipEmptyLine() -> Bool {
    guard !self.isAfterEmptyLine, self.buffer[0] == Octet.carriageReturn else { return true }
    guard self.buffer.count > 1 else { return false }
    guard self.buffer[1] == Octet.lineFeed else { return true }  // the parser refuses it
    self.isAfterEmptyLine = true
    _ = self.take(2)
    return !self.buffer.isEmpty
  }

  private mutating func receiveChunks(
    _ start: ChunkedBody,
    _ parts: inout [MessagePart]
  ) throws(HTTPFailure) -> Bool {
    var chunks = start
    let whole = self.buffer
    var at = 0
    while true {
      let event = try whole.withSpan { (span) throws(HTTPFailure) in
        try chunks.next(span, at: &at, lineLimit: self.chunkLineLimit)
      }
      switch event {
      case .data(let range): parts.append(.body(whole.slice(range)))
      case .more:
        self.buffer = Bytes()
        self.receiving = .chunked(chunks)
        return false
      case .last:
        _ = self.take(at)
        self.parser = HeadParser(.trailers)
        self.receiving = .trailers
        return true
      }
    }
  }

  mutating func startHead() {
    self.receiving = .head
    self.parser = HeadParser(self.role == .server ? .request : .response)
  }

  mutating func finish(_ parts: inout [MessagePart]) {
    self.receiving = .complete
    parts.append(.end)
    if self.role == .client, self.expected == nil, !self.buffer.isEmpty {
      self.hasStrayBytes = true
    }
  }

  /// Takes the first `count` bytes; an empty rest lets go of its storage.
  private mutating func take(_ count: Int) -> Bytes {
    let taken = self.buffer.slice(0..<count)
    self.buffer =
      count == self.buffer.count ? Bytes() : self.buffer.dropping(first: count)
    return taken
  }
}
