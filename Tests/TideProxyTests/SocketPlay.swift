import Testing
import TideCoding
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

/// How a playbook's device asks for a WebSocket.
enum SocketWay: CaseIterable, Sendable {
  case upgrade
  case extendedConnect
}

/// One end of a WebSocket: it writes frames, and tells what it reads as text.
final class SocketEnd {
  let sender: WebSocketReader.Sender
  private var reader: WebSocketReader
  private var inflater: MessageInflater?
  private var deflater: MessageDeflater?
  private var payload: [UInt8] = []
  private var frames = 0
  private var isCompressed = false
  /// What was read: `text hello`, `text hello in 2`, `ping x`, `close 1000 bye`.
  private(set) var heard: [String] = []
  /// Every byte that was read.
  private(set) var raw: [UInt8] = []
  private(set) var failure: WebSocketFailure?

  init(_ sender: WebSocketReader.Sender, deflates: Bool) {
    self.sender = sender
    self.reader = WebSocketReader(
      from: sender == .client ? .server : .client,
      allowsCompression: deflates
    )
    guard deflates else { return }
    self.deflater = MessageDeflater(keepsContext: true)
    self.inflater = MessageInflater(
      keepsContext: true,
      limits: DecodingLimits(decodedBytes: 1 << 20, ratio: 1_000)
    )
  }

  private var mask: UInt32? { self.sender == .client ? 0x1234_5678 : nil }

  func frame(
    _ opcode: WebSocketFrame.Opcode,
    _ text: String,
    isFinal: Bool = true
  ) -> Bytes {
    WebSocketWriter.frame(opcode, Bytes(text), isFinal: isFinal, mask: self.mask)
  }

  func close(_ code: UInt16, _ reason: String = "") -> Bytes {
    WebSocketWriter.close(code, reason: reason, mask: self.mask)
  }

  /// A whole text message, compressed with what came before it.
  func compressed(_ text: String) -> Bytes {
    var pieces: [Bytes] = []
    self.deflater?.deflate(Bytes(text), &pieces)
    self.deflater?.finishMessage(&pieces)
    return WebSocketWriter.frame(
      .text,
      Bytes(pieces.flatMap(\.array)),
      isCompressed: true,
      mask: self.mask
    )
  }

  func hear(_ bytes: Bytes) {
    guard !bytes.isEmpty else { return }
    self.raw += bytes.array
    var pieces: [WebSocketPiece] = []
    do throws(WebSocketFailure) {
      try self.reader.receive(bytes, &pieces)
    } catch {
      self.failure = error
    }
    for piece in pieces { self.hear(piece) }
  }

  private func hear(_ piece: WebSocketPiece) {
    switch piece {
    case .frame(let frame, _):
      if frame.opcode != .continuation { self.isCompressed = frame.isCompressed }
      self.frames += 1
    case .payload(let payload, _, let endsMessage, _):
      self.payload += payload.array
      if endsMessage { self.endMessage() }
    case .control(.close, let payload, _):
      guard let close = try? WebSocketClose(payload: payload) else { return }
      let reason = close.reason.isEmpty ? "" : " \(close.reason.text)"
      self.heard.append("close \(close.code ?? 0)\(reason)")
    case .control(let kind, let payload, _):
      self.heard.append("\(kind.rawValue) \(payload.text)")
    }
  }

  private func endMessage() {
    var text = Bytes(self.payload)
    if self.isCompressed {
      var pieces: [Bytes] = []
      do throws(CodingFailure) {
        try self.inflater?.inflate(text, &pieces)
        try self.inflater?.finishMessage(&pieces)
      } catch {
        Issue.record("a message does not inflate: \(error.detail)")
      }
      text = Bytes(pieces.flatMap(\.array))
    }
    self.heard.append("text \(text.text)" + (self.frames > 1 ? " in \(self.frames)" : ""))
    self.payload = []
    self.frames = 0
  }
}

/// A playbook with a WebSocket between its device and its server.
final class SocketPlay {
  let book: Playbook
  let http2: HTTP2Play?
  let device: SocketEnd
  let server: SocketEnd
  private let cut: Cut
  private(set) var stream = StreamID(0)

  static let upgrade =
    "GET /chat HTTP/1.1\r\nHost: api.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
  static let agreement =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

