import Testing
import TideCore

@testable import TideTLS

@Suite struct ClientHelloParserTests {
  @Test("Name, protocols, versions and ECH are read, GREASE is left out")
  func facts() throws {
    let wire = HelloText().wire()
    let hello = try #require(parse(wire).hello)
    #expect(hello.serverName?.text == "www.example")
    #expect(!hello.hasMalformedServerName)
    #expect(hello.applicationProtocols == ["h2", "http/1.1"])
    #expect(hello.versions == [0x0304, 0x0303])
    #expect(hello.hasEncryptedHello)
    #expect(hello.raw.array == wire)
  }

  @Test("A hello without extensions is one of its legacy version")
  func noExtensions() throws {
    var text = HelloText()
    text.extensions = nil
    let hello = try #require(parse(text.wire()).hello)
    #expect(hello.serverName == nil)
    #expect(hello.applicationProtocols.isEmpty)
    #expect(hello.versions == [0x0303])
    #expect(!hello.hasEncryptedHello)
  }

  @Test("The hello is the same however it is split into segments and records")
  func splits() throws {
    let text = HelloText()
    for recordSize in [1, 2, 3, 17, 100, 16_384] {
      let wire = text.wire(recordSize: recordSize)
      var parser = ClientHelloParser(limits: Limits())
      for index in wire.indices.dropLast() {
        guard case .needMore = parser.receive(Bytes([wire[index]])) else {
          Issue.record("final after \(index + 1) of \(wire.count) bytes")
          return
        }
      }
      let hello = try #require(parser.receive(Bytes([wire[wire.count - 1]])).hello)
      #expect(hello.serverName?.text == "www.example")
      #expect(hello.raw.array == wire)
      for index in 1..<wire.count {
        var halves = ClientHelloParser(limits: Limits())
        _ = halves.receive(Bytes(Array(wire[..<index])))
        #expect(halves.receive(Bytes(Array(wire[index...]))).hello != nil)
      }
    }
  }

  @Test("A hello of 60 kB is read, also by a server session", arguments: [1, 100, 16_384])
  func large(recordSize: Int) throws {
    let root = try TestIdentity.authority("root")
    let leaf = try TestIdentity.server([host("server.example")], issuer: root).leaf()
    var text = HelloText()
    text.extensions?.append((21, [UInt8](repeating: 0, count: 60_000)))  // padding, RFC 7685
    var limits = Limits()
    limits.helloBytes = 512 << 10
    let hello = try #require(parse(text.wire(recordSize: recordSize), limits: limits).hello)
    #expect(hello.serverName?.text == "www.example")
    // It has no key share, so the server asks for another hello, which shows that it read this one.
    let server = try TLSSession.server(
      TLSServerContext(),
      leaf: leaf,
      applicationProtocol: "h2",
      maximumVersion: nil
    )
    var plaintext: [Bytes] = []
    try server.receive(hello.raw, &plaintext)
    let answer = server.takeOutput().array
    #expect(answer.first == 22)
  }

  @Test(
    "What is not TLS is known by its first byte",
    arguments: ["GET / HTTP/1.1\r\n", "\u{0}", "SSH"]
  )
  func notTLS(text: String) {
    guard case .notTLS = parse([Array(text.utf8)[0]]) else {
      Issue.record("taken for TLS")
      return
    }
  }

  @Test("A record of no TLS version is not TLS")
  func wrongRecordVersion() {
    guard case .notTLS = parse([0x16, 2, 0, 0, 10]) else {
      Issue.record("taken for TLS")
      return
    }
  }

  @Test("What breaks the grammar is refused, saying why")
  func malformed() {
    var cases: [(String, [UInt8])] = [
      ("empty record", [0x16, 3, 1, 0, 0]),
      ("record over 16 KiB", [0x16, 3, 1, 0x40, 1]),
      ("server hello", [0x16, 3, 1, 0, 4, 2, 0, 0, 0]),
      ("empty hello", [0x16, 3, 1, 0, 4, 1, 0, 0, 0]),
    ]
    let good = HelloText().wire(recordSize: 100)
    var interrupted = good
    interrupted[105] = 21
    cases.append(("alert between fragments", interrupted))
    cases.append(("bytes after", HelloText().wire(suffix: [1])))
    func with(_ change: (inout HelloText) -> Void) -> [UInt8] {
      var text = HelloText()
      change(&text)
      return text.wire()
    }
    cases += [
      ("long session id", with { $0.session = [UInt8](repeating: 1, count: 33) }),
      ("no suites", with { $0.suites = [] }),
      ("half a suite", with { $0.suites = [0x13] }),
      ("no compression", with { $0.compression = [] }),
      ("extension twice", with { $0.extensions?.append((16, [0, 3, 2, 0x68, 0x32])) }),
      ("empty ALPN", with { $0.extensions = [(16, [0, 0])] }),
      ("nameless protocol", with { $0.extensions = [(16, [0, 1, 0])] }),
      ("ALPN too short", with { $0.extensions = [(16, [0, 9, 2, 0x68])] }),
      ("no versions", with { $0.extensions = [(43, [0])] }),
      ("half a version", with { $0.extensions = [(43, [3, 3, 4, 3])] }),
    ]
    for (name, wire) in cases {
      guard case .malformed(let reason) = parse(wire) else {
        Issue.record("not refused: \(name)")
        continue
      }
      #expect(!reason.isEmpty)
    }
  }

