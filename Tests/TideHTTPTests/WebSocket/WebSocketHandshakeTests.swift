import TideCore
import Testing

@testable import TideHTTP

@Suite struct WebSocketHandshakeTests {
  private static let key = "dGhlIHNhbXBsZSBub25jZQ=="
  private static let upgrade = [
    ("Host", "chat.example"), ("Upgrade", "h2c, WebSocket"), ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Key", key), ("Sec-WebSocket-Version", "13"),
    (
      "Sec-WebSocket-Extensions",
      "permessage-deflate; client_max_window_bits, x-own; a=\"b\""
    ),
  ]
  private static let accepted = [
    ("Upgrade", "websocket"), ("Connection", "Upgrade"),
    ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
  ]

  private func request(
    _ fields: [(String, String)] = Self.upgrade,
    method: String = "GET",
    version: HTTPVersion = .http11,
    protocolName: Bytes? = nil
  ) -> MessageHead {
    MessageHead(
      start: .request(method: Bytes(method), target: "/chat"),
      version: version,
      fields: HeaderFields(fields),
      pseudo: version == .http2
        ? PseudoFields(scheme: "https", authority: "chat.example", protocolName: protocolName) : nil
    )
  }

  private func response(_ fields: [(String, String)], status: Int = 101) -> MessageHead {
    MessageHead(start: .response(status: status, reason: ""), fields: HeaderFields(fields))
  }

  private func replacing(
    _ fields: [(String, String)],
    _ name: String,
    _ values: [String]
  ) -> [(String, String)] {
    fields.filter { $0.0 != name } + values.map { (name, $0) }
  }