  /// Makes the connection; with `opens`, the WebSocket too.
  convenience init(
    _ way: SocketWay,
    _ cut: Cut = .whole,
    mode: Mode = .record,
    rules: [Rule] = [],
    limits: Limits = Limits(),
    extensions: String? = nil,
    opens: Bool = true
  ) throws {
    switch way {
    case .upgrade:
      let book = try Playbook(mode: mode, rules: rules, limits: limits)
      try book.tunnel()
      self.init(book, nil, cut, extensions: extensions)
    case .extendedConnect:
      let play = try HTTP2Play(
        cut,
        mode: mode,
        rules: rules,
        limits: limits,
        offersWebSocket: true
      )
      self.init(play.book, play, cut, extensions: extensions)
    }
    guard opens else { return }
    self.ask(extensions)
    try self.agree(extensions)
  }

  /// Takes a connection on which both speak HTTP/1.1, or HTTP/2 if there is a play.
  init(_ book: Playbook, _ http2: HTTP2Play?, _ cut: Cut = .whole, extensions: String? = nil) {
    let deflates = extensions?.hasPrefix("permessage-deflate") == true
    self.cut = cut
    self.book = book
    self.http2 = http2
    self.device = SocketEnd(.client, deflates: deflates)
    self.server = SocketEnd(.server, deflates: deflates)
  }

  /// The device asks for the WebSocket.
  func ask(_ extensions: String? = nil) {
    guard let http2 = self.http2 else {
      let offer = extensions.map { "Sec-WebSocket-Extensions: \($0)\r\n" } ?? ""
      self.book.device(Self.upgrade + offer + "\r\n", in: self.cut)
      return
    }
    let offer = extensions.map { [("sec-websocket-extensions", $0)] } ?? []
    self.stream = http2.open(
      "CONNECT",
      "/chat",
      [("sec-websocket-version", "13")] + offer,
      protocolName: "websocket"
    )
  }

  /// The server agrees, and what both have heard by then is forgotten.
  func agree(_ extensions: String? = nil) throws {
    if let http2 = self.http2 {
      #expect(http2.asked.last?.head?.pseudo?.protocolName == "websocket")
      let agreed = extensions.map { [("sec-websocket-extensions", $0)] } ?? []
      try http2.reply(to: "/chat", 200, agreed, isLast: false)
      #expect(http2.answer(self.stream).status == 200)
    } else {
      let asked = self.book.serverGot()
      #expect(asked.hasPrefix("GET /chat HTTP/1.1\r\n"))
      #expect(asked.contains("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"))
      let agreed = extensions.map { "Sec-WebSocket-Extensions: \($0)\r\n" } ?? ""
      self.book.server(Self.agreement + agreed + "\r\n", in: self.cut)
      let got = self.book.deviceGotBytes()
      #expect(got.text.hasPrefix(Self.agreement))
      // What the machine says right after the handshake.
      let head = Self.agreement.utf8.count + agreed.utf8.count + 2
      if got.count > head { self.device.hear(got.dropping(first: head)) }
    }
  }

  func deviceSends(_ frames: Bytes...) {
    for frame in frames {
      if let http2 = self.http2 {
        http2.upload(frame, on: self.stream)
      } else {
        for piece in self.cut.pieces(of: frame) { self.book.device(bytes: piece) }
      }
    }
    self.listen()
  }

  func serverSends(_ frames: Bytes...) throws {
    for frame in frames {
      if let http2 = self.http2 {
        try http2.send(frame, to: "/chat")
      } else {
        for piece in self.cut.pieces(of: frame) { self.book.server(bytes: piece) }
      }
    }
    self.listen()
  }

  /// Lets both ends hear what has come to them.
  func listen() {
    if let http2 = self.http2 {
      http2.settle()
      self.device.hear(Bytes(http2.answer(self.stream).body).dropping(first: self.device.raw.count))
      if let asked = http2.asked.last(where: { $0.path == "/chat" }) {
        self.server.hear(Bytes(asked.body).dropping(first: self.server.raw.count))
      }
    } else {
      self.device.hear(self.book.deviceGotBytes())
      self.server.hear(self.book.serverGotBytes())
    }
  }

  /// The connection or the stream was ended for both.
  var isOver: Bool {
    guard let http2 = self.http2 else {
      return self.book.downstreamClose != nil && self.book.upstreamClose != nil
    }
    let answer = http2.answer(self.stream)
    let asked = http2.asked.last { $0.path == "/chat" }
    return (answer.isWhole || answer.reset != nil)
      && (asked?.isWhole == true || asked?.reset != nil)
  }

  func expectCleanEnd(sourceLocation: Testing.SourceLocation = #_sourceLocation) {
    if let http2 = self.http2 {
      http2.expectCleanEnd(sourceLocation: sourceLocation)
    } else {
      self.book.expectCleanEnd(sourceLocation: sourceLocation)
    }
  }
}
