import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct PurgeTests {
  private let cases = CasesFolder()
  private let key: SigningKey

  init() throws { self.key = try SigningKey.generate() }

  /// Three flows: 2 has a finding; 1 and 3 have the same answer, all have a request of their own.
  private func record(seal: Bool, wire: Bool = false) throws -> String {
    var settings = RecorderSettings()
    settings.keepsWire = wire
    settings.segmentSize = wire ? 64 : 64 << 20
    var events: [FlowEvent] = []
    for number in 1...3 as ClosedRange<UInt64> {
      events += try Play.exchange(
        number,
        request: Bytes("request \(number)"),
        response: Bytes(number == 2 ? "answer 2" : "answer"),
        findings: number == 2 ? [Play.finding()] : []
      )
      if wire {
        // A record of each connection; a file begins when the one before has reached its size.
        events.append(.secret(ConnectionID(number), line: Bytes(String(repeating: "s", count: 80))))
      }
    }
    return try self.cases.record(events, settings: settings, seal: seal ? self.key : nil)
  }

  private func digest(_ text: String) -> String { Hex.encode(Digest.sha256.hash(Bytes(text))) }

  private func holds(_ text: String, _ path: String) throws -> Bool {
    try BodyLayout.holds(self.digest(text), in: path)
  }

  private func purge(
    _ path: String,
    _ selection: PurgeSelection
  ) throws -> PurgeSummary {
    try CasePurge.purge(path, selection, key: self.key, at: Play.time(90_000))
  }

  @Test(
    "A purge of an open case is a line of its log, under the chain and a tree head, and it still verifies"
  )
  func openCase() throws {
    let path = try self.record(seal: false)
    let selection = PurgeSelection(reason: "command: test")
    let would = try CasePurge.summary(path, selection)
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    let summary = try self.purge(path, selection)
    #expect(summary == would)
    #expect(summary.flows == 2 && summary.contents == 3)
    #expect(try !self.holds("request 1", path))
    #expect(try !self.holds("answer", path))
    #expect(try self.holds("request 2", path))
    #expect(try self.holds("answer 2", path))
    let objects = try logObjects(path)
    let purged = try #require(objects.first { $0["type"] as? String == "purged" })
    #expect(
      Set(purged["contents"] as? [String] ?? [])
        == Set(["request 1", "answer", "request 3"].map(self.digest))
    )
    #expect(objects.last?["type"] as? String == "tree-head")
    #expect(objects.last?["size"] as? Int == purged["seq"] as? Int)
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    // Again there is nothing to remove, and nothing is written.
    #expect(try self.purge(path, selection) == PurgeSummary())
    #expect(try logObjects(path).count == objects.count)
    // The index says so too, and the case can be sealed.
    #expect(try CaseReader(path).isPurged(self.digest("answer")))
    #expect(try !CaseReader(path).isPurged(self.digest("answer 2")))
    try CaseSealer.seal(path, key: self.key, at: Play.time(91_000))
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }

  @Test(
    "A purge of a sealed case is a signed line of purges.ndjson, whose chain begins at the manifest"
  )
  func sealedCase() throws {
    let path = try self.record(seal: true)
    let manifest = try read(path + "/manifest.json")
    let selection = PurgeSelection(reason: "a", keepsFindings: false, flows: [FlowID(1)])
    #expect(try self.purge(path, selection).contents == 1)
    // The answer goes only with the last flow that has it.
    #expect(try self.holds("answer", path))
    #expect(try !self.holds("request 1", path))
    #expect(try self.purge(path, PurgeSelection(reason: "b")).contents == 2)
    #expect(try read(path + "/manifest.json") == manifest)
    let lines = try read(path + "/purges.ndjson").split(separator: 0x0A).map { Bytes(Array($0)) }
    #expect(lines.count == 2)
    var previous = Hex.encode(Digest.sha256.hash(Bytes(manifest)))
    for line in lines {
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(line.array)) as? [String: Any]
      )
      #expect(object["prev"] as? String == previous)
      let (hashed, hash) = try #require(LineTail.split(line))
      #expect(LineTail.hash(hashed, after: Array(previous.utf8)) == hash)
      let text = line.text
      let start = try #require(text.range(of: ",\"key\":"))
      let message = PurgeLog.message(Bytes(String(text[..<start.lowerBound])))
      let signature = Base64.standard.decode((object["signature"] as? String ?? "").utf8)
      let wanted = try self.key.sign(message)
      #expect(signature == wanted)
      previous = String(decoding: hash, as: UTF8.self)
    }
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    #expect(try CaseReader(path).isPurged(self.digest("answer")))
  }

  @Test(
    "Nobody but who sealed a case removes contents from it; nobody removes from one being recorded"
  )
  func refused() throws {
    let path = try self.record(seal: true)
    let stranger = try SigningKey.generate()
    let failure = #expect(throws: EvidenceFailure.self) {
      try CasePurge.purge(path, PurgeSelection(reason: "x"), key: stranger, at: Play.time(0))
    }
    #expect(failure?.code == .sealed)
    #expect(try self.holds("request 1", path))
    #expect(!FileManager.default.fileExists(atPath: path + "/purges.ndjson"))
    let recorder = try self.cases.recorder("open")
    let busy = #expect(throws: EvidenceFailure.self) {
      try self.purge(self.cases.path + "/open", PurgeSelection(reason: "x"))
    }
    #expect(busy?.code == .inUse)
    try recorder.close(seal: false)
  }

  @Test(
    "What a kill left of a line of purges.ndjson is cut off; a line that was altered is refused"
  )
  func torn() throws {
    let path = try self.record(seal: true)
    _ = try self.purge(path, PurgeSelection(reason: "a", keepsFindings: false, flows: [FlowID(1)]))
    let whole = try read(path + "/purges.ndjson")
    try write(whole + Array("{\"seq\":2,\"ti".utf8), to: path + "/purges.ndjson")
    #expect(try self.purge(path, PurgeSelection(reason: "b")).contents == 2)
    let lines = try read(path + "/purges.ndjson").split(separator: 0x0A)
    #expect(lines.count == 2)
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    var altered = try read(path + "/purges.ndjson")
    altered[20] ^= 1
    try write(altered, to: path + "/purges.ndjson")
    let failure = #expect(throws: EvidenceFailure.self) {
      try self.purge(path, PurgeSelection(reason: "c", keepsFindings: false))
    }
    #expect(failure?.code == .malformed)
  }

  @Test("A kill between the line and the removal leaves contents that the next purge removes")
  func killed() throws {
    let path = try self.record(seal: false)
    let kept = self.cases.path + "/kept"
    try FileManager.default.copyItem(atPath: path + "/bodies", toPath: kept)
    _ = try self.purge(path, PurgeSelection(reason: "a"))
    try FileManager.default.removeItem(atPath: path + "/bodies")
    try FileManager.default.copyItem(atPath: kept, toPath: path + "/bodies")
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    #expect(try self.purge(path, PurgeSelection(reason: "b")).contents == 3)
    #expect(try !self.holds("request 1", path))
  }

  @Test("Files of wire/ go with their connections; of an open case the last one stays")
  func wire() throws {
    let path = try self.record(seal: false, wire: true)
    func files() throws -> [Int] { try WireFormat.segments(in: path) }
    let before = try files()
    #expect(before.count == 3)
    let summary = try self.purge(path, PurgeSelection(reason: "a"))
    #expect(summary.wireFiles == 1)
    #expect(try files() == [2, 3])
    let purged = try LogReader(root: path).segments
      .flatMap { try logObjects(path, segment: $0) }
      .first { $0["type"] as? String == "purged" }
    #expect(purged?["wire"] as? [Int] == [1])
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    // Recording goes on under the next number.
    var settings = RecorderSettings()
    settings.keepsWire = true
    settings.segmentSize = 64
    try self.cases.record(
      [
        .secret(ConnectionID(9), line: "more, in another file than what was there before this line")
      ],
      settings: settings,
      seal: self.key
    )
    #expect(try files().first == 2)
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    // Of a sealed case all of them may go.
    _ = try self.purge(path, PurgeSelection(reason: "b", keepsFindings: false))
    #expect(try files().isEmpty)
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }

  @Test("Only contents of flows that ended before a time go")
  func olderThan() throws {
    let path = try self.record(seal: false)
    // The flows end at 160, 260 and 360 ms; the answer of 1 is that of 3 too.
    let selection = PurgeSelection(
      reason: "a",
      endedBefore: Play.time(300),
      keepsFindings: false
    )
    #expect(try self.purge(path, selection).contents == 3)
    #expect(try self.holds("request 3", path))
    #expect(try self.holds("answer", path))
    #expect(try !self.holds("request 1", path))
    #expect(try !self.holds("request 2", path))
  }
}