  @Test("An upgrade as RFC 6455 §1.3 has it is a WebSocket once the server accepts its key")
  func accepts() throws {
    let handshake = try #require(WebSocketHandshake(request: self.request()))
    #expect(handshake.method == .upgrade(key: Bytes(Self.key)))
    #expect(handshake.accepts(self.response(Self.accepted)))
    #expect(!handshake.accepts(self.response(Self.accepted, status: 200)))
    for (name, values) in [
      ("Sec-WebSocket-Accept", ["s3pPLMBiTxaQ9kYGzzhZRbK+xOp="]), ("Sec-WebSocket-Accept", []),
      ("Sec-WebSocket-Accept", ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "other"]), ("Upgrade", ["h2c"]),
      ("Upgrade", ["websocket, h2c"]), ("Connection", ["close"]), ("Connection", []),
    ] {
      let other = self.response(self.replacing(Self.accepted, name, values))
      #expect(!handshake.accepts(other), "\(name): \(values)")
    }
  }

  @Test("What is not quite an upgrade to a WebSocket is none")
  func notUpgrades() {
    #expect(WebSocketHandshake(request: self.request(method: "POST")) == nil)
    #expect(WebSocketHandshake(request: self.request(version: .http10)) == nil)
    for (name, values) in [
      ("Upgrade", []), ("Upgrade", ["h2c"]), ("Connection", ["keep-alive"]),
      ("Sec-WebSocket-Version", ["8"]), ("Sec-WebSocket-Version", ["13", "13"]),
      ("Sec-WebSocket-Version", []), ("Sec-WebSocket-Key", []), ("Sec-WebSocket-Key", ["short=="]),
      ("Sec-WebSocket-Key", [Self.key, Self.key]),
      ("Sec-WebSocket-Key", ["dGhlIHNhbXBsZSBub25jZQ=A"]),
      ("Sec-WebSocket-Key", ["dGhlIHNhbXBsZSBub25j-Q=="]),
    ] {
      let fields = self.replacing(Self.upgrade, name, values)
      #expect(WebSocketHandshake(request: self.request(fields)) == nil, "\(name): \(values)")
    }
  }

  @Test("An extended CONNECT for a WebSocket needs no key and is accepted by a success")
  func extendedConnect() throws {
    let fields = [
      ("sec-websocket-version", "13"), ("sec-websocket-extensions", "permessage-deflate"),
    ]
    let head = self.request(
      fields,
      method: "CONNECT",
      version: .http2,
      protocolName: "websocket"
    )
    let handshake = try #require(WebSocketHandshake(request: head))
    #expect(handshake.method == .extendedConnect)
    #expect(handshake.accepts(self.response([], status: 200)))
    #expect(!handshake.accepts(self.response([], status: 403)))
    let agreed = self.response([("sec-websocket-extensions", "permessage-deflate")], status: 200)
    #expect(try handshake.extensions(agreedIn: agreed) == .deflate(PerMessageDeflate()))
    for (method, name) in [("CONNECT", nil), ("CONNECT", "connect-udp"), ("GET", "websocket")]
      as [(String, Bytes?)]
    {
      let other = self.request(fields, method: method, version: .http2, protocolName: name)
      #expect(WebSocketHandshake(request: other) == nil)
    }
  }

  private func agreed(_ values: String...) throws -> WebSocketExtensions {
    let handshake = try #require(WebSocketHandshake(request: self.request()))
    return try handshake.extensions(
      agreedIn: self.response(values.map { ("Sec-WebSocket-Extensions", $0) })
    )
  }

  @Test("The parameters of permessage-deflate are read as the server answers them")
  func deflate() throws {
    #expect(try self.agreed() == .none)
    #expect(try self.agreed("") == .none)
    #expect(try self.agreed("permessage-deflate") == .deflate(PerMessageDeflate()))
    var deflate = PerMessageDeflate()
    deflate.serverNoContextTakeover = true
    deflate.clientMaxWindowBits = 10
    deflate.serverMaxWindowBits = 8
    #expect(
      try self.agreed(
        "permessage-deflate ;server_no_context_takeover; client_max_window_bits = \"1\\0\";"
          + " server_max_window_bits=8"
      ) == .deflate(deflate)
    )
    #expect(deflate.windowBits(of: .client) == 10 && deflate.windowBits(of: .server) == 8)
    #expect(deflate.keepsContext(of: .client) && !deflate.keepsContext(of: .server))
    #expect(
      try self.agreed("Permessage-Deflate; Client_No_Context_Takeover")
        == {
          var deflate = PerMessageDeflate()
          deflate.clientNoContextTakeover = true
          return .deflate(deflate)
        }()
    )
  }

  @Test("An extension that we do not know makes the frames unreadable, alone or beside deflate")
  func unknown() throws {
    #expect(try self.agreed("x-own; a=b") == .unknown("x-own"))
    #expect(try self.agreed("permessage-deflate", "x-own") == .unknown("x-own"))
  }

  @Test(
    "An answer that cannot be meant is refused",
    arguments: [
      "permessage-deflate, permessage-deflate", "permessage-deflate; client_max_window_bits",
      "permessage-deflate; server_max_window_bits=7",
      "permessage-deflate; server_max_window_bits=16",
      "permessage-deflate; server_max_window_bits=08", "permessage-deflate; unknown",
      "permessage-deflate; unknown=9", "permessage-deflate; server_no_context_takeover=1",
      "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
      "permessage-deflate;", "permessage-deflate; =1", "permessage-deflate x", ";", "a=b",
      "permessage-deflate; server_max_window_bits=\"9",
      "permessage-deflate; server_max_window_bits=",
      "x-own; a=\"\"", "x-own; a=\"b c\"", "x-own; a=\"\\",
    ]
  )
  func refused(value: String) throws {
    #expect(throws: WebSocketFailure.self) { try self.agreed(value) }
  }

  @Test("Random extension fields never trap")
  func hostile() throws {
    var random = SeededRandom(3)
    let words = [
      "permessage-deflate", ";", ",", "=", "\"", "\\", " ", "x", "server_max_window_bits", "9",
    ]
    for _ in 0..<3_000 {
      let count = Int.random(in: 0...12, using: &random)
      let value = (0..<count).map { _ in words.randomElement(using: &random) ?? "" }.joined()
      let fields = self.replacing(Self.upgrade, "Sec-WebSocket-Extensions", [value])
      let handshake = try #require(WebSocketHandshake(request: self.request(fields)))
      do throws(WebSocketFailure) {
        _ = try handshake.extensions(
          agreedIn: self.response([("Sec-WebSocket-Extensions", value)])
        )
      } catch { #expect(error.code == .protocolError) }
    }
  }

  @Test(
    "An extension that was not offered is refused; whatever a malformed offer means may be agreed"
  )
  func notOffered() throws {
    let agreed = self.response([("Sec-WebSocket-Extensions", "permessage-deflate")])
    for (offers, isRefused) in [([], true), (["x-own"], true), (["; ;"], false)]
      as [([String], Bool)]
    {
      let fields = self.replacing(Self.upgrade, "Sec-WebSocket-Extensions", offers)
      let handshake = try #require(WebSocketHandshake(request: self.request(fields)))
      let agreement = try? handshake.extensions(agreedIn: agreed)
      #expect((agreement == nil) == isRefused)
    }
  }
}
