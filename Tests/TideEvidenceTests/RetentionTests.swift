import Foundation
import Synchronization
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct RetentionTests {
  private let cases = CasesFolder()

  /// Bytes that do not compress.
  private func content(_ seed: UInt64, _ count: Int = 20_000) -> Bytes {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return Bytes(
      (0..<count).map { _ in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return UInt8(truncatingIfNeeded: state >> 24)
      }
    )
  }

  private func exchange(_ number: UInt64, finds: Bool = false) throws -> [FlowEvent] {
    try Play.exchange(
      number,
      request: self.content(number),
      response: "",
      findings: finds ? [Play.finding()] : []
    )
  }

  private func purges(_ path: String) throws -> [[String: Any]] {
    try LogReader(root: path).segments.flatMap { try logObjects(path, segment: $0) }
      .filter { $0["type"] as? String == "purged" }
  }

  /// Whether the request body of each flow is there.
  private func kept(_ path: String) throws -> [UInt64: Bool] {
    let reader = try CaseReader(path)
    var kept: [UInt64: Bool] = [:]
    for flow in try reader.flows() {
      let body = try #require(try reader.flow(flow.flow).message(.request)?.body)
      kept[flow.flow.number] = try BodyLayout.holds(body.sha256, in: path)
    }
    return kept
  }

  /// Notes in which order lines are written, made durable, and files removed.
  private final class WatchedStorage: Storage {
    let steps = Mutex<[String]>([])
    private let real = PosixStorage()

    private final class File: StoredFile {
      let real: any StoredFile
      let storage: WatchedStorage

      init(_ real: any StoredFile, _ storage: WatchedStorage) {
        self.real = real
        self.storage = storage
      }

      func write(_ bytes: [UInt8], from start: Int) throws(EvidenceFailure) -> Int {
        if String(decoding: bytes, as: UTF8.self).contains("\"type\":\"purged\"") {
          self.storage.steps.withLock { $0.append("say") }
        }
        return try self.real.write(bytes, from: start)
      }

      func truncate(to count: UInt64) throws(EvidenceFailure) { try self.real.truncate(to: count) }

      func sync() throws(EvidenceFailure) {
        try self.real.sync()
        self.storage.steps.withLock { $0.append("sync") }
      }
    }

    func append(to path: String) throws(EvidenceFailure) -> any StoredFile {
      let file = try self.real.append(to: path)
      return path.contains("/log/") ? File(file, self) : file
    }

    func rename(_ path: String, to final: String) throws(EvidenceFailure) {
      try self.real.rename(path, to: final)
    }

    func makeFolder(_ path: String) throws(EvidenceFailure) { try self.real.makeFolder(path) }
    func exists(_ path: String) -> Bool { self.real.exists(path) }
    func sync(_ paths: [String]) throws(EvidenceFailure) { try self.real.sync(paths) }

    func remove(_ path: String) throws(EvidenceFailure) {
      if !path.contains("/tmp/") { self.steps.withLock { $0.append("remove") } }
      try self.real.remove(path)
    }
  }

  /// Waits until a recorder has written what it was offered.
  private func settle(_ recorder: EvidenceRecorder, _ isDone: () throws -> Bool) throws {
    let end = ContinuousClock.now + .seconds(60)
    while try !isDone(), ContinuousClock.now < end { sched_yield() }
  }

  @Test(
    "A case that reaches max_size loses bodies of flows without findings, oldest first, and says so"
  )
  func maxSize() throws {
    var settings = RecorderSettings()
    settings.maxSize = 1_500_000
    settings.tick = 1
    let storage = WatchedStorage()
    let said = Mutex<[String]>([])
    let recorder = try self.cases.recorder(storage: storage, settings: settings) { line in
      said.withLock { $0.append(line) }
    }
    let path = self.cases.path + "/test"
    for number in 1...150 as ClosedRange<UInt64> {
      let before = recorder.statistics.bytes
      for event in try self.exchange(number, finds: number.isMultiple(of: 10)) {
        _ = recorder.offer(event)
      }
      // Little by little, as from a network.
      try self.settle(recorder) { recorder.statistics.bytes >= before + 20_000 }
    }
    try recorder.close(seal: false)
    let purges = try self.purges(path)
    #expect(!purges.isEmpty)
    #expect(purges.allSatisfy { $0["reason"] as? String == "max_size" })
    let kept = try self.kept(path)
    #expect(kept.allSatisfy { $0.value || !$0.key.isMultiple(of: 10) })
    let gone = kept.filter { !$0.value }.map(\.key).sorted()
    #expect(!gone.isEmpty)
    // The oldest, without a gap but for those with findings.
    let last = try #require(gone.last)
    #expect(gone == (1...last).filter { !$0.isMultiple(of: 10) })
    let size = try Folder.files(below: path).filter { !$0.path.hasPrefix("flows.sqlite") }
      .reduce(0) { $0 + $1.size }
    #expect(size < 1_600_000)
    let listed = purges.flatMap { $0["contents"] as? [String] ?? [] }
    #expect(listed.count == gone.count)
    #expect(purges.reduce(0) { $0 + ($1["bodies"] as? Int ?? 0) } == gone.count)
    #expect(purges.reduce(0) { $0 + ($1["flows"] as? Int ?? 0) } == gone.count)
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    #expect(said.withLock { $0.contains { $0.contains("case.max_size") } })
    // Nothing is removed of which the log does not say so for good.
    var isSaid = false
    for step in storage.steps.withLock({ $0 }) {
      switch step {
      case "say": isSaid = false
      case "sync": isSaid = true
      default: #expect(isSaid)
      }
    }
  }

  @Test("A content that was removed and comes again is there again")
  func comesAgain() throws {
    var settings = RecorderSettings()
    settings.maxSize = 400_000
    settings.tick = 1
    let recorder = try self.cases.recorder(settings: settings)
    let path = self.cases.path + "/test"
    for number in 1...40 as ClosedRange<UInt64> {
      let before = recorder.statistics.bytes
      for event in try self.exchange(number) { _ = recorder.offer(event) }
      try self.settle(recorder) { recorder.statistics.bytes >= before + 20_000 }
    }
    try self.settle(recorder) { try !self.purges(path).isEmpty }
    for event in try Play.exchange(41, request: self.content(1), findings: [Play.finding()]) {
      _ = recorder.offer(event)
    }
    try recorder.close(seal: false)
    let kept = try self.kept(path)
    #expect(kept[2] == false)
    #expect(kept[41] == true)
    #expect(kept[1] == true)
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }

  @Test("What was removed is not found by its words any more, and the index is what the log says")
  func forgotten() throws {
    var settings = RecorderSettings()
    settings.maxSize = 200_000
    settings.tick = 1
    let recorder = try self.cases.recorder(settings: settings)
    let path = self.cases.path + "/test"
    for event in try Play.exchange(1, request: "seldom said", findings: []) {
      _ = recorder.offer(event)
    }
    let filter = try FlowFilter.parse(["text:seldom"], at: Play.time(0))
    try self.settle(recorder) { try CaseReader(path).flows(filter).count == 1 }
    for number in 2...20 as ClosedRange<UInt64> {
      let before = recorder.statistics.bytes
      for event in try self.exchange(number) { _ = recorder.offer(event) }
      try self.settle(recorder) { recorder.statistics.bytes >= before + 20_000 }
    }
    try recorder.close(seal: false)
    #expect(try !self.purges(path).isEmpty)
    #expect(try CaseReader(path).flows(filter).isEmpty)
    #expect(try CaseIndex.check(path) == [])
  }

  @Test("After max_age bodies of flows without findings go; younger ones stay")
  func maxAge() throws {
    let clocks = PlayedClocks()
    var settings = RecorderSettings()
    settings.maxAge = 3_600_000_000_000
    settings.tick = 1
    settings.clock = clocks.clock
    let recorder = try self.cases.recorder(settings: settings)
    let path = self.cases.path + "/test"
    // Two hours old, one with a finding; and one that ends as the two are old enough.
    for number in [1, 2] as [UInt64] {
      for event in try self.exchange(number, finds: number == 2) { _ = recorder.offer(event) }
    }
    try self.settle(recorder) {
      try LogReader(root: path).hasLine(ofType: "connection-end", times: 2)
    }
    clocks.pass(3_500_000)
    for event in try self.exchange(30_000) { _ = recorder.offer(event) }
    try self.settle(recorder) {
      try LogReader(root: path).hasLine(ofType: "connection-end", times: 3)
    }
    #expect(try self.purges(path).isEmpty)
    clocks.pass(400_000)
    try self.settle(recorder) { try !self.purges(path).isEmpty }
    try recorder.close(seal: false)
    let purges = try self.purges(path)
    #expect(purges.map { $0["reason"] as? String } == ["max_age"])
    #expect(try self.kept(path) == [1: false, 2: true, 30_000: true])
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }

  @Test("What was added to wire/ is stated before the sync that a purge forces")
  func wireIsStated() throws {
    let clocks = PlayedClocks()
    var settings = RecorderSettings()
    settings.maxAge = 3_600_000_000_000
    settings.fsyncInterval = 3_600_000_000_000
    settings.keepsWire = true
    settings.tick = 1
    settings.clock = clocks.clock
    let recorder = try self.cases.recorder(settings: settings)
    let path = self.cases.path + "/test"
    for event in try self.exchange(1) { _ = recorder.offer(event) }
    _ = recorder.offer(.secret(ConnectionID(2), line: "seldom said"))
    try self.settle(recorder) {
      try LogReader(root: path).hasLine(ofType: "connection-end", times: 1)
    }
    clocks.pass(4_000_000)
    try self.settle(recorder) { try LogReader(root: path).hasLine(ofType: "tree-head", times: 1) }
    let lines = try logObjects(path)
    let size = try #require(Folder.size(of: WireFormat.path(of: 1, in: path)))
    let purged = try #require(lines.firstIndex { $0["type"] as? String == "purged" })
    let stated = try #require(lines.firstIndex { $0["type"] as? String == "wire" })
    #expect(lines[stated]["bytes"] as? UInt64 == size)
    #expect(stated < purged)
    #expect(lines.last?["size"] as? Int == purged + 1)
    try recorder.close(seal: false)
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }

  @Test("Before a case is full, wire/ goes although flows with findings are in it; they stay")
  func wireAtLast() throws {
    var settings = RecorderSettings()
    settings.maxSize = 600_000
    settings.segmentSize = 40_000
    settings.keepsWire = true
    settings.tick = 1
    let said = Mutex<[String]>([])
    let recorder = try self.cases.recorder(settings: settings) { line in
      said.withLock { $0.append(line) }
    }
    let path = self.cases.path + "/test"
    for number in 1...40 as ClosedRange<UInt64> {
      let before = recorder.statistics.bytes
      _ = recorder.offer(.secret(ConnectionID(number), line: self.content(number)))
      for event in try Play.exchange(number, request: "a", findings: [Play.finding()]) {
        _ = recorder.offer(event)
      }
      try self.settle(recorder) { recorder.statistics.bytes >= before + 20_000 }
    }
    #expect(recorder.statistics.failing == nil)
    try recorder.close(seal: false)
    let purges = try self.purges(path)
    #expect(!purges.isEmpty)
    #expect(purges.allSatisfy { $0["reason"] as? String == Removal.wireAtLast })
    #expect(purges.allSatisfy { ($0["contents"] as? [String])?.isEmpty == true })
    // The oldest files, without a gap.
    let gone = purges.flatMap { $0["wire"] as? [Int] ?? [] }
    #expect(!gone.isEmpty && gone == Array(1...gone.count))
    #expect(try WireFormat.segments(in: path).first == gone.count + 1)
    #expect(try self.kept(path).count { $0.value } == 40)
    #expect(said.withLock { $0.contains { $0.contains("nothing else was left to remove") } })
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }

  @Test("A case whose every flow has findings is full at max_size, and loses nothing")
  func nothingMayGo() throws {
    var settings = RecorderSettings()
    settings.maxSize = 200_000
    settings.tick = 1
    settings.retryInterval = 1
    settings.signingKey = try .generate()
    let recorder = try self.cases.recorder(settings: settings)
    let path = self.cases.path + "/test"
    let end = ContinuousClock.now + .seconds(60)
    var number: UInt64 = 0
    while recorder.statistics.failing == nil, ContinuousClock.now < end {
      number += 1
      for event in try self.exchange(number, finds: true) { _ = recorder.offer(event) }
      sched_yield()
    }
    try recorder.close(seal: true)
    #expect(try self.purges(path).isEmpty)
    let ends = try logObjects(path).count { $0["type"] as? String == "flow-end" }
    #expect(ends == Int(number))
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }
}

extension LogReader {
  fileprivate func hasLine(ofType type: StaticString, times: Int) throws -> Bool {
    var count = 0
    try self.forEachLine { line throws(EvidenceFailure) in
      if line.isWhole, LineStart(line.bytes)?.isType(type) == true { count += 1 }
      return true
    }
    return count >= times
  }
}
