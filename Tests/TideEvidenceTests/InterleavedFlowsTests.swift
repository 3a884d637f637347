import Foundation
import Synchronization
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

/// The real file system, which counts files that are open at once.
final class CountingStorage: Storage {
  let most = Mutex(0)
  let temporaries = Mutex<Set<String>>([])
  private let real = PosixStorage()
  private let open = Atomic(0)

  func append(to path: String) throws(EvidenceFailure) -> any StoredFile {
    if let name = path.split(separator: "/").last, path.contains("/bodies/tmp/") {
      self.temporaries.withLock { _ = $0.insert(String(name)) }
    }
    let count = self.open.add(1, ordering: .relaxed).newValue
    self.most.withLock { $0 = max($0, count) }
    return CountedFile(try self.real.append(to: path)) { self.open.subtract(1, ordering: .relaxed) }
  }

  func rename(_ path: String, to final: String) throws(EvidenceFailure) {
    try self.real.rename(path, to: final)
  }

  func makeFolder(_ path: String) throws(EvidenceFailure) { try self.real.makeFolder(path) }
  func exists(_ path: String) -> Bool { self.real.exists(path) }
  func sync(_ paths: [String]) throws(EvidenceFailure) {}
  func remove(_ path: String) throws(EvidenceFailure) { try self.real.remove(path) }

  private final class CountedFile: StoredFile {
    private let real: any StoredFile
    private let onClose: @Sendable () -> Void

    init(_ real: any StoredFile, onClose: @escaping @Sendable () -> Void) {
      self.real = real
      self.onClose = onClose
    }

    deinit { self.onClose() }

    func write(_ bytes: [UInt8], from start: Int) throws(EvidenceFailure) -> Int {
      try self.real.write(bytes, from: start)
    }

    func truncate(to count: UInt64) throws(EvidenceFailure) { try self.real.truncate(to: count) }
    func sync() throws(EvidenceFailure) {}
  }
}

@Suite struct InterleavedFlowsTests {
  private static let flows: UInt64 = 2_000
  private let cases = CasesFolder()

  private func writer(
    _ storage: CountingStorage,
    _ settings: RecorderSettings
  ) throws -> EvidenceWriter {
    let ring = EvidenceRing(settings)
    let health = RecorderHealth()
    return try EvidenceWriter(
      folder: self.cases.open(),
      settings: settings,
      ring: ring,
      health: health,
      access: StorageAccess(
        storage: storage,
        ring: ring,
        health: health,
        settings: settings,
        used: 0,
        log: { _ in }
      )
    )
  }

  private static func piece(_ flow: UInt64, _ direction: Direction, _ round: Int) -> Bytes {
    Bytes(String(repeating: "\(direction) \(flow) \(round) ", count: 40))
  }

  private func starts() throws -> [FlowEvent] {
    let facts = try (0..<20).map { try Play.facts($0 + 1) }
    return (1...Self.flows).map { flow in
      .flowStarted(
        FlowStart(
          flow: FlowID(flow),
          facts: facts[Int(flow) % facts.count],
          time: Play.time(0),
          method: "POST",
          url: "https://api.vendor.example/\(flow)",
          protocolName: "h2"
        )
      )
    }
  }

  private static func end(_ flow: UInt64) -> FlowEvent {
    .flowEnded(
      FlowEnd(
        flow: FlowID(flow),
        time: Play.time(1),
        status: 200,
        requestBytes: 0,
        responseBytes: 0,
        findings: 0,
        verdict: .pass,
        exposure: nil,
        failure: nil
      )
    )
  }