  @Test("A server name that is no host name is noted, not dropped")
  func malformedNames() throws {
    for value: [UInt8] in [
      [], [0, 0], HelloText.serverName("192.0.2.1"), HelloText.serverName("a..example"),
      HelloText.serverName("www.example\0.example"), HelloText.serverName(""),
      HelloText.serverName(String(repeating: "a.", count: 200)), [0, 5, 0, 0, 2, 0xFF, 0xFE],
      [0, 10, 0, 0, 2, 0x61, 0x62, 0, 0, 2, 0x63, 0x64], [0, 5, 1, 0, 2, 0x61, 0x62],
    ] {
      var text = HelloText()
      text.extensions = [(0, value)]
      let hello = try #require(parse(text.wire()).hello)
      #expect(hello.serverName == nil)
      #expect(hello.hasMalformedServerName)
    }
    var text = HelloText()
    text.extensions = [(0, HelloText.serverName("WWW.Example."))]
    #expect(parse(text.wire()).hello?.serverName?.text == "www.example")
  }

  @Test("An endless hello is stopped at the limit, an announced one before it arrives")
  func bounded() {
    var limits = Limits()
    limits.helloBytes = 1_000
    let announced: [UInt8] = [0x16, 3, 1, 0, 4, 1, 0, 0x10, 0]
    guard case .tooLarge = parse(announced, limits: limits) else {
      Issue.record("an announced size over the limit was accepted")
      return
    }
    // One byte of an announced 900 in each record, so that the records are over the limit.
    var parser = ClientHelloParser(limits: limits)
    var taken = 0
    var state = parser.receive(Bytes([0x16, 3, 1, 0, 4, 1, 0, 3, 0x84]))
    while case .needMore = state, taken < 10_000 {
      state = parser.receive(Bytes([0x16, 3, 1, 0, 1, 0]))
      taken += 6
    }
    guard case .tooLarge = state else {
      Issue.record("endless: \(state)")
      return
    }
    #expect(taken <= 1_000)
    // A final state takes nothing more.
    _ = parser.receive(Bytes([UInt8](repeating: 0, count: 5_000)))
    #expect(parser.raw.count <= 1_100)
  }

  @Test("Mutated hellos never trap, and whole ones always give back their bytes")
  func mutations() {
    var generator = SplitMix(seed: 36)
    let seeds = [HelloText().wire(), HelloText().wire(recordSize: 40), HelloText.minimal.wire()]
    var parsed = 0
    for round in 0..<6_000 {
      var wire = seeds[round % seeds.count]
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let index = Int.random(in: 0..<wire.count, using: &generator)
        switch UInt8.random(in: 0...3, using: &generator) {
        case 0: wire[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: wire.remove(at: index)
        case 2: wire.insert(UInt8.random(in: 0...255, using: &generator), at: index)
        default: wire.removeSubrange(index...)
        }
        if wire.isEmpty { wire = [0x16] }
      }
      let cut = Int.random(in: 0...wire.count, using: &generator)
      var parser = ClientHelloParser(limits: Limits())
      var state = parser.receive(Bytes(Array(wire[..<cut])))
      if case .needMore = state { state = parser.receive(Bytes(Array(wire[cut...]))) }
      guard case .hello(let hello) = state else { continue }
      parsed += 1
      #expect(wire.starts(with: hello.raw.array))
    }
    #expect(parsed > 300)
  }

  private func parse(_ wire: [UInt8], limits: Limits = Limits()) -> ClientHelloParser.State {
    var parser = ClientHelloParser(limits: limits)
    return parser.receive(Bytes(wire))
  }
}

extension ClientHelloParser.State {
  /// The facts, if the hello is complete.
  fileprivate var hello: HelloFacts? {
    if case .hello(let facts) = self { return facts }
    return nil
  }
}
