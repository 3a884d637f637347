import Testing
import TideCore
import TideHTTP
import TidePolicy
import TideRegion

@testable import TideProxy

/// Regions over HTTP/2: coalescing where it is allowed, and reloads.
@Suite struct HTTP2RegionTests {
  @Test(
    "A stream for an authority that leads into a blocked region is blocked, and those behind it wait their turn",
    arguments: Cut.allCases
  )
  func coalesced(cut: Cut) throws {
    let rules = [rule("no-cn", .block) { $0.region = ["lab-cn"] }]
    let play = try HTTP2Play(cut, mode: .block, rules: rules, fronting: .judge)
    let hidden = play.open("POST", "/hidden", authority: "hidden.example")
    play.upload("imei=\(World.imei)", on: hidden, isLast: true)
    let plain = play.get("/plain")
    #expect(play.asked.isEmpty)
    play.book.resolve("203.0.113.5")
    play.settle()
    #expect(play.answer(hidden).status == 451)
    #expect(play.asked.map(\.path) == ["/plain"])
    try play.reply(to: "/plain", 200)
    #expect(play.answer(plain).status == 200)
    play.expectCleanEnd()
  }

  @Test(
    "Every stream to a server that is in a blocked region since a reload ends, and the connection with them"
  )
  func reloaded() throws {
    let rules = [rule("no-cn", .block) { $0.region = ["moved"] }]
    let play = try HTTP2Play(mode: .block)
    let first = play.get("/first")
    let second = play.post("/second", "body")
    let moved = RegionSet(name: "moved", cidrs: [CIDR("192.0.2.0/24")].compactMap(\.self))
    try play.book.context.replace(
      Ruling(
        policy: PolicySnapshot(
          rules: rules,
          regions: RegionTable(databases: [], sets: [moved]),
          settings: PolicySettings(mode: .block, allowSpecialUse: World.documentation)
        ),
        plan: World.plan(Limits()),
        devices: [World.profile]
      )
    )
    play.tick(afterSeconds: 1)
    play.settle()
    #expect(play.answer(first).status == 451)
    #expect(play.answer(second).status == 451)
    #expect(play.book.upstreamClose == .abort)
    play.expectCleanEnd()
  }
}
