import Dispatch
import Foundation
import Synchronization
import Testing
import TideCore

@testable import TideEvidence

@Suite struct FullDiskTests {
  private let cases = CasesFolder()
  private let said = Lines()

  private final class Lines: Sendable {
    let lines = Mutex<[String]>([])
  }

  private func recorder(
    _ storage: TightStorage,
    _ change: (inout RecorderSettings) -> Void = { _ in }
  ) throws -> EvidenceRecorder {
    var settings = RecorderSettings()
    settings.retryInterval = 10
    settings.tick = 1
    change(&settings)
    return try self.cases.recorder(storage: storage, settings: settings) { [said] line in
      said.lines.withLock { $0.append(line) }
    }
  }

  @Test("Required: a full disk pauses, is said once, and when there is room nothing is missing")
  func required() throws {
    let storage = TightStorage(room: 3_000)
    let recorder = try self.recorder(storage)
    let events = try (1...30).flatMap { try Play.exchange($0) }
    for event in events { _ = recorder.offer(event) }
    try #require(storage.waitForRefusal())
    try #require(storage.waitForRefusal())
    #expect(!recorder.hasRoom)
    guard case .pause = recorder.offer(.note(FlowID(1), "late", time: Play.time(0))) else {
      Issue.record("a recorder that cannot write takes events without pause")
      return
    }
    #expect(recorder.statistics.failing?.contains("No space left on device") == true)
    storage.give(.max)
    try recorder.close(seal: false)
    #expect(recorder.hasRoom)
    #expect(recorder.statistics.failing == nil)
    let path = self.cases.path + "/test"
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    let objects = try logObjects(path)
    #expect(objects.filter { $0["type"] as? String == "flow-end" }.count == 30)
    let gap = try #require(objects.first { $0["type"] as? String == "gap" })
    #expect(gap["events"] as? Int == 0)
    #expect(
      (gap["cause"] as? String)?.contains("log/000001.ndjson") == true
        || (gap["cause"] as? String)?.contains("bodies") == true
    )
    let lines = self.said.lines.withLock { $0 }
    #expect(lines.count == 2)
    #expect(lines.first?.contains("free space on that disk") == true)
  }

  @Test("A disk that fills at any byte leaves a case that verifies once there is room")
  func anywhere() throws {
    let events = try Play.exchange(1) + Play.exchange(2)
    for room in stride(from: 0, to: 9_000, by: 331) {
      let cases = CasesFolder()
      let storage = TightStorage(room: room)
      var settings = RecorderSettings()
      settings.retryInterval = 1
      settings.tick = 1
      let recorder = try cases.recorder(storage: storage, settings: settings)
      for event in events { _ = recorder.offer(event) }
      try #require(storage.waitForRefusal())
      storage.give(.max)
      try recorder.close(seal: false)
      let report = try CaseVerifier.verify(cases.path + "/test")
      #expect(report.outcome == .intact, "room \(room): \(report.text)")
      let ends = try logObjects(cases.path + "/test").filter { $0["type"] as? String == "flow-end" }
      #expect(ends.count == 2)
    }
  }

  @Test("Best-effort: pieces of bodies that find no room are dropped, counted and recorded")
  func bestEffort() throws {
    let storage = TightStorage(room: 2_000)
    let recorder = try self.recorder(storage) { settings in
      settings.isRequired = false
      settings.ringEvents = 8
    }
    for event in try Play.exchange(1).prefix(5) { _ = recorder.offer(event) }
    // Enough for the first batch to be refused, whatever is in it.
    for index in 0..<8 { _ = recorder.offer(.note(FlowID(1), "\(index)", time: Play.time(0))) }
    try #require(storage.waitForRefusal())
    try #require(storage.waitForRefusal())
    let before = recorder.statistics.dropped
    for _ in 0..<100 {
      guard case .accepted = recorder.offer(.body(FlowID(1), .request, .original, "0123456789"))
      else {
        Issue.record("best-effort evidence never pauses")
        return
      }
    }
    #expect(recorder.hasRoom)
    #expect(recorder.statistics.dropped - before >= 92)
    // Metadata has a second allowance, and then is dropped too.
    for _ in 0..<50 { _ = recorder.offer(.note(FlowID(1), "more", time: Play.time(0))) }
    let dropped = recorder.statistics.dropped
    storage.give(.max)
    try recorder.close(seal: false)
    let objects = try logObjects(self.cases.path + "/test")
    let gaps = objects.filter { $0["type"] as? String == "gap" }
    let counted = gaps.reduce(0) {
      $0 + ($1["events"] as? Int ?? 0) + ($1["pieces"] as? Int ?? 0)
    }
    #expect(UInt64(counted) == dropped)
    let body = try #require(objects.first { $0["type"] as? String == "body" })
    #expect(body["complete"] as? Bool == false)
    #expect(try CaseVerifier.verify(self.cases.path + "/test").outcome == .intact)
  }

  @Test("Closed while nothing can be written, it says why and leaves whole lines")
  func abandoned() throws {
    let storage = TightStorage(room: 2_500)
    let recorder = try self.recorder(storage)
    for event in try Play.exchange(1) { _ = recorder.offer(event) }
    try #require(storage.waitForRefusal())
    let failure = #expect(throws: EvidenceFailure.self) { try recorder.close(seal: false) }
    #expect(failure?.code == .full)
    try recorder.close(seal: false)
    let report = try CaseVerifier.verify(self.cases.path + "/test")
    #expect(report.outcome == .intact, "\(report.text)")
    #expect(report.lines > 0)
  }

  @Test("A case at its max_size counts as full if nothing in it may go")
  func maxSize() throws {
    let storage = TightStorage(room: .max)
    let recorder = try self.recorder(storage) { $0.maxSize = 4_000 }
    // As much as is written at once may exceed it: only then is it known that nothing goes.
    let end = ContinuousClock.now + .seconds(20)
    var number: UInt64 = 0
    while recorder.statistics.failing == nil, ContinuousClock.now < end {
      number += 1
      for event in try Play.exchange(number) { _ = recorder.offer(event) }
      sched_yield()
    }
    let full = try #require(recorder.statistics.failing)
    #expect(full.contains("case.max_size"))
    // What was taken in while it was full is written after all, and the time is on record.
    try recorder.close(seal: false)
    let objects = try logObjects(self.cases.path + "/test")
    #expect(objects.count { $0["type"] as? String == "flow-end" } == Int(number))
    let gaps = objects.filter { $0["type"] as? String == "gap" }
    #expect(gaps.map { $0["cause"] as? String } == [full])
    #expect(gaps.allSatisfy { $0["events"] as? Int == 0 })
    #expect(try CaseVerifier.verify(self.cases.path + "/test").outcome == .intact)
    #expect(self.said.lines.withLock { $0.count } == 2)
  }

  @Test("What keeps the writer for long is said, and how long it was")
  func longWait() throws {
    let recorder = try self.recorder(TightStorage(room: .max)) { $0.longWait = 0 }
    try recorder.close(seal: false)
    let lines = self.said.lines.withLock { $0 }
    #expect(!lines.isEmpty)
    #expect(
      lines.allSatisfy { $0.hasPrefix("evidence waited ") && $0.contains(" s for the disk;") }
    )
  }

  @Test("Required: a full ring pauses the sender, and it may go on when the ring was emptied")
  func fullRing() throws {
    var settings = RecorderSettings()
    settings.ringEvents = 4
    let ring = EvidenceRing(settings)
    let note = FlowEvent.note(FlowID(1), "", time: Play.time(0))
    let offers = (0..<5).map { _ in ring.offer(note) }
    #expect(
      offers.map { if case .pause = $0 { true } else { false } }
        == [false, false, false, true, true]
    )
    #expect(!ring.hasRoom)
    #expect(ring.take().items.count == 5)
    #expect(ring.hasRoom)
    _ = ring.offer(
      .body(FlowID(1), .request, .original, Bytes([UInt8](repeating: 0, count: 8 << 20)))
    )
    #expect(!ring.hasRoom)
  }

  @Test("A body whose piece was dropped takes no later piece, even after the ring was emptied")
  func cutBody() throws {
    var settings = RecorderSettings()
    settings.ringBytes = 100
    settings.isRequired = false
    let ring = EvidenceRing(settings)
    let piece = Bytes([UInt8](repeating: 0x61, count: 60))
    for _ in 0..<3 { _ = ring.offer(.body(FlowID(1), .request, .original, piece)) }
    _ = ring.offer(.body(FlowID(2), .request, .original, "small"))
    let batch = ring.take()
    #expect(batch.items.count == 2)
    #expect(batch.dropped == DroppedCount(events: 0, pieces: 2, bytes: 65))
    #expect(batch.cutBodies.map(\.flow.number).sorted() == [1, 2])
  }
}