  /// Plays 2,000 flows at once, both directions, a piece of each in turn; checks every content.
  private func play(
    _ settings: RecorderSettings,
    _ storage: CountingStorage,
    rounds: Int
  ) throws -> Int {
    var writer = try self.writer(storage, settings)
    var most = 0
    for event in try self.starts() { try writer.write(.event(event)) }
    for round in 0..<rounds {
      for flow in 1...Self.flows {
        for direction in Direction.allCases {
          let piece = Self.piece(flow, direction, round)
          try writer.write(.event(.body(FlowID(flow), direction, .original, piece)))
          most = max(most, writer.bodies.pendingBytes)
        }
      }
    }
    for flow in (1...Self.flows).reversed() { try writer.write(.event(Self.end(flow))) }
    try writer.log.flush()
    #expect(writer.bodies.pendingBytes == 0)
    #expect(writer.flows.isEmpty)
    var seen = 0
    for line in try logObjects(self.cases.path + "/test") where line["type"] as? String == "body" {
      let flow = try #require((line["flow"] as? String).flatMap { FlowID(text: $0) })
      let direction = try #require(
        (line["direction"] as? String).flatMap(Direction.init(rawValue:))
      )
      var whole = Bytes()
      for round in 0..<rounds { whole.append(Self.piece(flow.number, direction, round)) }
      let isRight =
        line["sha256"] as? String == Hex.encode(Digest.sha256.hash(whole))
        && line["size"] as? Int == whole.count && line["complete"] as? Bool == true
      if !isRight { Issue.record("\(flow) \(direction) is not what was offered") }
      seen += 1
    }
    #expect(seen == Int(Self.flows) * 2)
    #expect(try CaseVerifier.verify(self.cases.path + "/test").outcome == .intact)
    #expect(try Folder.names(in: self.cases.path + "/test/bodies/tmp").isEmpty)
    return most
  }

  @Test(
    "2,000 interleaved flows keep their bodies apart, within a bound of memory, with three files open"
  )
  func bounded() throws {
    var settings = RecorderSettings()
    settings.openBodyBytes = 512 << 10
    let storage = CountingStorage()
    let most = try self.play(settings, storage, rounds: 4)
    // One piece may take an array to twice its size before it is noticed.
    #expect(most <= settings.openBodyBytes + 4_096, "\(most)")
    #expect(most > settings.openBodyBytes / 2)
    #expect(storage.most.withLock { $0 } == 3)
    #expect(storage.temporaries.withLock { $0.count } > 1_000)
  }

  @Test("Small bodies of 2,000 interleaved flows never touch a temporary file before they are over")
  func small() throws {
    let storage = CountingStorage()
    _ = try self.play(RecorderSettings(), storage, rounds: 2)
    #expect(storage.temporaries.withLock { $0 }.isEmpty)
    #expect(storage.most.withLock { $0 } == 3)
  }

  @Test("An endless body takes a MiB or two of memory, however long it goes on")
  func endless() throws {
    let storage = CountingStorage()
    var writer = try self.writer(storage, RecorderSettings())
    for event in try self.starts().prefix(1) { try writer.write(.event(event)) }
    let piece = Bytes([UInt8](repeating: 0x61, count: 10_000))
    for _ in 0..<2_000 {
      try writer.write(.event(.body(FlowID(1), .response, .original, piece)))
      #expect(writer.bodies.pendingBytes <= 3 * BodyLayout.mostInMemory)
    }
    #expect(storage.temporaries.withLock { $0 } == ["f-000001.response.original"])
  }

  @Test("A flow whose end was dropped for want of room ends with its connection")
  func lostEnds() throws {
    var settings = RecorderSettings()
    settings.isRequired = false
    settings.ringEvents = 8
    settings.retryInterval = 1
    settings.tick = 1
    let storage = TightStorage(room: 2_000)
    let recorder = try self.cases.recorder(storage: storage, settings: settings)
    let events = try Play.exchange(1, findings: [])
    for event in events.prefix(7) { _ = recorder.offer(event) }
    try #require(storage.waitForRefusal())
    try #require(storage.waitForRefusal())
    let note = FlowEvent.note(FlowID(1), "noise", time: Play.time(0))
    while recorder.statistics.dropped == 0 {
      _ = recorder.offer(note)
      sched_yield()
    }
    for event in events.dropFirst(7).dropLast() { _ = recorder.offer(event) }
    storage.give(.max)
    // Offered until it is taken: the others may not have left the ring yet.
    var before: UInt64
    repeat {
      sched_yield()
      before = recorder.statistics.dropped
      _ = recorder.offer(try #require(events.last))
    } while recorder.statistics.dropped > before
    try recorder.close(seal: false)
    let path = self.cases.path + "/test"
    let types = try logObjects(path).map { $0["type"] as? String }
    #expect(!types.contains("flow-end"))
    let body = try #require(types.firstIndex(of: "body"))
    #expect(body < (try #require(types.firstIndex(of: "connection-end"))))
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }
}

