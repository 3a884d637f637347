import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct PowerCutTests {
  private let cases = CasesFolder()

  /// An exchange with contents of its own that ends with a verdict.
  private func exchange(_ number: UInt64, applied: Action) throws -> [FlowEvent] {
    let text = String(repeating: "exchange \(number) ", count: 60)
    return try Play.exchange(
      number,
      request: Bytes("request of \(text)"),
      response: Bytes("response of \(text)")
    ).map { event in
      guard case .flowEnded(let end) = event else { return event }
      return .flowEnded(
        FlowEnd(
          flow: end.flow,
          time: end.time,
          status: end.status,
          requestBytes: end.requestBytes,
          responseBytes: end.responseBytes,
          findings: end.findings,
          verdict: Verdict(decided: .block, applied: applied, rule: RuleID("identifiers")),
          exposure: nil,
          failure: nil
        )
      )
    }
  }

  private func wait(_ path: String, for text: String) throws {
    let log = LogReader.path(of: 1, in: path)
    while try !Bytes(read(log)).text.contains(text) { sched_yield() }
  }

  private func allLines(_ path: String) throws -> [[UInt8]] {
    try LogReader(root: path).segments.flatMap { try logLines(path, segment: $0) }
  }

  private func object(_ line: [UInt8]) -> [String: Any] {
    (try? JSONSerialization.jsonObject(with: Data(line))) as? [String: Any] ?? [:]
  }

  /// The digests that a line's contents have in bodies/.
  private func contents(_ line: [UInt8]) -> [String] {
    let object = self.object(line)
    guard let type = object["type"] as? String, type == "body" || type == "handshake" else {
      return []
    }
    return (object["sha256"] as? String).map { [$0] } ?? object["chain"] as? [String] ?? []
  }

  /// How many lines the heads among some lines cover.
  private func covered(_ lines: [[UInt8]]) -> Int {
    lines.map(self.object).filter { $0["type"] as? String == "tree-head" }
      .compactMap { $0["size"] as? Int }.max() ?? 0
  }

  /// A copy of a case as a kill leaves it: a verdict that a head covers, then an exchange that none does.
  private func killed() throws -> String {
    var settings = RecorderSettings()
    settings.fsyncInterval = 3_600_000_000_000
    settings.tick = 1
    let storage = VolatileStorage()
    let recorder = try self.cases.recorder(storage: storage, settings: settings)
    let path = self.cases.path + "/test"
    for event in try self.exchange(1, applied: .block) { _ = recorder.offer(event) }
    try self.wait(path, for: "\"type\":\"tree-head\"")
    // Few and short lines: each of their bytes is a place to cut at.
    for event in try self.exchange(2, applied: .log) {
      switch event {
      case .flowStarted, .body, .flowEnded: _ = recorder.offer(event)
      default: continue
      }
    }
    _ = recorder.offer(.note(FlowID(2), "the last line", time: Play.time(0)))
    try self.wait(path, for: "the last line")
    let copy = self.cases.path + "/killed"
    try storage.copy(path, to: copy)
    try recorder.close(seal: false)
    return copy
  }

  @Test("A verdict that blocks or redacts is durable at once, with one sync for all of its batch")
  func verdictsAreSynced() throws {
    var settings = RecorderSettings()
    settings.fsyncInterval = 3_600_000_000_000
    settings.tick = 300
    let storage = VolatileStorage()
    let recorder = try self.cases.recorder(storage: storage, settings: settings)
    let path = self.cases.path + "/test"
    try self.wait(path, for: "\"type\":\"clock\"")
    let before = storage.syncs
    for number in 1...40 as ClosedRange<UInt64> {
      let action: Action = number.isMultiple(of: 2) ? .block : .redact
      for event in try self.exchange(number, applied: action) { _ = recorder.offer(event) }
    }
    try self.wait(path, for: "\"type\":\"tree-head\"")
    let killed = self.cases.path + "/killed"
    try storage.copy(path, to: killed)
    let lines = try self.allLines(killed)
    let heads = lines.map(self.object).filter { $0["type"] as? String == "tree-head" }
    #expect(heads.count <= 2)  // two if the writer woke between the first event and the last
    let ends = lines.indices.filter { self.object(lines[$0])["type"] as? String == "flow-end" }
    #expect(ends.allSatisfy { $0 < self.covered(lines) })
    #expect(storage.syncs - before <= 3 * heads.count)
    try recorder.close(seal: false)
  }

  @Test("What is only logged waits for the interval; a redacted value alone does not")
  func intervalOrNot() throws {
    var settings = RecorderSettings()
    settings.fsyncInterval = 3_600_000_000_000
    settings.tick = 1
    let recorder = try self.cases.recorder(settings: settings)
    let path = self.cases.path + "/test"
    for event in try self.exchange(1, applied: .log) { _ = recorder.offer(event) }
    _ = recorder.offer(.note(FlowID(1), "written", time: Play.time(0)))
    try self.wait(path, for: "\"written\"")
    _ = recorder.offer(.note(FlowID(1), "a batch later", time: Play.time(0)))
    try self.wait(path, for: "a batch later")
    #expect(try self.covered(self.allLines(path)) == 0)
    let change = RedactionRecord(
      kind: .imei,
      location: .body,
      path: "$.d.imei",
      range: 9..<24,
      pseudonym: "350000000000006"
    )
    _ = recorder.offer(
      .redacted(FlowID(1), .request, [change], RuleID("identifiers"), time: Play.time(0))
    )
    try self.wait(path, for: "\"type\":\"tree-head\"")
    try recorder.close(seal: false)
  }

  @Test("No tree head says that lines are durable while the disk cannot sync them")
  func failingSync() throws {
    var settings = RecorderSettings()
    settings.fsyncInterval = 0
    settings.tick = 1
    settings.retryInterval = 1
    let storage = VolatileStorage()
    storage.refuse(syncs: .max)
    let recorder = try self.cases.recorder(storage: storage, settings: settings)
    let path = self.cases.path + "/test"
    for event in try self.exchange(1, applied: .log) { _ = recorder.offer(event) }
    while recorder.statistics.failing == nil { sched_yield() }
    #expect(recorder.statistics.failing?.contains("cannot make it durable") == true)
    #expect(!recorder.hasRoom)
    #expect(try self.covered(self.allLines(path)) == 0)
    storage.refuse(syncs: 0)
    try self.wait(path, for: "\"type\":\"tree-head\"")
    try recorder.close(seal: false)
    #expect(try logObjects(path).contains { $0["type"] as? String == "gap" })
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }

  @Test(
    "A disk that becomes read-only is waited for, and said; nothing is missing once it is writable"
  )
  func readOnly() throws {
    var settings = RecorderSettings()
    settings.tick = 1
    settings.retryInterval = 1
    let storage = VolatileStorage()
    let recorder = try self.cases.recorder(storage: storage, settings: settings)
    storage.setReadOnly(true)
    for event in try self.exchange(1, applied: .log) { _ = recorder.offer(event) }
    while recorder.statistics.failing == nil { sched_yield() }
    #expect(recorder.statistics.failing?.contains("Read-only file system") == true)
    storage.setReadOnly(false)
    try recorder.close(seal: false)
    let objects = try logObjects(self.cases.path + "/test")
    #expect(objects.contains { $0["type"] as? String == "flow-end" })
    #expect(objects.contains { $0["type"] as? String == "gap" })
    let nowhere = #expect(throws: EvidenceFailure.self) {
      try CaseFolder.open(
        "test",
        in: self.cases.path + "/test/case.json",
        description: CaseDescription(mode: "record", toolVersion: "0.1.0"),
        at: Play.time(0)
      )
    }
    #expect(nowhere?.code == .io)
  }

  @Test(
    "Whenever the power fails, what a tree head covers is there, and what is not is told",
    arguments: [4_000_000, 3_600_000_000_000]
  )
  func anyMoment(fsyncInterval: UInt64) throws {
    var settings = RecorderSettings()
    settings.fsyncInterval = fsyncInterval
    settings.tick = 1
    settings.segmentSize = 24_576
    settings.keepsWire = true
    let storage = VolatileStorage()
    let recorder = try self.cases.recorder(storage: storage, settings: settings)
    let path = self.cases.path + "/test"
    var random = Seeded(seed: 11)
    var losses = 0
    for number in 1...20 as ClosedRange<UInt64> {
      let events = try self.exchange(number, applied: number.isMultiple(of: 5) ? .block : .log)
      let secret = Bytes("CLIENT_TRAFFIC_SECRET_0 \(number) " + String(repeating: "5e", count: 32))
      _ = recorder.offer(.secret(ConnectionID(number), line: secret))
      let stop = Int.random(in: 0..<events.count, using: &random)
      for event in events[...stop] { _ = recorder.offer(event) }
      for _ in 0..<Int.random(in: 0...2_000, using: &random) { sched_yield() }
      let killed = self.cases.path + "/killed-\(number)"
      let name = "powerless-\(number)"
      let powerless = self.cases.path + "/" + name
      try storage.copy(path, killed: killed, powerless: powerless, using: &random)
      for event in events[(stop + 1)...] { _ = recorder.offer(event) }

      let before = try self.allLines(killed)
      let acknowledged = before.prefix(self.covered(before))
      let folder = try self.cases.open(name)
      let recovery = folder.tail.recovery
      let kept = Int(folder.tail.chain.sequence)
      #expect(kept >= acknowledged.count)
      var goesOn = settings
      goesOn.tick = 25
      try EvidenceRecorder(case: folder, settings: goesOn, log: { _ in }).close(seal: false)
      let after = try self.allLines(powerless)
      #expect(after.prefix(acknowledged.count) == acknowledged)
      for digest in acknowledged.flatMap(self.contents) {
        #expect(try BodyLayout.holds(digest, in: powerless))
      }
      // Not a line is there that was never written.
      #expect(after.prefix(kept).elementsEqual(before.prefix(kept)))
      let recovered = after.map(self.object).first { $0["type"] as? String == "recovered" }
      #expect((recovered == nil) == (recovery == nil))
      #expect(recovered?["bytes"] as? Int == recovery.map { Int($0.bytes) })
      #expect(recovered?["lost"] as? [String] == recovery?.lost)
      for digest in after.prefix(kept).flatMap(self.contents)
      where recovery?.lost.contains(digest) != true {
        #expect(try BodyLayout.holds(digest, in: powerless))
      }
      if recovery != nil { losses += 1 }
      if recovery?.lost.isEmpty != false {
        let report = try CaseVerifier.verify(powerless)
        #expect(report.outcome == .intact, "\(report.text)")
      }
    }
    try recorder.close(seal: false)
    // With the short interval it depends on the machine how much waits to be synced.
    if fsyncInterval > 1_000_000_000 { #expect(losses > 0) }
  }

  @Test("Cut at every byte after the last tree head, a log loses no line before the cut")
  func everyByte() throws {
    let path = try self.killed()
    let file = LogReader.path(of: 1, in: path)
    let whole = try read(file)
    let lines = try logLines(path)
    let covered = self.covered(lines)
    let start = lines.prefix(covered).reduce(0) { $0 + $1.count + 1 }
    #expect(covered > 0 && covered < lines.count - 4)
    for length in start...whole.count {
      try write(whole[..<length], to: file)
      let tail = try LogTail.find(in: path)
      let kept = whole[..<length].count { $0 == 0x0A }
      #expect(tail.chain.sequence == UInt64(kept))
      let end = whole[..<length].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
      #expect(tail.length == UInt64(end))
      #expect(tail.tornBytes == UInt64(length - end))
      #expect(tail.recovery?.lines ?? 0 == 0)
    }
  }

  @Test("Zeros after or over the last lines are cut off; whole lines among what is cut are counted")
  func zeros() throws {
    let path = try self.killed()
    let file = LogReader.path(of: 1, in: path)
    let whole = try read(file)
    let lines = try logLines(path)
    let start = lines.prefix(self.covered(lines) + 2).reduce(0) { $0 + $1.count + 1 }
    let kept = UInt64(self.covered(lines) + 2)
    for count in [1, 4_096, 5 << 20] {
      try write(whole + [UInt8](repeating: 0, count: count), to: file)
      let tail = try LogTail.find(in: path)
      #expect(tail.chain.sequence == UInt64(lines.count))
      #expect(tail.recovery?.bytes == UInt64(count))
      #expect(tail.recovery?.sha256 == nil)
      #expect(tail.recovery?.lines == 0)
    }
    var holed = whole
    for index in start..<start + 700 { holed[index] = 0 }
    try write(holed, to: file)
    let tail = try LogTail.find(in: path)
    #expect(tail.chain.sequence == kept)
    let cut = Array(holed[start...])
    #expect(tail.recovery?.sha256 == Digest.sha256.hash(cut))
    #expect(tail.recovery?.bytes == UInt64(cut.count))
    #expect(tail.recovery?.lines == UInt64(cut.count { $0 == 0x0A }))
    // What was cut is kept, and the case goes on and says so.
    try self.cases.record([], name: "killed")
    let recovered = try #require(
      try logObjects(path).first { $0["type"] as? String == "recovered" }
    )
    let digest = try #require(recovered["sha256"] as? String)
    var reader = try BodyReader(root: path, sha256: digest)
    var content = Bytes()
    while let piece = try reader.next() { content.append(piece) }
    #expect(content.elementsEqual(cut))
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }

  @Test(
    "Contents that did not reach the disk are listed as lost, and are kept when they come again"
  )
  func lostContents() throws {
    let path = try self.killed()
    let lines = try logLines(path)
    let covered = self.covered(lines)
    let open = lines.dropFirst(covered).filter { self.object($0)["type"] as? String == "body" }
      .flatMap(self.contents)
    try #require(open.count == 2)
    func file(_ digest: String) -> String { path + "/" + BodyLayout.relativePath(digest) }
    try FileManager.default.removeItem(atPath: file(open[0]))
    try write([], to: file(open[1]))
    let folder = try self.cases.open("killed")
    #expect(folder.tail.recovery?.lost == open)
    #expect(folder.tail.chain.sequence == UInt64(lines.count))
    let recorder = try EvidenceRecorder(case: folder, settings: RecorderSettings(), log: { _ in })
    for event in try self.exchange(2, applied: .log) { _ = recorder.offer(event) }
    try recorder.close(seal: false)
    let recovered = try #require(
      try logObjects(path).first { $0["type"] as? String == "recovered" }
    )
    #expect(recovered["lost"] as? [String] == open)
    #expect(recovered["bytes"] as? Int == 0)
    for digest in open { #expect(try BodyLayout.holds(digest, in: path)) }
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    // Below a head it is no crash that took a content.
    folder.unlock()
    try FileManager.default.removeItem(atPath: file(open[1]))
    #expect(throws: EvidenceFailure.self) { try self.cases.open("killed") }
  }

  @Test("A content of which only the name reached the disk does not stand for the next of its kind")
  func emptyContent() throws {
    let path = try self.killed()
    let digest = Hex.encode(Digest.sha256.hash("never named" as Bytes))
    try FileManager.default.createDirectory(
      atPath: path + "/bodies/\(digest.prefix(2))",
      withIntermediateDirectories: true
    )
    try write([0, 0, 0, 0], to: path + "/" + BodyLayout.relativePath(digest))
    let recorder = try self.cases.recorder("killed")
    for event in try Play.exchange(3, request: "never named") { _ = recorder.offer(event) }
    try recorder.close(seal: false)
    #expect(try BodyLayout.holds(digest, in: path))
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }

  @Test("Keys that a `wire` line states and that did not reach the disk are said to be gone")
  func lostWire() throws {
    var settings = RecorderSettings()
    settings.keepsWire = true
    let events = (1...3).map { FlowEvent.secret(ConnectionID($0), line: "CLIENT_RANDOM 00 00") }
    let path = try self.cases.record(events, settings: settings)
    let lines = try logLines(path)
    let wire = try #require(lines.firstIndex { self.object($0)["type"] as? String == "wire" })
    let file = path + "/wire/000001.bin"
    let whole = try read(file)
    #expect(self.object(lines[wire])["bytes"] as? Int == whole.count)
    #expect(
      self.object(lines[wire])["sha256"] as? String == Hex.encode(Digest.sha256.hash(whole))
    )
    // As if the power had failed after the line and before the sync.
    try write(lines[...wire].flatMap { $0 + [0x0A] }, to: LogReader.path(of: 1, in: path))
    var damaged = whole
    damaged[30] = 0
    for bytes in [whole, damaged, Array(whole.dropLast(3))] {
      try write(bytes, to: file)
      let copy = try self.cases.copy("test", to: "copy")
      try self.cases.record(events, name: "copy", settings: settings)
      let recovered = try logObjects(copy).filter { $0["type"] as? String == "wire-recovered" }
      let left = try read(copy + "/wire/000001.bin")
      guard bytes != whole else {
        #expect(recovered.isEmpty)
        continue
      }
      let size = try #require(recovered.first?["size"] as? Int)
      #expect(recovered.first?["bytes"] as? Int == bytes.count - size)
      #expect(
        recovered.first?["sha256"] as? String
          == Hex.encode(Digest.sha256.hash(Array(left[..<size])))
      )
      let last = try #require(try logObjects(copy).last { $0["type"] as? String == "wire" })
      #expect(last["sha256"] as? String == Hex.encode(Digest.sha256.hash(left)))
    }
  }
}
