import COpenSSL
import Testing
import TideCore

@testable import TideTLS

/// Hellos of every legal form, and some that are not, through our parser and through libssl.
@Suite struct HelloFormTests {
  private let reader: ServerReader

  init() throws { self.reader = try ServerReader() }

  /// Reads a hello, which must be complete with the last byte.
  private func parse(_ wire: [UInt8], pieces: Int = .max) throws -> HelloFacts {
    var parser = ClientHelloParser(limits: Limits())
    var rest = Bytes(wire)
    while !rest.isEmpty {
      let piece = rest.slice(0..<min(pieces, rest.count))
      rest = rest.dropping(first: piece.count)
      switch parser.receive(piece) {
      case .needMore where !rest.isEmpty: continue
      case .hello(let hello) where rest.isEmpty: return hello
      case let state: throw Unexpected(state: "\(state) before \(rest.count) bytes")
      }
    }
    throw Unexpected(state: "no bytes")
  }

  private struct Unexpected: Error {
    let state: String
  }

  @Test(
    "TLS-36: a hello in segments or records of one byte, or in many records, is answered",
    arguments: [(1, .max), (1, 1), (.max, 1), (2, 3), (100, .max), (100, 7)] as [(Int, Int)]
  )
  func splits(recordSize: Int, pieces: Int) throws {
    let wire = HelloText.modern.wire(recordSize: min(recordSize, 16_384))
    let hello = try self.parse(wire, pieces: pieces)
    #expect(hello.serverName?.text == "www.example")
    let reading = try self.reader.read(hello.raw)
    #expect(reading.answer == .serverHello)
    #expect(reading.agrees(with: hello))
  }

  @Test("TLS-36: GREASE in every place that may hold it is answered and told to nobody")
  func grease() throws {
    let hello = try self.parse(HelloText.greased.wire())
    #expect(hello.versions == [0x0304, 0x0303])
    #expect(hello.applicationProtocols == ["h2", "http/1.1"])
    let plain = try self.parse(HelloText.modern.wire())
    #expect(hello.fingerprint == plain.fingerprint)
    let reading = try self.reader.read(hello.raw)
    #expect(reading.answer == .serverHello)
    #expect(reading.agrees(with: hello))
  }

  @Test("TLS-36, TLS-60: ECH GREASE is noted and answered")
  func encryptedHello() throws {
    var text = HelloText.modern
    // Outer, HKDF-SHA256, AES-128-GCM, a config id, a key of 32 bytes, a payload of 176.
    let content: [UInt8] =
      [0, 0, 1, 0, 1, 0x5C] + HelloText.number(32) + [UInt8](repeating: 3, count: 32)
      + HelloText.number(176) + [UInt8](repeating: 0xE5, count: 176)
    text.extensions?.append((0xFE0D, content))
    let hello = try self.parse(text.wire())
    #expect(hello.hasEncryptedHello)
    #expect(hello.serverName?.text == "www.example")
    let reading = try self.reader.read(hello.raw)
    #expect(reading.answer == .serverHello)
    #expect(reading.agrees(with: hello))
    #expect(!(try self.parse(HelloText.modern.wire())).hasEncryptedHello)
  }

  @Test(
    "TLS-36: a share of a post-quantum hybrid group, 1,216 bytes, is answered",
    arguments: [1, 16_384]
  )
  func postQuantum(recordSize: Int) throws {
    var text = HelloText.modern
    text.replace(10, with: [0, 4, 0x11, 0xEC, 0, 29])
    // ML-KEM's key of zeros is a valid one; X25519's half follows it.
    let hybrid = [UInt8](repeating: 0, count: 1_184) + [UInt8](repeating: 9, count: 32)
    text.replace(51, with: HelloText.keyShares([(0x11EC, hybrid), (29, HelloText.point)]))
    let hello = try self.parse(text.wire(recordSize: recordSize))
    let reading = try self.reader.read(hello.raw)
    #expect(reading.answer == .serverHello)
    #expect(reading.agrees(with: hello))
  }

  @Test("TLS-36: a padded hello of 60 kB is answered", arguments: [1_000, 16_384])
  func large(recordSize: Int) throws {
    var text = HelloText.modern
    text.extensions?.append((21, [UInt8](repeating: 0, count: 60_000)))  // RFC 7685
    let hello = try self.parse(text.wire(recordSize: recordSize), pieces: 1_460)
    let reading = try self.reader.read(hello.raw)
    #expect(reading.answer == .serverHello)
    #expect(reading.agrees(with: hello))
  }

  @Test(
    "TLS-36: a client whose only share is of a group that we do not have is asked again and served"
  )
  func helloRetryRequest() throws {
    let root = try TestIdentity.authority("root")
    let leaf = try TestIdentity.server([host("server.example")], issuer: root).leaf()
    let clients = try TLSClientContext(roots: .pem(root.pem))
    // The share is of the first group.
    unsafe #expect(tide_ssl_ctx_set_groups(clients.handle, "P-521:X25519") == 1)
    let client = try TLSSession.client(
      clients,
      host: host("server.example"),
      applicationProtocols: ["h2"]
    )
    let first = client.takeOutput()
    let hello = try self.parse(first.array)
    #expect(try self.reader.read(first).answer == .helloRetryRequest)
    let server = try TLSSession.server(
      TLSServerContext(),
      leaf: leaf,
      applicationProtocol: "h2",
      maximumVersion: nil
    )
    var plaintext: [Bytes] = []
    try server.receive(hello.raw, &plaintext)
    try client.receive(server.takeOutput(), &plaintext)
    let pair = SessionPair(client: client, server: server)
    pair.pieceLimit = 1
    pair.run()
    #expect(pair.isEstablished)
    #expect(client.applicationProtocol == "h2")
    #expect(leftOverError == 0)
  }

