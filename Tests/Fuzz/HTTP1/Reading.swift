import Support
import TideCore
import TideHTTP

/// One message in a form that does not depend on how its bytes were cut.
struct Message: Equatable {
  struct Head: Equatable {
    let start: StartLine
    let version: HTTPVersion
    let fields: [[Bytes]]

    init(_ head: MessageHead) {
      self.start = head.start
      self.version = head.version
      self.fields = Message.list(head.fields)
    }
  }

  /// Informational ones first.
  var heads: [Head] = []
  var framing = BodyFraming.none
  var body: [UInt8] = []
  var trailers: [[Bytes]] = []
  var isComplete = false

  static func list(_ fields: HeaderFields) -> [[Bytes]] {
    fields.slots.indices.map { [fields.name(at: $0), fields.value(at: $0)] }
  }

  /// Whether the last head is a final one: only then a body may follow.
  var hasFinalHead: Bool {
    switch self.heads.last?.start {
    case .request: true
    case .response(let status, _): status >= 200
    case nil: false
    }
  }
}

/// All that a codec made of an input, message after message, its order and framing checked on the way.
struct Reading {
  private let setup: Setup
  private(set) var messages: [Message] = []
  /// The parts of each message that is complete, for sending.
  private var parts: [[MessagePart]] = []
  private(set) var failure: HTTPFailure.Code?
  /// What had come of the next message when the input ended, or after the last that was read.
  private(set) var leftover = 0
  /// The octets that came.
  private var inputCount: Int
  /// The octets in heads as they came.
  private var rawCount = 0
  private var current = Message()
  private var currentParts: [MessagePart] = []

  var outcome: String { self.failure?.rawValue ?? "no failure" }

  init(_ input: Bytes, _ cut: Cut, _ setup: Setup) {
    self.setup = setup
    self.inputCount = input.count
    var codec = setup.codec()
    var parts: [MessagePart] = []
    do throws(HTTPFailure) {
      for piece in cut.pieces(input) {
        try codec.receive(piece, &parts)
        // A response is one: a second would have to be asked for.
        while self.take(&parts, codec), !setup.isClient { try codec.next(&parts) }
      }
      // A line is judged again only when it has ended: until then, how much of it came at once decides
      // whether its fault was seen. So the last line gets an end.
      if codec.bufferedCount > 0, codec.isMidHead || !self.currentParts.isEmpty {
        self.inputCount += 1
        try codec.receive("\n", &parts)
      }
      if setup.closes { try codec.receiveEnd(&parts) }
    } catch {
      self.failure = error.code
    }
    _ = self.take(&parts, codec)
    if !self.currentParts.isEmpty { self.messages.append(self.current) }
    self.leftover = codec.bufferedCount
    if self.failure != nil { self.checkSilence(&codec) }
  }

  /// Takes note of `parts`; tells whether the last of them ended a message.
  private mutating func take(_ parts: inout [MessagePart], _ codec: HTTP1Codec) -> Bool {
    defer { parts = [] }
    for part in parts {
      self.currentParts.append(part)
      require(self.current.trailers.isEmpty || part.isEnd, "only the end follows trailers")
      switch part {
      case .head(let head):
        require(!self.current.hasFinalHead, "a head within a message")
        self.rawCount += head.raw.count
        self.current.heads.append(Message.Head(head))
      case .body(let bytes):
        require(self.current.hasFinalHead, "a body before its head")
        require(!bytes.isEmpty, "an empty body part")
        self.current.body.append(contentsOf: bytes)
      case .trailers(let fields):
        require(codec.receivedFraming == .chunked, "trailers of a message that is not chunked")
        require(!fields.isEmpty, "an empty trailer section")
        self.current.trailers = Message.list(fields)
      case .end: self.end(codec.receivedFraming)
      }
    }
    if self.current.hasFinalHead { self.checkFraming(codec.receivedFraming) }
    return !parts.isEmpty && self.currentParts.isEmpty
  }

  private mutating func end(_ framing: BodyFraming) {
    require(self.current.hasFinalHead, "an end before a head")
    self.checkFraming(framing)
    if case .length(let length) = framing {
      require(UInt64(self.current.body.count) == length, "a body that is shorter than its length")
    }
    self.current.framing = framing
    self.current.isComplete = true
    self.messages.append(self.current)
    self.parts.append(self.currentParts)
    self.current = Message()
    self.currentParts = []
  }

  private func checkFraming(_ framing: BodyFraming) {
    switch framing {
    case .none: require(self.current.body.isEmpty, "a body where there is none")
    case .length(let length):
      require(UInt64(self.current.body.count) <= length, "a body that is longer than its length")
    case .chunked: break
    case .untilClose: require(self.setup.isClient, "a request until close")
    }
  }

  /// After a failure a codec says that failure, and nothing else.
  private func checkSilence(_ codec: inout HTTP1Codec) {
    var parts: [MessagePart] = []
    var codes: [HTTPFailure.Code] = []
    do throws(HTTPFailure) { try codec.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &parts) } catch
    {
      codes.append(error.code)
    }
    do throws(HTTPFailure) { try codec.next(&parts) } catch { codes.append(error.code) }
    do throws(HTTPFailure) { try codec.receiveEnd(&parts) } catch { codes.append(error.code) }
    require(parts.isEmpty, "a part after a failure")
    require(codes == codes.map { _ in self.failure }, "another failure: \(codes)")
    require(codes.count == 3, "a failure that was forgotten")
    require(codec.takeLeftover().isEmpty, "a leftover after a failure")
  }

  /// Where nothing was chunked, every octet that came is in a head, in a body or left over; but for the
  /// empty lines before requests.
  func checkSizes() {
    let all = self.messages
    guard self.failure == nil, !all.contains(where: { $0.framing == .chunked || !$0.isComplete })
    else { return }
    let count = self.rawCount + all.reduce(0) { $0 + $1.body.count } + self.leftover
    require(count <= self.inputCount, "\(count) octets from \(self.inputCount)")
    let lost = self.inputCount - count
    require(lost % 2 == 0 && lost <= 2 * (all.count + 1), "\(lost) octets are lost")
    require(!self.setup.isClient || lost == 0, "\(lost) octets of responses are lost")
  }

  /// What was read can be sent, and is then read as the same.
  func checkSerialising() {
    for (message, parts) in zip(self.messages, self.parts) {
      var sender = HTTP1Codec(
        role: self.setup.isClient ? .server : .client,
        limits: self.setup.limits
      )
      if self.setup.isClient { sender.willAnswer(method: self.setup.method) }
      var output: [UInt8] = []
      do throws(HTTPFailure) {
        for part in parts { try sender.send(part, &output) }
      } catch {
        fail("what was read cannot be sent: \(error.detail)")
      }
      require(sender.sentFraming == message.framing, "sent with another framing")
      let setup = Setup(sending: self.setup, untilClose: message.framing == .untilClose)
      let again = Reading(Bytes(output), .whole, setup)
      require(again.failure == nil, "what was sent is refused: \(again.outcome)")
      require(again.messages == [message], "what was sent is read as something else")
      require(again.leftover == 0, "more was sent than a message")
    }
  }
}

extension Setup {
  /// A reader of what is sent again: with the default limits, as our own lines may be longer.
  fileprivate init(sending other: Setup, untilClose: Bool) {
    self.isClient = other.isClient
    self.closes = untilClose
    self.limits = Limits()
    self.method = other.method
  }
}

extension MessagePart {
  fileprivate var isEnd: Bool {
    if case .end = self { return true }
    return false
  }
}
