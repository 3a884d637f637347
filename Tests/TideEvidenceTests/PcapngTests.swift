import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct PcapngTests {
  private let cases = CasesFolder()

  private var keeping: RecorderSettings {
    var settings = RecorderSettings()
    settings.keepsWire = true
    return settings
  }

  private func export(
    _ path: String,
    _ words: String...
  ) throws -> (PcapngExporter.Summary, Capture) {
    let file = self.cases.path + "/out.pcapng"
    let reader = try CaseReader(path)
    let output = try ExportFile(file, replaces: true, of: reader, progress: nil)
    let summary = try PcapngExporter.write(
      reader,
      to: output,
      filter: FlowFilter.parse(words, at: Play.time(0)),
      toolVersion: "1.2.3",
      progress: { #expect($0 <= $1) }
    )
    _ = try output.finish()
    let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    return (summary, try Capture(read(file)))
  }

  /// What the packets hold that hold anything.
  private func contents(_ capture: Capture) -> [Bytes] {
    capture.packets.map { Bytes($0.content) }.filter { !$0.isEmpty }
  }

  private func piece(
    _ connection: UInt64,
    _ direction: Direction,
    _ content: Bytes,
    _ milliseconds: Int64
  ) -> FlowEvent {
    .wire(ConnectionID(connection), direction, content, time: Play.time(milliseconds))
  }

  /// A connection from its first byte to its end, and a flow of it.
  private func connection(
    _ number: UInt64,
    host: String = "api.vendor.example",
    request: Bytes = "hello",
    response: Bytes = "world"
  ) throws -> [FlowEvent] {
    let exchange = try Play.exchange(number, host: host)
    let at = Int64(number) * 100
    return exchange.dropLast() + [
      .secret(ConnectionID(number), line: Bytes("CLIENT_RANDOM \(number) aa")),
      self.piece(number, .request, request, at),
      self.piece(number, .response, response, at + 1),
      self.piece(number, .request, Bytes(), at + 2),
      self.piece(number, .response, Bytes(), at + 3),
    ] + exchange.suffix(1)
  }

  @Test("A connection becomes a whole TCP conversation with the address dialled, keys before it")
  func wholeConversation() throws {
    let path = try self.cases.record(self.connection(7), settings: self.keeping)
    let (summary, capture) = try self.export(path)
    #expect(summary == .init(packets: 9, connections: 1, secrets: 1))
    #expect(capture.order == [0x0A0D_0D0A, 1, 0xA, 6])
    #expect(capture.secrets == ["CLIENT_RANDOM 7 aa"])
    #expect(capture.application == "tidewaiter 1.2.3")
    #expect(capture.comment.contains("case test of tidewaiter, not sealed; hash of its last line"))
    #expect(capture.packets.map(\.flags) == [2, 0x12, 0x10, 0x18, 0x18, 0x11, 0x10, 0x11, 0x10])
    #expect(self.contents(capture) == ["hello", "world"])
    let first = capture.packets[0]
    #expect(first.source == [192, 0, 2, 10])
    #expect(first.target == [203, 0, 113, 7])
    #expect(first.targetPort == 443)
    #expect(first.options[1] == Array("connection c-000007".utf8))
    #expect(capture.packets.map { $0.options[2]?.first } == [1, 2, 1, 1, 2, 1, 2, 2, 1])
    let start = UInt64(Play.time(700).nanoseconds)
    #expect(
      capture.packets.map { ($0.time - start) / 1_000_000 } == [0, 0, 0, 0, 1, 2, 2, 3, 3]
    )
    // Each acknowledges exactly what the other has sent.
    var next: [Int: UInt32] = [:]
    for packet in capture.packets {
      let other = packet.sourcePort == 443 ? first.sourcePort : 443
      if let known = next[packet.sourcePort] { #expect(packet.sequence == known) }
      if packet.flags & 0x10 != 0 { #expect(packet.acknowledgement == next[other]) }
      next[packet.sourcePort] =
        packet.sequence &+ UInt32(packet.content.count) &+ (packet.flags & 3 != 0 ? 1 : 0)
    }
  }

  @Test("Long content is cut into segments, acknowledged at times, and comes back byte for byte")
  func longContent() throws {
    let request = Bytes((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    let path = try self.cases.record(
      self.connection(1, request: request),
      settings: self.keeping
    )
    let (_, capture) = try self.export(path)
    let port = try #require(capture.packets.first).sourcePort
    #expect(capture.stream(from: port) == request.map { $0 })
    #expect(capture.packets.allSatisfy { $0.content.count <= 1_460 })
    let acknowledgements = capture.packets.filter { $0.sourcePort == 443 && $0.content.isEmpty }
    #expect((11...16).contains(acknowledgements.count))
  }

  @Test("Connections interleave in the order in which they were recorded, each with its own port")
  func interleaved() throws {
    let events = try self.connection(1, request: "a1") + self.connection(2, request: "b1")
    let wire = [
      self.piece(3, .request, "c1", 900), self.piece(4, .request, "d1", 901),
      self.piece(3, .response, "c2", 902), self.piece(4, .response, "d2", 903),
    ]
    let path = try self.cases.record(events + wire, settings: self.keeping)
    let (summary, capture) = try self.export(path)
    #expect(summary.connections == 4)
    #expect(self.contents(capture) == ["a1", "world", "b1", "world", "c1", "d1", "c2", "d2"])
    #expect(Set(capture.packets.filter { $0.flags == 2 }.map(\.sourcePort)).count == 4)
    // Of a connection of which the log says nothing, nobody's address stands in.
    #expect(capture.packets.last?.source == [192, 0, 0, 8])
  }

  @Test("The device's own port is used where it was recorded")
  func recordedPort() throws {
    let client = try #require(IPAddress("2001:db8::10"))
    let events: [FlowEvent] = [
      .connectionOpened(
        ConnectionID(1),
        client: client,
        port: 50_123,
        device: "redmi",
        time: Play.time(0)
      ),
      self.piece(1, .request, "a", 1),
    ]
    let path = try self.cases.record(events, settings: self.keeping)
    let opened = try logObjects(path).first { $0["type"] as? String == "connection" }
    #expect(opened?["client_port"] as? Int == 50_123)
    let (_, capture) = try self.export(path)
    let first = try #require(capture.packets.first)
    #expect(first.sourcePort == 50_123)
    #expect(first.source == client.octets)
    #expect(first.target == [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 192, 0, 0, 8])
  }

  @Test("A filter takes whole connections, and the keys of no other")
  func filtered() throws {
    let events =
      try self.connection(1, host: "one.example", request: "1")
      + self.connection(2, host: "two.example", request: "2")
    let path = try self.cases.record(events, settings: self.keeping)
    let (summary, capture) = try self.export(path, "host:two.example")
    #expect(summary.connections == 1)
    #expect(capture.secrets == ["CLIENT_RANDOM 2 aa"])
    #expect(capture.packets.first { !$0.content.isEmpty }?.content == Array("2".utf8))
    let (nothing, empty) = try self.export(path, "host:three.example")
    #expect(nothing == .init())
    #expect(empty.order == [0x0A0D_0D0A, 1])
  }

  @Test("What was dropped is missing in the sequence numbers, and what follows stands in its place")
  func dropped() throws {
    var settings = self.keeping
    settings.isRequired = false
    settings.ringBytes = 4_000
    settings.tick = 60_000
    let ring = EvidenceRing(settings)
    _ = ring.offer(self.piece(1, .request, Bytes([UInt8](repeating: 1, count: 4_000)), 0))
    _ = ring.offer(self.piece(1, .request, Bytes([UInt8](repeating: 2, count: 500)), 1))
    _ = ring.offer(self.piece(1, .response, Bytes(), 2))
    let batch = ring.take()
    #expect(self.contents(batch).map(\.count) == [4_000])
    let side = WireSide(connection: ConnectionID(1), direction: .request)
    #expect(batch.wireGaps.bytes == [side: 500])
    #expect(batch.dropped.pieces == 2)
    _ = ring.offer(self.piece(1, .request, "after", 3))
    #expect(self.contents(ring.take()) == ["after"])

    let path = try self.cases.record([self.piece(1, .request, "before", 0)], settings: settings)
    let file = path + "/wire/000001.bin"
    var bytes = try read(file)
    let time = Play.time(5)
    let lost = WireFormat.gap(500, of: .received)
    WireFormat.write(.gap, lost, of: ConnectionID(1), at: time, into: &bytes)
    WireFormat.write(.received, "after", of: ConnectionID(1), at: time, into: &bytes)
    try write(bytes, to: file)
    let (_, capture) = try self.export(path)
    let port = try #require(capture.packets.first).sourcePort
    let whole =
      Array("before".utf8).map { $0 as UInt8? } + [UInt8?](repeating: nil, count: 500)
      + Array("after".utf8).map { $0 as UInt8? }
    #expect(capture.stream(from: port) == whole)
  }

  private func contents(_ batch: RecordedBatch) -> [Bytes] {
    var contents: [Bytes] = []
    WireFormat.forEach(Bytes(batch.wire)) { _, content, _, _ in contents.append(content) }
    return contents
  }

  @Test("A small slice of a large read counts in the ring as what it is, and keeps no more alive")
  func copied() throws {
    var settings = self.keeping
    settings.ringBytes = 100_000
    settings.tick = 60_000
    let ring = EvidenceRing(settings)
    let large = Bytes([UInt8](repeating: 7, count: 60_000))
    for _ in 0..<100 {
      #expect(ring.offer(self.piece(1, .request, large.slice(10..<20), 0)) == .accepted)
    }
    #expect(ring.offer(self.piece(1, .request, large, 0)) == .accepted)
    #expect(ring.offer(self.piece(1, .request, large, 0)) == .pause)
    let batch = ring.take()
    #expect(batch.items.isEmpty)
    #expect(batch.wire.count == 100 * 31 + 2 * 60_021)
    settings.keepsWire = false
    let deaf = EvidenceRing(settings)
    for _ in 0..<3 { #expect(deaf.offer(self.piece(1, .request, large, 0)) == .accepted) }
    #expect(deaf.take().wire.isEmpty)
  }

  @Test("A piece too large for one record becomes several, in order")
  func split() throws {
    let ring = EvidenceRing(self.keeping)
    let large = Bytes((0..<2_100_000).map { UInt8(truncatingIfNeeded: $0 / 1_000) })
    _ = ring.offer(self.piece(1, .response, large, 0))
    let contents = self.contents(ring.take())
    #expect(contents.map(\.count) == [1_048_548, 1_048_548, 2_904])
    #expect(contents.flatMap(\.array) == large.array)
  }

  @Test("Two batches take turns: what was taken is not taken again")
  func turns() throws {
    let ring = EvidenceRing(self.keeping)
    var batch = RecordedBatch()
    for number in 1...5 {
      _ = ring.offer(self.piece(1, .request, Bytes("\(number)"), 0))
      _ = ring.offer(.note(FlowID(UInt64(number)), "", time: Play.time(0)))
      ring.take(into: &batch)
      #expect(self.contents(batch) == [Bytes("\(number)")])
      #expect(batch.items.count == 1)
    }
    ring.close()
    ring.take(into: &batch)
    #expect(batch.isLast && batch.items.isEmpty && batch.wire.isEmpty)
    ring.take(into: &batch)
    #expect(batch.isLast)
  }

  @Test("What is not to be kept does not even wait")
  func notKept() throws {
    var settings = RecorderSettings()
    settings.keepsBodies = false
    let ring = EvidenceRing(settings)
    for event in try Play.exchange(1) { _ = ring.offer(event) }
    let types = ring.take().items.map { item in
      switch item {
      case .event(.body), .event(.message), .timed: "kept"
      case .event, .entry, .taken: "other"
      }
    }
    #expect(!types.isEmpty && !types.contains("kept"))
  }

  @Test("A file of wire/ that is missing ends what was open; what follows is another conversation")
  func missingFile() throws {
    var settings = self.keeping
    settings.segmentSize = 30
    let path = try self.cases.record(
      ["one", "two", "three"].enumerated().map { self.piece(1, .request, Bytes($1), Int64($0)) },
      settings: settings
    )
    try FileManager.default.removeItem(atPath: WireFormat.path(of: 2, in: path))
    let (summary, capture) = try self.export(path)
    #expect(summary.connections == 2)
    #expect(self.contents(capture) == ["one", "three"])
  }

  @Test("A sealed case is named by its manifest, and one without wire/ has no capture")
  func provenance() throws {
    let path = try self.cases.record(
      self.connection(1),
      settings: self.keeping,
      seal: .generate()
    )
    let digest = Hex.encode(Digest.sha256.hash(try read(path + "/manifest.json")))
    let (_, capture) = try self.export(path)
    #expect(capture.comment.contains("sealed; SHA-256 of manifest.json: \(digest)"))
    let without = try self.cases.record(Play.exchange(), name: "without")
    #expect(throws: EvidenceFailure.self) { try self.export(without) }
  }
}
