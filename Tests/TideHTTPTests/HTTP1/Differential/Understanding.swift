import NIOCore
import NIOEmbedded
import NIOHTTP1
import TideCore
import TideHTTP

/// What a parser made of an input, in a form that both parsers share.
struct Understanding: Equatable, Sendable {
  /// A message as its recipient would act on it.
  struct Message: Equatable, Sendable {
    /// The method and target, or the status.
    var start: String
    /// `name: value`, in order.
    var fields: [String] = []
    var body: [UInt8] = []
    var trailers: [String] = []
    var isComplete = false
  }

  /// How it came to its end.
  enum Ending: Int, Sendable {
    /// Every message is complete.
    case complete
    /// More was expected.
    case unfinished
    /// Something was refused.
    case refused
  }

  /// Informational responses are messages too.
  var messages: [Message] = []
  var ending = Ending.complete

  /// The messages that a recipient could act on: nothing of one that is refused or cut.
  var complete: [Message] { self.messages.filter(\.isComplete) }

  mutating func update(_ change: (inout Message) -> Void) {
    guard !self.messages.isEmpty else { return }
    change(&self.messages[self.messages.count - 1])
  }

  /// Decides what is left over once all has come.
  mutating func finish(isMidHead: Bool) {
    guard self.ending == .complete else { return }
    if isMidHead || self.messages.contains(where: { !$0.isComplete }) { self.ending = .unfinished }
  }
}

extension Understanding {
  /// Reads `specimen` with our codec.
  init(ours specimen: Specimen) {
    self.init()
    var codec: HTTP1Codec
    switch specimen.side {
    case .request: codec = HTTP1Codec(role: .server, limits: Limits())
    case .response(let method):
      codec = HTTP1Codec(role: .client, limits: Limits())
      codec.expectResponse(toMethod: Bytes(method))
    }
    var parts: [MessagePart] = []
    do throws(HTTPFailure) {
      try codec.receive(specimen.input, &parts)
      while specimen.isRequest, case .end = parts.last, codec.bufferedCount > 0 {
        // What follows a CONNECT is the tunnel; NIO reads no further either.
        guard parts.last(where: \.isHead)?.method != "CONNECT" else { break }
        let count = parts.count
        try codec.next(&parts)
        if parts.count == count { break }
      }
      if !specimen.isRequest {
        try codec.receiveEnd(&parts)
        if codec.bufferedCount > 0 { self.ending = .refused }
      }
    } catch {
      self.ending = error.code == .truncated ? .unfinished : .refused
    }
    for part in parts { self.take(part) }
    self.finish(isMidHead: codec.isMidHead)
  }

  private mutating func take(_ part: MessagePart) {
    switch part {
    case .head(let head):
      switch head.start {
      case .request(let method, let target):
        self.messages.append(Message(start: "\(method.text) \(target.text)"))
      case .response(let status, _):
        self.messages.append(Message(start: "\(status)", isComplete: status < 200))
      }
      self.update { $0.fields = Self.list(head.fields) }
    case .body(let bytes): self.update { $0.body.append(contentsOf: bytes) }
    case .trailers(let fields): self.update { $0.trailers = Self.list(fields) }
    case .end: self.update { $0.isComplete = true }
    }
  }

  private static func list(_ fields: HeaderFields) -> [String] {
    fields.slots.indices.map { "\(fields.name(at: $0).text): \(fields.value(at: $0).text)" }
  }
}

extension MessagePart {
  fileprivate var isHead: Bool {
    if case .head = self { return true }
    return false
  }

  fileprivate var method: Bytes {
    if case .head(let head) = self { return head.method }
    return Bytes()
  }
}

extension Understanding {
  /// Reads `specimen` with NIO's HTTPDecoder, which is llhttp.
  init(llhttp specimen: Specimen) throws {
    self.init()
    let channel = EmbeddedChannel()
    switch specimen.side {
    case .request:
      let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)
      try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(decoder))
    case .response(let method):
      let decoder = HTTPResponseDecoder(
        leftOverBytesStrategy: .dropBytes,
        informationalResponseStrategy: .forward
      )
      try channel.pipeline.syncOperations.addHandlers([
        HTTPRequestEncoder(), ByteToMessageHandler(decoder),
      ])
      let head = HTTPRequestHead(
        version: .http1_1,
        method: HTTPMethod(rawValue: method),
        uri: method == "CONNECT" ? "a.example:443" : "/",
        headers: ["Host": "a.example"]
      )
      try channel.writeOutbound(HTTPClientRequestPart.head(head))
      try channel.writeOutbound(HTTPClientRequestPart.end(nil))
    }
    do {
      try channel.writeInbound(ByteBuffer(bytes: specimen.input))
      if !specimen.isRequest { _ = try channel.finish() }
    } catch {
      self.ending = error as? HTTPParserError == .invalidEOFState ? .unfinished : .refused
    }
    if specimen.isRequest {
      while let part = try channel.readInbound(as: HTTPServerRequestPart.self) { self.take(part) }
      // An error that is left over: everything was said already.
      _ = try? channel.finish(acceptAlreadyClosed: true)
    } else {
      while let part = try channel.readInbound(as: HTTPClientResponsePart.self) { self.take(part) }
    }
    self.finish(isMidHead: self.messages.isEmpty)
  }

  private mutating func take(_ part: HTTPServerRequestPart) {
    switch part {
    case .head(let head):
      self.messages.append(Message(start: "\(head.method.rawValue) \(head.uri)"))
      self.update { $0.fields = Self.list(head.headers) }
    case .body(let buffer): self.update { $0.body += buffer.readableBytesView }
    case .end(let trailers): self.end(trailers)
    }
  }

  private mutating func take(_ part: HTTPClientResponsePart) {
    switch part {
    case .head(let head):
      let isInformational = 100..<200 ~= head.status.code && head.status.code != 101
      self.messages.append(Message(start: "\(head.status.code)", isComplete: isInformational))
      self.update { $0.fields = Self.list(head.headers) }
    case .body(let buffer): self.update { $0.body += buffer.readableBytesView }
    case .end(let trailers): self.end(trailers)
    }
  }

  private mutating func end(_ trailers: HTTPHeaders?) {
    self.update {
      $0.trailers = trailers.map(Self.list) ?? []
      $0.isComplete = true
    }
  }

  private static func list(_ headers: HTTPHeaders) -> [String] {
    headers.map { "\($0.name): \($0.value)" }
  }
}
