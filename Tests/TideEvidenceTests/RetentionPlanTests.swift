import Testing
import TideCore

@testable import TideEvidence

@Suite struct RetentionPlanTests {
  private typealias Lines = [(RetentionLine, String)]

  private static func time(_ number: Int) -> String { Play.time(Int64(number) * 1_000).rfc3339 }

  /// A flow on a connection of its own that ends at `second` with contents, and with findings if asked.
  private func flow(
    _ number: UInt64,
    at second: Int,
    _ contents: [String],
    finds: Bool = false,
    ends: Bool = true
  ) -> Lines {
    let flow = FlowID(number)
    let time = Self.time(second)
    var lines: Lines = [
      (.connectionStart(ConnectionID(number)), time),
      (.flowStart(flow, ConnectionID(number)), time),
    ]
    if finds { lines.append((.finding(flow), time)) }
    lines += contents.map { (.content(flow, $0), time) }
    if ends { lines += [(.flowEnd(flow), time), (.connectionEnd(ConnectionID(number)), time)] }
    return lines
  }

  private func plan(
    _ lines: Lines,
    _ selection: PurgeSelection = PurgeSelection(reason: "test"),
    goal: UInt64? = nil,
    gone: Set<String> = [],
    isOver: Bool = false
  ) -> RetentionPlan {
    var survey = RetentionSurvey(endedBefore: selection.endedBefore)
    for (line, time) in lines { survey.take(line, at: time) }
    if isOver, let last = lines.last { survey.end(at: last.1) }
    var plan = RetentionPlan(selection, survey: survey, goal: goal)
    let numbered = lines.enumerated().map { ($1.0, (sequence: UInt64($0), time: $1.1)) }
    for (line, start) in numbered {
      guard plan.choose(line, at: start, size: { gone.contains($0) ? nil : 100 }) else { break }
    }
    for (line, start) in numbered { plan.check(line, at: start) }
    return plan
  }

  private func digests(_ plan: RetentionPlan) -> [String] { plan.contents.map(\.digest) }

  @Test("Contents of flows without findings go, oldest first, as many as the goal asks for")
  func oldestFirst() {
    let lines =
      self.flow(1, at: 1, ["a", "b"]) + self.flow(2, at: 2, ["c"], finds: true)
      + self.flow(3, at: 3, ["d"]) + self.flow(4, at: 4, ["e"])
    #expect(self.digests(self.plan(lines)) == ["a", "b", "d", "e"])
    #expect(self.digests(self.plan(lines, goal: 250)) == ["a", "b", "d"])
    #expect(self.digests(self.plan(lines, goal: 250, gone: ["a"])) == ["b", "d", "e"])
    #expect(self.digests(self.plan(lines, goal: 100)) == ["a"])
  }

  @Test("What a flow with findings has too stays, whether that flow was before or after")
  func shared() {
    let before = self.flow(1, at: 1, ["x"], finds: true) + self.flow(2, at: 2, ["x", "y"])
    let after = self.flow(1, at: 1, ["x", "y"]) + self.flow(2, at: 2, ["x"], finds: true)
    #expect(self.digests(self.plan(before)) == ["y"])
    #expect(self.digests(self.plan(after)) == ["y"])
  }

  @Test("A finding counts wherever it stands, and heads and certificates are never removed")
  func keptContents() {
    let lines =
      self.flow(1, at: 1, ["a"]) + self.flow(2, at: 2, ["b", "c"])
      + [(.finding(FlowID(1)), Self.time(3)), (.kept(["b"]), Self.time(3))]
    #expect(self.digests(self.plan(lines)) == ["c"])
  }

  @Test("What a younger flow has too is as young as that")
  func younger() {
    let lines =
      self.flow(1, at: 1, ["a", "x"]) + self.flow(2, at: 2, ["b"]) + self.flow(3, at: 3, ["x"])
    #expect(self.digests(self.plan(lines, goal: 200)) == ["a"])
    #expect(self.digests(self.plan(lines)) == ["a", "x", "b"])
    let before = PurgeSelection(reason: "test", endedBefore: Play.time(2_500))
    #expect(self.digests(self.plan(lines, before)) == ["a", "b"])
  }

  @Test("A clock that was set does not matter to what is older")
  func clockStep() {
    let lines =
      [(.start, Self.time(1_000))] + self.flow(1, at: 900, ["a"]) + self.flow(2, at: 2, ["b"])
      + self.flow(3, at: 500, ["c"])
    #expect(self.digests(self.plan(lines, goal: 200)) == ["a", "b"])
  }

  @Test("A flow that is open keeps its messages; one of a recorder that was killed is over")
  func openFlows() {
    let lines = self.flow(1, at: 1, ["a"], ends: false) + self.flow(2, at: 2, ["b"])
    #expect(self.digests(self.plan(lines)) == ["b"])
    #expect(self.digests(self.plan(lines, isOver: true)) == ["a", "b"])
    #expect(self.digests(self.plan(lines + [(.start, Self.time(3))])) == ["a", "b"])
  }

  @Test("With flows by name a content goes if all its flows are named, findings or not")
  func named() {
    let lines =
      self.flow(1, at: 1, ["a", "x"], finds: true) + self.flow(2, at: 2, ["x", "y"])
      + self.flow(3, at: 3, ["z"])
    var selection = PurgeSelection(reason: "test", keepsFindings: false, flows: [FlowID(1)])
    #expect(self.digests(self.plan(lines, selection)) == ["a"])
    selection.flows = [FlowID(1), FlowID(2)]
    #expect(self.digests(self.plan(lines, selection)) == ["a", "x", "y"])
    selection.keepsFindings = true
    #expect(self.digests(self.plan(lines, selection)) == ["y"])
  }

  @Test("A file of wire/ goes if all its connections are over, old enough and without findings")
  func wire() {
    func mayGo(_ plan: RetentionPlan, _ connections: Set<UInt64>, last second: Int) -> Bool {
      plan.mayGo(
        WireSummary(connections: connections, last: Play.time(Int64(second) * 1_000), size: 1),
        whileRecording: true
      )
    }
    let lines =
      self.flow(1, at: 1, ["a"]) + self.flow(2, at: 2, ["b"], finds: true)
      + self.flow(3, at: 3, ["c"])
      + [(.connectionStart(ConnectionID(4)), Self.time(3))]
    let all = self.plan(lines)
    #expect(mayGo(all, [1], last: 1))
    #expect(mayGo(all, [1, 3], last: 3))
    #expect(!mayGo(all, [1, 2], last: 2))
    #expect(!mayGo(all, [1, 4], last: 3))
    // Up to the oldest content that was asked for, and no further.
    let some = self.plan(lines, goal: 200)
    #expect(mayGo(some, [1], last: 1))
    #expect(!mayGo(some, [3], last: 3))
    let named = self.plan(
      lines,
      PurgeSelection(reason: "test", keepsFindings: false, flows: [FlowID(2)])
    )
    #expect(mayGo(named, [2], last: 2))
    #expect(!mayGo(named, [2, 5], last: 2))
  }

  @Test("A set of numbers holds what was put in, singly or up to a number, and nothing absurd")
  func numbers() {
    var set = NumberSet()
    for number in [0, 1, 63, 64, 130] as [UInt64] { set.insert(number) }
    #expect((0...200).filter { set.contains($0) } == [0, 1, 63, 64, 130])
    set.insert(upTo: 66)
    #expect((0...200).filter { set.contains($0) } == Array(0...66) + [130])
    set.insert(.max)
    #expect(!set.contains(.max))
  }
}
