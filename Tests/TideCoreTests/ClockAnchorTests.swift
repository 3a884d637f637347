import Testing

@testable import TideCore

@Suite struct ClockAnchorTests {
  @Test("The first reading ties the clocks together, and from then on the system's is not asked")
  func firstReading() {
    let anchor = ClockAnchor()
    let first = anchor.time(at: 100, system: WallTime(nanoseconds: 5_000))
    #expect(first == WallTime(nanoseconds: 5_000))
    let second = anchor.time(at: 175, system: WallTime(nanoseconds: 0))
    #expect(second == WallTime(nanoseconds: 5_075))
  }

  @Test("An anchor that is moved changes times from then on, forward or back")
  func moved() {
    let anchor = ClockAnchor()
    anchor.move(to: WallTime(nanoseconds: 1_000), at: 10)
    #expect(anchor.time(at: 20, system: WallTime(nanoseconds: 0)) == WallTime(nanoseconds: 1_010))
    anchor.move(to: WallTime(nanoseconds: 400), at: 20)
    #expect(anchor.time(at: 21, system: WallTime(nanoseconds: 0)) == WallTime(nanoseconds: 401))
  }
}
