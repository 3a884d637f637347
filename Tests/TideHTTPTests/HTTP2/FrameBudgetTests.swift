import Testing
import TideCore

@testable import TideHTTP

@Suite struct FrameBudgetTests {
  @Test("A budget allows a burst, then a rate, however finely time is cut")
  func rate() {
    for step in [1_000_000, 7_000_000, 100_000_000] as [UInt64] {
      var budget = FrameBudget(burst: 10, perSecond: 100)
      var spent = 0
      var time: UInt64 = 0
      while time <= 1_000_000_000 {
        budget.refill(at: Instant(nanoseconds: time))
        while budget.spend() { spent += 1 }
        time += step
      }
      #expect(106...110 ~= spent, "steps of \(step): \(spent)")
    }
  }

  @Test("Time alone never saves up more than a burst, work saves up more but not without bound")
  func bounds() {
    var budget = FrameBudget(burst: 10, perSecond: 100)
    budget.refill(at: Instant(nanoseconds: 0))
    budget.refill(at: Instant(nanoseconds: .max))
    #expect(!budget.spend(11) && budget.spend(10))
    budget.earn(.max)
    #expect(!budget.spend(161) && budget.spend(160) && !budget.spend())
  }

  @Test("A limit of nothing still lets a connection begin")
  func nothing() {
    var budget = FrameBudget(burst: 0, perSecond: 0)
    budget.refill(at: Instant(nanoseconds: 0))
    budget.refill(at: Instant(nanoseconds: .max))
    #expect(budget.spend() && !budget.spend())
  }
}