@Suite struct KilledFlowTests {
  private let cases = CasesFolder()

  /// A case as a kill leaves it: a flow still open, what was on disk of its bodies in bodies/tmp/.
  private func killed(tail: [UInt8] = []) throws -> (path: String, content: Bytes) {
    let content = Bytes(String(repeating: "event: tick\n\n", count: 20_000))
    var events = try Array(Play.exchange().prefix(6))
    events.append(.body(FlowID(1), .response, .original, content))
    let path = try self.cases.record(events)
    let lines = try logLines(path)
    let index = try #require(
      try logObjects(path).firstIndex { $0["type"] as? String == "body" }
    )
    try write(lines[..<index].flatMap { $0 + [0x0A] }, to: LogReader.path(of: 1, in: path))
    let file = path + "/" + BodyLayout.relativePath(Hex.encode(Digest.sha256.hash(content)))
    try write(try read(file) + tail, to: path + "/bodies/tmp/f-000001.response.original")
    try write([1, 2, 3], to: path + "/bodies/tmp/content")
    try write(try read(path + "/case.json"), to: path + "/bodies/tmp/f-000001.request.original")
    try write([1], to: path + "/bodies/tmp/f-000009.request.original")
    try write(try read(file), to: path + "/bodies/tmp/f-1.request.original")
    try FileManager.default.removeItem(atPath: file)
    return (path, content)
  }

  private func check(_ path: String, _ content: Bytes) throws {
    let report = try CaseVerifier.verify(path)
    #expect(report.outcome == .intact, "\(report.text)")
    let reader = try CaseReader(path)
    let body = try #require(try reader.flow(FlowID(1)).message(.response)?.body)
    #expect(!body.isComplete)
    #expect(try reader.body(body.sha256) == content)
    #expect(try reader.flow(FlowID(1)).message(.request)?.body == nil)
    #expect(try Folder.names(in: path + "/bodies/tmp").isEmpty)
  }

  @Test("What a kill leaves of a body that was not over is in the case once it is continued")
  func continued() throws {
    for tail in [[], [0x28, 0xB5, 0x2F, 0xFD, 0x20], [0, 0, 0, 0, 0, 0]] as [[UInt8]] {
      let (path, content) = try self.killed(tail: tail)
      // Opened and let go without recording: nothing is lost by that.
      #expect(try self.cases.open().salvaged.map(\.size) == [UInt64(content.count)])
      try self.cases.recorder().close(seal: false)
      try self.check(path, content)
      #expect(try self.cases.open().salvaged.isEmpty)
      try FileManager.default.removeItem(atPath: path)
    }
  }

  @Test("What a kill leaves of a body that was not over is in the case when it is sealed")
  func sealed() throws {
    let (path, content) = try self.killed(tail: [0x28])
    try CaseSealer.seal(path, key: .generate(), at: Play.time(0))
    try self.check(path, content)
  }

  @Test("What was seen of a long flow is in the case although its recorder was killed meanwhile")
  func killedWhileOpen() throws {
    var settings = RecorderSettings()
    settings.spillInterval = 0
    settings.tick = 1
    let storage = CountingStorage()
    let recorder = try self.cases.recorder(storage: storage, settings: settings)
    for event in try Play.exchange().prefix(7) { _ = recorder.offer(event) }
    let name = "f-000001.request.original"
    while !storage.temporaries.withLock({ $0.contains(name) }) { sched_yield() }
    // The writer does one thing after the other: once this is in the log, the piece is on disk.
    _ = recorder.offer(.note(FlowID(1), "still open", time: Play.time(0)))
    let log = LogReader.path(of: 1, in: self.cases.path + "/test")
    while try !Bytes(read(log)).text.contains("still open") { sched_yield() }
    let copy = try self.cases.copy("test", to: "killed")
    try recorder.close(seal: false)
    try self.cases.recorder("killed").close(seal: false)
    for path in [copy, self.cases.path + "/test"] {
      #expect(try CaseVerifier.verify(path).outcome == .intact)
      let body = try #require(try CaseReader(path).flow(FlowID(1)).message(.request)?.body)
      #expect(try CaseReader(path).body(body.sha256) == #"{"imei":"490154203237518"}"#)
      #expect(!body.isComplete)
    }
  }
}
