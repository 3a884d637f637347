import Foundation
import Synchronization
import Testing
import TideCore

@testable import TideEvidence

/// Clocks that stand still until they are moved.
final class PlayedClocks: Sendable {
  private let reading: Mutex<CaseClock.Reading>

  init(monotonic: Int64 = 5_000_000_000, system: Int64 = Play.time(0).nanoseconds) {
    self.reading = Mutex(CaseClock.Reading(monotonic: monotonic, system: system))
  }

  var clock: CaseClock {
    CaseClock(anchor: ClockAnchor()) { self.reading.withLock { $0 } }
  }

  /// Lets time pass, and sets the system's clock.
  func pass(_ milliseconds: Int64, step: Int64 = 0) {
    self.reading.withLock { reading in
      reading = CaseClock.Reading(
        monotonic: reading.monotonic + milliseconds * 1_000_000,
        system: reading.system + (milliseconds + step) * 1_000_000
      )
    }
  }
}

@Suite struct ClockTests {
  private let cases = CasesFolder()

  @Test(
    "Times follow the monotonic clock from one anchor on, whatever is done to the system's clock"
  )
  func anchored() {
    let clocks = PlayedClocks()
    let clock = clocks.clock
    #expect(clock.now == Play.time(0))
    clocks.pass(1_000, step: -3_600_000)
    #expect(clock.now == Play.time(1_000))
    clocks.pass(500, step: 7_200_000)
    #expect(clock.now == Play.time(1_500))
    clock.move(to: clock.read().reading)
    #expect(clock.now == Play.time(1_500 + 3_600_000))
  }

  @Test("A departure of more than 100 ms is followed and said once; a smaller one is not")
  func watched() throws {
    let clocks = PlayedClocks()
    let clock = clocks.clock
    var (watch, first) = ClockWatch.start(clock)
    #expect(first.step == 0)
    #expect(first.time == Play.time(0))
    clocks.pass(25, step: 100)
    var again = watch.check()
    #expect(again == nil)
    clocks.pass(25, step: 1)
    let said = watch.check()
    let line = try #require(said)
    #expect(line.step == 101_000_000)
    #expect(line.time == Play.time(50))
    #expect(line.reading.monotonic == 5_050_000_000)
    #expect(line.reading.system == Play.time(151).nanoseconds)
    again = watch.check()
    #expect(again == nil)
    #expect(clock.now == Play.time(151))
    // Someone else in the process has followed the clock already: this recorder says so all the same.
    clocks.pass(10, step: -5_000)
    clock.move(to: clock.read().reading)
    again = watch.check()
    #expect(again?.step == -5_000_000_000)
  }

  @Test("A recorder that starts after the clock was set says so, and its case goes by the new time")
  func setBefore() {
    let clocks = PlayedClocks()
    let clock = clocks.clock
    _ = clock.now
    clocks.pass(10, step: 60_000)
    let (_, line) = ClockWatch.start(clock)
    #expect(line.step == 60_000_000_000)
    #expect(line.time == Play.time(10))
    #expect(clock.now == Play.time(60_010))
  }

  @Test("A clock that is set while a case is recorded is a line, and disorders none before it")
  func recorded() throws {
    let clocks = PlayedClocks()
    var settings = RecorderSettings()
    settings.clock = clocks.clock
    settings.tick = 1
    let recorder = try self.cases.recorder(settings: settings)
    let path = self.cases.path + "/test"
    func wait(for count: Int) throws {
      // A line may be there in part only while it is written.
      while try logObjects(path).count(where: { $0["type"] as? String == "clock" }) < count {
        sched_yield()
      }
    }
    try wait(for: 1)
    clocks.pass(1_000)
    recorder.mark("one")
    // Once the mark is written nothing older waits.
    while try !Bytes(read(LogReader.path(of: 1, in: path))).text.contains("one") { sched_yield() }
    clocks.pass(1_000, step: -86_400_000)
    try wait(for: 2)
    clocks.pass(1_000)
    recorder.mark("two")
    try recorder.close(seal: false)
    let objects = try logObjects(path)
    let clockLines = objects.filter { $0["type"] as? String == "clock" }
    #expect(clockLines.map { $0["step"] as? Int } == [0, -86_400_000_000_000])
    #expect(clockLines.last?["monotonic"] as? Int == 7_000_000_000)
    #expect(clockLines.last?["system"] as? Int == Int(Play.time(2_000 - 86_400_000).nanoseconds))
    #expect(clockLines.last?["time"] as? String == Play.time(2_000).rfc3339)
    let marks = objects.filter { $0["type"] as? String == "mark" }
    #expect(marks.first?["time"] as? String == Play.time(1_000).rfc3339)
    #expect(marks.last?["time"] as? String == Play.time(3_000 - 86_400_000).rfc3339)
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }
}
