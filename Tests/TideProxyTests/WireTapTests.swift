import Testing
import TideCore
import TidePolicy
import TideTLS

@testable import TideProxy

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// What the device's socket saw is recorded, and what is not to be kept is not.
@Suite struct WireTapTests {
  private let established = Array("HTTP/1.1 200 Connection established\r\n\r\n".utf8)

  /// What was recorded of one side, and how often it was said to have ended.
  private func wire(_ book: Playbook, _ side: Direction) -> (bytes: [UInt8], ends: Int) {
    var bytes: [UInt8] = []
    var ends = 0
    for case .wire(_, side, let piece, _) in book.sink.events {
      bytes += piece.array
      ends += piece.isEmpty ? 1 : 0
    }
    return (bytes, ends)
  }

  /// All that the machine gave the device's socket.
  private func given(_ book: Playbook) -> [UInt8] {
    book.log.reduce(into: []) { bytes, command in
      if case .send(.downstream, let piece) = command { bytes += piece.array }
    }
  }

  @Test(
    "Of a tunnel, the device's TLS is recorded from its hello on, byte for byte, and not its CONNECT",
    arguments: Cut.allCases
  )
  func tunnel(cut: Cut) throws {
    let book = try Playbook(cut, keepsWire: true)
    try book.tunnel()
    book.device("GET /a HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server(ok)
    #expect(book.deviceGot().hasSuffix("ok"))
    let came = Bytes(book.deviceBytes)  // what comes once all is over is not heard
    book.expectCleanEnd()
    let connect = Array("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n".utf8)
    let (request, requestEnds) = self.wire(book, .request)
    #expect(Bytes(connect + request) == came)
    #expect(request.prefix(2) == [0x16, 0x03])
    let (response, responseEnds) = self.wire(book, .response)
    #expect(Bytes(self.established + response) == Bytes(self.given(book)))
    #expect(response.prefix(2) == [0x16, 0x03])
    #expect(requestEnds == 1)
    #expect(responseEnds == 1)
  }

  @Test("A hello that came with its CONNECT is recorded, and the CONNECT is not")
  func earlyHello() throws {
    let book = try Playbook(keepsWire: true)
    let session = try TLSSession.client(
      TLSClientContext(roots: .pem(World.proxyCA.get().certificatePEM)),
      host: World.host("api.example"),
      applicationProtocols: []
    )
    let hello = session.takeOutput()
    var flight: Bytes = "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example\r\n\r\n"
    flight.append(hello)
    book.deviceRaw(flight)
    book.resolve("192.0.2.7")
    try book.connect(as: "api.example", selecting: nil)
    #expect(self.wire(book, .request).bytes == hello.array)
  }

  @Test("A connection in plain is recorded whole, from its first byte on", arguments: Cut.allCases)
  func plain(cut: Cut) throws {
    let book = try Playbook(cut, keepsWire: true)
    for number in 1...2 {
      book.device("GET http://api.example/\(number) HTTP/1.1\r\nHost: api.example\r\n\r\n")
      if number == 1 { try book.way() }
      book.server(ok)
    }
    let came = Bytes(book.deviceBytes)
    book.expectCleanEnd()
    #expect(Bytes(self.wire(book, .request).bytes) == came)
    #expect(Bytes(self.wire(book, .response).bytes) == Bytes(self.given(book)))
    #expect(self.wire(book, .response).ends == 1)
  }

  @Test("A hello where a request was expected is recorded as it came, and is the end")
  func strayHello() throws {
    let book = try Playbook(keepsWire: true)
    book.device("GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n")
    try book.way()
    book.server(ok)
    book.deviceRaw(Bytes([0x16, 0x03, 0x01]))
    book.expectCleanEnd()
    let (request, ends) = self.wire(book, .request)
    #expect(
      Bytes(request).array.suffix(5).elementsEqual([0x0D, 0x0A, 0x16, 0x03, 0x01] as [UInt8])
    )
    #expect(ends == 1)
  }

  @Test("Credentials for the proxy are hidden where they stand, and nothing else is touched")
  func credentials() throws {
    let value = "Basic cmVkbWktdXNlcjpvcGVu"
    let request =
      "POST http://api.example/ HTTP/1.1\r\nHost: api.example\r\npRoxy-authorization: \(value)\r\n"
      + "X: \(value)\r\nContent-Length: 5\r\n\r\nhello"
    for cut in Cut.allCases {
      let book = try Playbook(cut, keepsWire: true)
      book.device(request)
      try book.way()
      book.server(ok)
      let stars = "***** " + String(repeating: "*", count: 20)
      #expect(
        String(decoding: self.wire(book, .request).bytes, as: UTF8.self)
          == request.replacing("authorization: \(value)", with: "authorization: \(stars)")
      )
    }
  }

  @Test("What is passed on undecrypted is not recorded, but for the hello that told it apart")
  func passthrough() throws {
    let book = try Playbook(passthrough: ["api.example"], keepsWire: true)
    try book.tunnel()
    book.device("GET /secret HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server(ok)
    let (request, _) = self.wire(book, .request)
    try #require(request.count > 5)
    #expect(request.prefix(2) == [0x16, 0x03])
    #expect(request.count == 5 + Int(request[3]) << 8 + Int(request[4]), "one record")
    #expect(self.wire(book, .response).bytes.isEmpty)
  }

  @Test("A refused CONNECT leaves nothing, and neither does a connection that said nothing")
  func refused() throws {
    let book = try Playbook(keepsWire: true)
    book.device("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.resolveFails()
    book.expectCleanEnd()
    let silent = try Playbook(keepsWire: true)
    silent.give(.closed(.downstream, .end))
    for events in [book.sink.events, silent.sink.events] {
      #expect(!events.contains { if case .wire = $0 { true } else { false } })
    }
  }

  @Test("Without case.wire, in observe mode, and of the proxy's own requests nothing is recorded")
  func notKept() throws {
    for (mode, keepsWire) in [(Mode.record, false), (.observe, true)] {
      let book = try Playbook(mode: mode, keepsWire: keepsWire)
      try book.tunnel()
      book.device("GET /a HTTP/1.1\r\nHost: api.example\r\n\r\n")
      book.server(ok)
      #expect(!book.sink.events.contains { if case .wire = $0 { true } else { false } })
    }
    let book = try Playbook(keepsWire: true)
    let own = ConnectionMachine(
      ownIn: book.context,
      onBehalf: "redmi",
      at: Moment(instant: Instant(nanoseconds: 1), wall: World.wall)
    )
    var commands: [Command] = []
    own.handle(
      .received(.downstream, "GET http://192.0.2.7/ HTTP/1.1\r\nHost: 192.0.2.7\r\n\r\n"),
      at: Moment(instant: Instant(nanoseconds: 2), wall: World.wall),
      &commands
    )
    #expect(!book.sink.events.contains { if case .wire = $0 { true } else { false } })
  }

  @Test("A head that comes byte by byte waits as one piece, with the time of its first byte")
  func slowHead() throws {
    let book = try Playbook(.everyByte, keepsWire: true)
    book.device("GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n")
    let pieces = book.sink.events.filter { if case .wire = $0 { true } else { false } }
    #expect(pieces.count == 1)
  }
}
