import Testing
import TideCore

@testable import TideTLS

@Suite struct DataTests {
  private func makePair(_ version: UInt16? = nil) throws -> SessionPair {
    let root = try TestIdentity.authority("root")
    let leaf = try TestIdentity.server([host("server.example")], issuer: root).leaf()
    return try SessionPair(leaf: leaf, trusting: root.pem, maximumVersion: version).run()
  }

  private func noise(_ count: Int) -> Bytes {
    var generator = SplitMix(seed: UInt64(count))
    return Bytes((0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) })
  }

  @Test(
    "A mebibyte goes both ways unchanged, in pieces of at most 64 KiB",
    arguments: [0x0303, 0x0304]
  )
  func bulk(version: UInt16) throws {
    let pair = try self.makePair(version)
    let up = self.noise(1 << 20)
    let down = self.noise((1 << 20) + 1)
    try pair.client.send(up)
    try pair.server.send(down)
    pair.run()
    #expect(joined(pair.serverReceived) == up.array)
    #expect(joined(pair.clientReceived) == down.array)
    #expect(pair.serverReceived.allSatisfy { !$0.isEmpty && $0.count <= 64 << 10 })
    #expect(pair.serverReceived.count <= 18)
    #expect(leftOverError == 0)
  }

  @Test("However the ciphertext is split, the plaintext is the same")
  func splits() throws {
    for limit in [1, 4, 5, 6, 100, 16_384, 16_406, 40_000] {
      let pair = try self.makePair()
      pair.pieceLimit = limit
      let data = self.noise(limit < 10 ? 2_000 : 100_000)
      for part in [0..<1, 1..<100, 100..<data.count] {
        try pair.client.send(data.slice(part))
      }
      pair.run()
      #expect(joined(pair.serverReceived) == data.array, "pieces of \(limit)")
    }
  }

  @Test("A small message is held in a small allocation")
  func tightPieces() throws {
    let pair = try self.makePair()
    for _ in 0..<20 {
      try pair.client.send("a small message")
      pair.run()
    }
    #expect(pair.serverReceived.count == 20)
    #expect(pair.serverReceived.allSatisfy { $0.array.capacity < 256 })
  }

  @Test(
    "What a device is sent begins in records of one segment, after a rest again",
    arguments: [0x0303, 0x0304]
  )
  func smallRecords(version: UInt16) throws {
    let pair = try self.makePair(version)
    _ = pair.server.takeOutput()
    let data = self.noise(60_000)
    var sent: [UInt8] = []
    for _ in 0..<2 {
      try pair.server.send(data.slice(0..<1_000))
      try pair.server.send(data.slice(1_000..<data.count))
      let output = pair.server.takeOutput()
      let records = Self.recordSizes(output)
      // 16 KiB in all: those of 1,000 bytes, then eleven segments and the rest of them.
      #expect(records.prefix(13).allSatisfy { $0 <= 1_440 })
      #expect(records.dropFirst(13).prefix(2).allSatisfy { $0 > 16_000 })
      #expect(records.count == 16)
      try pair.client.receive(output, &pair.clientReceived)
      sent += data.array
      pair.server.rest()
    }
    #expect(joined(pair.clientReceived) == sent)
    pair.server.rest()
    try pair.server.send("a short answer")
    try pair.server.send(data)
    #expect(Self.recordSizes(pair.server.takeOutput()).filter { $0 > 1_440 }.count == 3)
    try pair.server.send(data)
    #expect(Self.recordSizes(pair.server.takeOutput()).count == 4)
    // A server is sent full ones.
    pair.client.rest()
    try pair.client.send(data)
    #expect(Self.recordSizes(pair.client.takeOutput()).count == 4)
    #expect(leftOverError == 0)
  }

  /// The lengths of the records in a stream of them.
  private static func recordSizes(_ bytes: Bytes) -> [Int] {
    var sizes: [Int] = []
    var position = 0
    while position + 5 <= bytes.count {
      sizes.append(Int(bytes[position + 3]) << 8 | Int(bytes[position + 4]))
      position += 5 + (sizes.last ?? 0)
    }
    return sizes
  }

  @Test("Nothing is sent before the handshake is over")
  func tooEarly() throws {
    let root = try TestIdentity.authority("root")
    let leaf = try TestIdentity.server([host("server.example")], issuer: root).leaf()
    let pair = try SessionPair(leaf: leaf, trusting: root.pem)
    let failure = #expect(throws: TLSFailure.self) { try pair.client.send("early") }
    #expect(failure?.code == .internal)
    #expect(pair.run().isEstablished)
  }

  @Test("An empty send puts nothing on the wire")
  func emptySend() throws {
    let pair = try self.makePair()
    try pair.client.send(Bytes())
    #expect(!pair.client.hasOutput)
    #expect(pair.client.takeOutput().isEmpty)
  }

  @Test("close_notify ends one direction, once; the other goes on", arguments: [0x0303, 0x0304])
  func halfClose(version: UInt16) throws {
    let pair = try self.makePair(version)
    try pair.client.send("last words")
    pair.client.close()
    let output = pair.client.takeOutput()
    pair.client.close()
    #expect(!pair.client.hasOutput)
    try pair.server.receive(output, &pair.serverReceived)
    #expect(joined(pair.serverReceived) == Array("last words".utf8))
    #expect(pair.server.peerHasClosed)
    #expect(!pair.client.peerHasClosed)
    let failure = #expect(throws: TLSFailure.self) { try pair.client.send("more") }
    #expect(failure?.code == .closed)

    try pair.server.send("an answer")
    pair.server.close()
    pair.run()
    #expect(joined(pair.clientReceived) == Array("an answer".utf8))
    #expect(pair.client.peerHasClosed)
    #expect(leftOverError == 0)
  }

  @Test("What comes after close_notify is ignored")
  func afterClose() throws {
    let pair = try self.makePair()
    pair.client.close()
    pair.run()
    try pair.server.receive("anything at all", &pair.serverReceived)
    #expect(pair.serverReceived.isEmpty)
  }

  @Test("A stream that stops without close_notify is not taken for closed")
  func truncation() throws {
    let pair = try self.makePair()
    try pair.client.send("cut short")
    let output = pair.client.takeOutput()
    try pair.server.receive(output.slice(0..<(output.count - 1)), &pair.serverReceived)
    #expect(pair.serverReceived.isEmpty)
    #expect(!pair.server.peerHasClosed)
  }

  @Test(
    "Altered ciphertext is a protocol failure; what came before it is delivered",
    arguments: [0x0303, 0x0304]
  )
  func altered(version: UInt16) throws {
    let pair = try self.makePair(version)
    try pair.client.send("good")
    var wire = pair.client.takeOutput().array
    try pair.client.send("bad")
    var bad = pair.client.takeOutput().array
    bad[bad.count - 1] ^= 1
    wire += bad
    let failure = #expect(throws: TLSFailure.self) {
      try pair.server.receive(Bytes(wire), &pair.serverReceived)
    }
    #expect(failure?.code == .protocol)
    #expect(failure?.alert == 20)
    #expect(joined(pair.serverReceived) == Array("good".utf8))
    #expect(pair.server.hasOutput, "the alert")
    pair.run()
    #expect(pair.clientFailure?.code == .alert)
    #expect(pair.clientFailure?.alert == 20)
    #expect(throws: try #require(failure)) { try pair.server.send("no more") }
    #expect(leftOverError == 0)
  }

  @Test("An error that something else left in the queue does not end a session")
  func foreignError() throws {
    let pair = try self.makePair()
    #expect(throws: TLSFailure.self) { try TLSClientContext(roots: .pem([1, 2, 3])) }
    leaveAnError()
    try pair.client.send("unimpressed")
    pair.run()
    #expect(joined(pair.serverReceived) == Array("unimpressed".utf8))
  }
}

/// A small generator, the same on every run.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { self.state = seed }

  mutating func next() -> UInt64 {
    self.state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = self.state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
