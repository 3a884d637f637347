import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct SocketMessageTests {
  private let cases = CasesFolder()

  private func message(
    _ kind: SocketMessage.Kind,
    _ payload: Bytes,
    _ direction: Direction = .request,
    stage: BodyStage = .original,
    size: Int? = nil,
    at milliseconds: Int64 = 50
  ) -> FlowEvent {
    .message(
      FlowID(1),
      direction,
      stage,
      SocketMessage(
        kind: kind,
        payload: payload,
        size: UInt64(size ?? payload.count),
        frames: 2,
        isCompressed: kind == .text
      ),
      time: Play.time(milliseconds)
    )
  }

  /// A WebSocket whose frames are its bodies.
  private func socket(_ messages: [FlowEvent]) throws -> [FlowEvent] {
    var events = try Play.exchange(
      request: Bytes([0x81, 0x82, 1, 2, 3, 4, 0x69, 0x6B]),
      response: Bytes([0x81, 0x02, 0x68, 0x69]),
      findings: [],
      status: 101,
      protocolName: "websocket"
    )
    events.insert(contentsOf: messages, at: events.count - 2)
    return events
  }

  @Test("A message is a line with its kind, size and digest; its payload is in bodies/")
  func lines() throws {
    let path = try self.cases.record(
      self.socket([
        self.message(.text, "hello"), self.message(.ping, ""),
        self.message(.binary, "first of many", .response, size: 5_000_000),
        self.message(.text, "hxxxx", stage: .sent),
      ])
    )
    let lines = try logObjects(path).filter { $0["type"] as? String == "message" }
    #expect(
      lines.map { $0.keys.sorted() }.allSatisfy {
        $0 == [
          "compressed", "direction", "flow", "frames", "hash", "kind", "prev", "seq", "sha256",
          "size", "stage", "time", "truncated", "type",
        ]
      }
    )
    #expect(lines.map { $0["kind"] as? String } == ["text", "ping", "binary", "text"])
    #expect(lines.map { $0["size"] as? Int } == [5, 0, 5_000_000, 5])
    #expect(lines.map { $0["truncated"] as? Bool } == [false, false, true, false])
    #expect(lines.map { $0["compressed"] as? Bool } == [true, false, false, true])
    #expect(lines.map { $0["stage"] as? String } == ["original", "original", "original", "sent"])
    #expect(lines[0]["sha256"] as? String == Hex.encode(Digest.sha256.hash("hello" as Bytes)))
    #expect(lines[1]["sha256"] is NSNull)
    #expect(lines[0]["frames"] as? Int == 2)
    let reader = try CaseReader(path)
    let detail = try reader.flow(FlowID(1), socketMessages: 3)
    #expect(detail.socketMessageCount == 4)
    #expect(detail.socketMessages.map(\.kind) == [.text, .ping, .binary])
    let binary = try #require(detail.socketMessages[2].sha256)
    #expect(try reader.start(ofBody: binary, count: 5) == "first")
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }

  @Test("A payload that was altered or lost is named with its message's line")
  func altered() throws {
    let path = try self.cases.record(
      self.socket([self.message(.text, "hello"), self.message(.binary, "part", size: 9)])
    )
    for (payload, order) in [("hello", 0), ("part", 1)] {
      let digest = Hex.encode(Digest.sha256.hash(Bytes(payload)))
      let lines = try logObjects(path)
      let indices = lines.indices.filter { lines[$0]["type"] as? String == "message" }
      let file = path + "/" + BodyLayout.relativePath(digest)
      let original = try read(file)
      for bytes in [[UInt8](), Array(original.dropLast()), nil] {
        if let bytes {
          try write(bytes, to: file)
        } else {
          try FileManager.default.removeItem(atPath: file)
        }
        let summary = try CaseVerifier.verify(path).summary
        #expect(summary.hasPrefix("ALTERED at seq \(indices[order] + 1) (body \(digest)"))
      }
      try write(original, to: file)
    }
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }

  @Test("In observe mode no message is kept")
  func observe() throws {
    var settings = RecorderSettings()
    settings.keepsBodies = false
    let path = try self.cases.record(
      self.socket([self.message(.text, "hello")]),
      settings: settings
    )
    #expect(try !logObjects(path).contains { $0["type"] as? String == "message" })
    #expect(try CaseReader(path).flow(FlowID(1)).socketMessageCount == 0)
  }

  @Test(
    "Best-effort: a message whose payload finds no room keeps its line, and the loss is counted"
  )
  func dropped() throws {
    var settings = RecorderSettings()
    settings.ringBytes = 10
    settings.isRequired = false
    let ring = EvidenceRing(settings)
    for _ in 0..<3 { _ = ring.offer(self.message(.text, "0123456789")) }
    let batch = ring.take()
    let payloads = batch.items.compactMap { item -> Int? in
      guard case .event(.message(_, _, _, let message, _)) = item else { return nil }
      #expect(message.size == 10)
      return message.payload.count
    }
    #expect(payloads == [10, 0, 0])
    #expect(batch.dropped == DroppedCount(events: 0, pieces: 2, bytes: 20))
  }

  @Test(
    "More bodies than can be told apart were cut: all of them count as cut, and memory is bounded"
  )
  func manyCut() throws {
    var settings = RecorderSettings()
    settings.ringBytes = 1
    settings.isRequired = false
    let ring = EvidenceRing(settings)
    _ = ring.offer(.body(FlowID(1), .request, .original, "x"))
    let most = EvidenceRing.mostCutBodies
    for flow in 1...UInt64(most) { _ = ring.offer(.body(FlowID(flow), .request, .original, "x")) }
    #expect(!ring.take().cutsAll)
    _ = ring.offer(.body(FlowID(1), .request, .original, "x"))
    for flow in 0...UInt64(most) { _ = ring.offer(.body(FlowID(flow), .request, .original, "x")) }
    let batch = ring.take()
    #expect(batch.cutsAll)
    #expect(batch.cutBodies.count == most)
  }

  @Test("HAR has a WebSocket's messages as Chromium writes them, and not its frames as content")
  func har() throws {
    let path = try self.cases.record(
      self.socket([
        self.message(.text, "h\"i", at: 1_050), self.message(.binary, Bytes([0xFF, 0]), .response),
        self.message(.text, "changed", stage: .sent), self.message(.close, Bytes([3, 0xE8])),
      ])
    )
    let file = self.cases.path + "/out.har"
    let options = ExportOptions(toolVersion: "0.1.0")
    try HARExporter.export(CaseReader(path), to: file, options: options)
    let root = try JSONSerialization.jsonObject(with: Data(try read(file))) as? [String: Any]
    let entries = (root?["log"] as? [String: Any])?["entries"] as? [[String: Any]]
    let entry = try #require(entries?.first)
    #expect(entry["_resourceType"] as? String == "websocket")
    let messages = try #require(entry["_webSocketMessages"] as? [[String: Any]])
    #expect(messages.map { $0["type"] as? String } == ["send", "receive", "send"])
    #expect(messages.map { $0["opcode"] as? Int } == [1, 2, 8])
    #expect(messages.map { $0["data"] as? String } == ["h\"i", "/wA=", "A+g="])
    #expect(messages[0]["time"] as? Double == 1_795_370_646.05)
    #expect((entry["request"] as? [String: Any])?["postData"] == nil)
    let content = (entry["response"] as? [String: Any])?["content"] as? [String: Any]
    #expect(content?["size"] as? Int == 0)
    #expect((entry["_tidewaiter"] as? [String: Any])?["request_sha256"] as? String != nil)
  }

  @Test("However many messages and findings a flow has, its row in the index does not grow")
  func longSocket() throws {
    var events = try self.socket([])
    let end = events.count - 2
    for index in 0..<1_200 {
      events.insert(self.message(.text, "tick"), at: end)
      if index.isMultiple(of: 4) {
        events.insert(.findings(FlowID(1), [Play.finding()], .pass, time: Play.time(9)), at: end)
      }
    }
    let reader = try CaseReader(self.cases.record(events))
    let flow = try #require(try reader.flows().first)
    #expect(flow.findings == 300)
    #expect(flow.tags.count == 1)
    #expect(flow.lines.count == 4)
    var count = 0
    try reader.forEachSocketMessage(of: FlowID(1)) { message throws(EvidenceFailure) in
      count += message.size == 4 ? 1 : 0
      return true
    }
    #expect(count == 1_200)
  }
}