  @Test("TLS-36: what a client sends right after its hello goes on to the session, in order")
  func recordsAfter() throws {
    // The change_cipher_spec that a client may send for middleboxes' sake (RFC 8446 §D.4).
    let change: [UInt8] = [20, 3, 3, 0, 1, 1]
    let wire = HelloText.modern.wire() + change
    let hello = try self.parse(wire)
    #expect(hello.raw.array == wire)
    #expect(try self.reader.read(hello.raw).answer == .serverHello)
    // Nor does it matter that half of it has come.
    let half = Array(wire.dropLast(3))
    #expect(try self.parse(half).raw.array == half)
  }

  @Test(
    "TLS-36: what is no hello is not passed on: empty records, and more in the hello's own record"
  )
  func notLegal() {
    let good = HelloText.modern.wire(recordSize: 200)
    let empty: [UInt8] = [22, 3, 1, 0, 0]
    for wire in [
      empty + good, Array(good[..<205]) + empty + Array(good[205...]),
      HelloText.modern.wire(suffix: [1, 0, 0, 0]), Array(good[..<205]) + [20, 3, 3, 0, 1, 1],
    ] {
      var parser = ClientHelloParser(limits: Limits())
      guard case .malformed = parser.receive(Bytes(wire)) else {
        Issue.record("passed on: \(wire.prefix(10))")
        continue
      }
    }
  }

  @Test("TLS-37: a hello over the limit is refused before it is held, however it comes")
  func limit() {
    let limits = Limits()
    var text = HelloText.modern
    text.extensions?.append((21, [UInt8](repeating: 0, count: 60_000)))
    text.extensions?.append((0x7777, [UInt8](repeating: 0, count: 60_000)))
    // Its own size says so; or one-byte records, six bytes each, make it so.
    for (recordSize, pieces) in [(1, 1), (1, 1_460), (16_384, 1_460), (16_384, 1)] {
      let wire = Bytes(text.wire(recordSize: recordSize))
      var parser = ClientHelloParser(limits: limits)
      var taken = 0
      var state = ClientHelloParser.State.needMore
      while case .needMore = state, taken < wire.count {
        let end = min(taken + pieces, wire.count)
        state = parser.receive(wire.slice(taken..<end))
        taken = end
      }
      let isTooLarge = if case .tooLarge = state { true } else { false }
      #expect(isTooLarge == (recordSize == 1))
      #expect(parser.raw.count <= limits.helloBytes + pieces)
    }
    var announced = ClientHelloParser(limits: limits)
    guard case .tooLarge = announced.receive(Bytes([22, 3, 1, 0, 4, 1, 2, 0, 0])) else {
      Issue.record("128 kB were announced and not refused")
      return
    }
  }

  @Test("TLS-36, TLS-52: no mutated hello names one server to us and another to libssl")
  func differential() throws {
    var generator = SplitMix(seed: 52)
    let seeds = [HelloText.modern, .greased].flatMap { [$0.wire(), $0.wire(recordSize: 64)] }
    var accepted = 0
    var refused = 0
    for round in 0..<3_000 {
      let wire = mutated(seeds[round % seeds.count], using: &generator)
      var parser = ClientHelloParser(limits: Limits())
      let state = parser.receive(Bytes(wire))
      let reading = try self.reader.read(Bytes(wire))
      guard reading.isAccepted else { continue }
      switch state {
      case .hello(let hello):
        accepted += 1
        #expect(reading.agrees(with: hello), "\(wire)")
      case .malformed, .notTLS, .tooLarge:
        refused += 1
      case .needMore:
        Issue.record("libssl answers what we hold for half a hello: \(wire)")
      }
    }
    #expect(accepted > 500)
    // Being stricter than libssl is fine, but not the rule.
    #expect(refused < accepted / 10)
  }

  /// One to three changes, most of them where extensions are.
  private func mutated(_ wire: [UInt8], using generator: inout SplitMix) -> [UInt8] {
    var wire = wire
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      let index = Int.random(in: 0..<wire.count, using: &generator)
      switch UInt8.random(in: 0...5, using: &generator) {
      case 0: wire[index] = UInt8.random(in: 0...255, using: &generator)
      case 1: wire[index] &+= 1
      case 2: wire[index] &-= 1
      case 3: wire[index] ^= 1 << UInt8.random(in: 0...7, using: &generator)
      case 4: wire.swapAt(index, Int.random(in: 0..<wire.count, using: &generator))
      default: wire[index] = [0, 0x2E, 0x2A, 0xFF, 0x41].randomElement(using: &generator) ?? 0
      }
    }
    return wire
  }
}
