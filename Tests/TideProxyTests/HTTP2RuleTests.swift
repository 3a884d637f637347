import Testing
import TideCoding
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

private let redacting = rule("imei", .redact) { $0.finding = ["imei"] }
private let blocking = rule("imei", .block) { $0.finding = ["imei"] }

/// Rules over HTTP/2: each stream has its own verdict, and the connection lives.
@Suite struct HTTP2RuleTests {
  private func expectAlive(_ play: HTTP2Play) throws {
    let stream = play.get("/alive")
    try play.reply(to: "/alive", 200, [], "yes")
    #expect(play.answer(stream).text == "yes", "the connection lives")
  }

  @Test(
    "A block by path answers its stream with 451 and the next ones go on",
    arguments: Cut.allCases
  )
  func blockHead(cut: Cut) throws {
    let rules = [rule("no-ads", .block) { $0.path = ["/ads*"] }]
    let play = try HTTP2Play(cut, mode: .block, rules: rules)
    let ads = play.get("/ads/1")
    #expect(play.answer(ads).status == 451)
    #expect(play.answer(ads).isWhole)
    #expect(play.answer(ads).text.contains("rule: no-ads"))
    #expect(play.asked.isEmpty)
    try self.expectAlive(play)
    let flow = try play.flow("/ads/1")
    #expect(flow.failure == .blockedByRule)
    #expect(flow.end?.status == 451)
    #expect(flow.end?.exposure == 0)
    play.expectCleanEnd()
  }

  @Test(
    "A block with an upload under way answers, then tells the device to stop sending",
    arguments: Cut.allCases
  )
  func blockUpload(cut: Cut) throws {
    let rules = [rule("no-ads", .block) { $0.path = ["/ads*"] }]
    let play = try HTTP2Play(cut, mode: .block, rules: rules)
    let ads = play.open("POST", "/ads")
    #expect(play.answer(ads).status == 451)
    #expect(play.answer(ads).isWhole)
    #expect(play.answer(ads).reset == .noError)
    play.upload("more", on: ads, isLast: true)
    try self.expectAlive(play)
    play.expectCleanEnd()
  }

  @Test(
    "A finding in the middle of a body stops it: the server's stream is reset and no byte left",
    arguments: Cut.allCases
  )
  func blockBody(cut: Cut) throws {
    let play = try HTTP2Play(cut, mode: .block, rules: [blocking])
    let body =
      #"{"a":""# + String(repeating: "z", count: 6_000) + #"","imei":"\#(World.imei)","b":1}"#
    let up = play.post("/up", body, [("content-type", "application/json")])
    #expect(play.answer(up).status == 451)
    #expect(play.answer(up).isWhole)
    let asked = try #require(play.asked.first)
    #expect(asked.reset == .cancel)
    #expect(!asked.isWhole, "an aborted request is never whole")
    #expect(!asked.text.contains("4901"))
    let flow = try play.flow("/up")
    let exposure = try #require(flow.end?.exposure)
    // Less than `hold_limit` waits until its layers can be opened (decision 8).
    #expect(exposure == 0)
    #expect(asked.body.isEmpty)
    #expect(flow.failure == .blockedByRule)
    try self.expectAlive(play)
    play.expectCleanEnd()
  }

  @Test("A redacted body keeps its length and both versions are recorded", arguments: Cut.allCases)
  func redactBody(cut: Cut) throws {
    let play = try HTTP2Play(cut, mode: .redact, rules: [redacting])
    let body = #"{"d":{"imei":"\#(World.imei)","n":1}}"#
    let fields = [("content-type", "application/json"), ("content-length", "\(body.utf8.count)")]
    let up = play.post("/up", body, fields)
    let asked = try #require(play.asked.first)
    #expect(asked.isWhole)
    #expect(asked.body.count == body.utf8.count)
    #expect(asked.field("content-length") == "\(body.utf8.count)")
    #expect(asked.text.hasPrefix(#"{"d":{"imei":""#) && asked.text.hasSuffix(#"","n":1}}"#))
    #expect(!asked.text.contains(World.imei))
    try play.reply(to: "/up", 200, [], "ok")
    #expect(play.answer(up).text == "ok")
    let flow = try play.flow("/up")
    #expect(flow.requestBody == body)
    #expect(flow.sentBody == asked.text)
    #expect(flow.sentHead.contains("/up"))
    #expect(flow.end?.verdict.applied == .redact)
    play.expectCleanEnd()
  }

  @Test("A compressed body that grows by redaction gets a new content-length")
  func redactCompressed() throws {
    let play = try HTTP2Play(mode: .redact, rules: [redacting])
    let plain = #"{"imei":"\#(World.imei)","note":"49015420323751 49015420323751 4901542032375"}"#
    let body = Gzip.encode(Bytes(plain))
    let stream = play.open(
      "POST",
      "/up",
      [("content-encoding", "gzip"), ("content-length", "\(body.count)")]
    )
    play.upload(body, on: stream, isLast: true)
    let asked = try #require(play.asked.first)
    #expect(asked.isWhole)
    #expect(asked.field("content-length") == "\(asked.body.count)")
    let limits = DecodingLimits(decodedBytes: 1_000, ratio: 100)
    let decoded = try Gzip.decode(Bytes(asked.body), limits: limits).text
    #expect(decoded.count == plain.count)
    #expect(!decoded.contains(World.imei))
    play.expectCleanEnd()
  }

  @Test(
    "Path, query, fields, crumbs of a cookie and trailers are redacted",
    arguments: Cut.allCases
  )
  func redactHead(cut: Cut) throws {
    let play = try HTTP2Play(cut, mode: .redact, rules: [redacting])
    let stream = play.open(
      "POST",
      "/p/\(World.imei)?i=\(World.imei)",
      [("x-imei", World.imei), ("cookie", "a=1"), ("cookie", "i=\(World.imei)")]
    )
    play.upload("hi", on: stream)
    play.uploadTrailers([("x-last", World.imei)], on: stream)
    let asked = try #require(play.asked.first)
    #expect(asked.isWhole && asked.text == "hi")
    #expect(asked.path.hasPrefix("/p/") && !asked.path.contains(World.imei))
    #expect(asked.path.count == 3 + 15 + 3 + 15)
    #expect(asked.field("x-imei")?.count == 15)
    #expect(asked.field("x-imei") != World.imei)
    #expect(asked.head?.fields.all("cookie").map(\.text).first == "a=1")
    #expect(asked.head?.fields.all("cookie").contains { $0.text.contains(World.imei) } == false)
    #expect(asked.trailers?.first("x-last").map { $0.text != World.imei } == true)
    let flow = try play.book.flow()
    #expect(flow.requestHead.contains(World.imei), "the original is evidence")
    #expect(!flow.sentHead.isEmpty && !flow.sentHead.contains(World.imei))
    play.expectCleanEnd()
  }

  @Test("With hold: body the server hears nothing of a blocked request", arguments: Cut.allCases)
  func holdBody(cut: Cut) throws {
    let holding = rule("imei", .block, holdsBody: true) { $0.finding = ["imei"] }
    let play = try HTTP2Play(cut, mode: .block, rules: [holding])
    let good = play.post("/good", "fine")
    #expect(play.asked.map(\.text) == ["fine"])
    let bad = play.post("/bad", String(repeating: "z", count: 6_000) + " imei=\(World.imei) ")
    #expect(play.answer(bad).status == 451)
    #expect(play.asked.count == 1)
    #expect(try play.flow("/bad").end?.exposure == 0)
    try play.reply(to: "/good", 200, [], "ok")
    #expect(play.answer(good).text == "ok")
    play.expectCleanEnd()
  }

  @Test("An answer is redacted; a blocked one is a reset, or a page if nothing of it had left")
  func responses() throws {
    let redactingBack = rule("back", .redact) {
      $0.direction = [.response]
      $0.finding = ["imei"]
      $0.path = ["/redact"]
    }
    let blockingBack = rule("stop", .block) {
      $0.direction = [.response]
      $0.finding = ["imei"]
      $0.path = ["/block"]
    }
    let holdingBack = rule("hold", .block, holdsBody: true) {
      $0.direction = [.response]
      $0.finding = ["imei"]
      $0.path = ["/hold"]
    }
    let play = try HTTP2Play(mode: .block, rules: [redactingBack, blockingBack, holdingBack])
    let streams = ["/redact", "/block", "/hold"].map { play.get($0) }
    let json = #"{"imei":"\#(World.imei)"}"#
    for path in ["/redact", "/block", "/hold"] {
      try play.reply(to: path, 200, [("content-type", "application/json")], isLast: false)
      try play.send(json, to: path, isLast: true)
    }
    #expect(play.answer(streams[0]).isWhole)
    #expect(play.answer(streams[0]).body.count == json.count)
    #expect(!play.answer(streams[0]).text.contains(World.imei))
    #expect(play.answer(streams[1]).status == 200)
    #expect(play.answer(streams[1]).reset == .internalError)
    #expect(!play.answer(streams[1]).isWhole)
    #expect(!play.answer(streams[1]).text.contains("490154"))
    #expect(play.answer(streams[2]).status == 451)
    #expect(play.answer(streams[2]).isWhole)
    try self.expectAlive(play)
    play.expectCleanEnd()
  }

  @Test(
    "In a sinkhole each stream is read to its end and answered with 451",
    arguments: Cut.allCases
  )
  func sinkhole(cut: Cut) throws {
    let rules = [rule("no-cn", .block) { $0.region = ["lab-cn"] }]
    let play = try HTTP2Play(cut, mode: .block, rules: rules, at: "203.0.113.5")
    #expect(play.book.opened.isEmpty)
    let get = play.get("/a")
    let post = play.open("POST", "/b", [("content-length", "5")])
    #expect(play.answer(get).status == 451)
    play.upload("he", on: post)
    #expect(play.answer(post).heads.isEmpty, "it is read first")
    play.upload("llo", on: post, isLast: true)
    #expect(play.answer(post).status == 451)
    #expect(play.answer(post).reset == nil)
    let flow = try play.flow("/b")
    #expect(flow.requestBody == "hello")
    #expect(flow.end?.exposure == 0)
    #expect(flow.end?.verdict.applied == .block)
    play.expectCleanEnd()
  }

  @Test("An upload larger than every window is taken in by a sinkhole")
  func sinkholeUpload() throws {
    let rules = [rule("no-cn", .block) { $0.region = ["lab-cn"] }]
    var limits = Limits()
    limits.streamWindow = 1 << 16
    limits.connectionWindow = 1 << 16
    let play = try HTTP2Play(mode: .block, rules: rules, limits: limits, at: "203.0.113.5")
    let post = play.open("POST", "/b")
    play.upload(Bytes([UInt8](repeating: 0x7A, count: 300_000)), on: post, isLast: true)
    #expect(play.answer(post).status == 451)
    #expect(try play.flow("/b").end?.requestBytes == 300_000)
    play.expectCleanEnd()
  }

  @Test("The proxy's own host is answered over HTTP/2, stream by stream", arguments: Cut.allCases)
  func ownHost(cut: Cut) throws {
    let play = try HTTP2Play(cut, name: "check.tidewaiter.internal")
    let first = play.get("/1")
    let second = play.post("/2", "hello")
    #expect(play.answer(first).text.hasPrefix("own check.tidewaiter.internal/1 through: true"))
    #expect(play.answer(second).text.hasSuffix("secure: true"))
    #expect(play.answer(second).isWhole)
    #expect(play.book.flows.isEmpty)
    #expect(play.book.opened.isEmpty)
    play.expectCleanEnd()
  }

  @Test(
    "Record mode changes nothing and records what would have been done",
    arguments: Cut.allCases
  )
  func recordMode(cut: Cut) throws {
    let play = try HTTP2Play(cut, rules: [blocking])
    let body = "imei=\(World.imei)&x=1"
    _ = play.post("/up", body, [("content-type", "application/x-www-form-urlencoded")])
    #expect(play.asked.first?.text == body)
    try play.reply(to: "/up", 200, [], "ok")
    let flow = try play.flow("/up")
    #expect(flow.end?.verdict.decided == .block)
    #expect(flow.end?.verdict.applied == .log)
    #expect(flow.end?.failure == nil)
    #expect(flow.sentBody.isEmpty)
    play.expectCleanEnd()
  }

  @Test(
    "An authority that is not this connection's is answered with 421, and does not leave",
    arguments: ["other.example", "api.example:8443"]
  )
  func misdirected(authority: String) throws {
    let play = try HTTP2Play()
    let other = play.open("GET", "/", isLast: true, authority: authority)
    #expect(play.answer(other).status == 421)
    #expect(play.asked.isEmpty)
    #expect(try play.flow("/").failure == .misdirected)
    try self.expectAlive(play)
    play.expectCleanEnd()
  }

  @Test("Where fronting is judged, the authority's own rules apply to a stream")
  func judged() throws {
    let rules = [rule("no-ads", .block) { $0.host = ["ads.example"] }]
    let play = try HTTP2Play(mode: .block, rules: rules, fronting: .judge)
    let ads = play.open("GET", "/x", isLast: true, authority: "ads.example")
    play.book.resolve("198.51.100.1")
    play.settle()
    #expect(play.answer(ads).status == 451)
    let other = play.open("GET", "/y", isLast: true, authority: "other.example")
    #expect(play.asked.isEmpty, "not before it is known where it leads")
    play.book.resolve("198.51.100.1")
    play.settle()
    #expect(play.asked.map(\.path) == ["/y"])
    try play.reply(to: "/y", 200)
    #expect(play.answer(other).status == 200)
    play.expectCleanEnd()
  }

  @Test("A body over the hold limit follows otherwise", arguments: [Action.block, .allow])
  func overHoldLimit(otherwise: Action) throws {
    var limits = Limits()
    limits.holdBytes = 1_000
    let redacting = rule("imei", .redact, otherwise: otherwise) { $0.finding = ["imei"] }
    let play = try HTTP2Play(.pieces, mode: .redact, rules: [redacting], limits: limits)
    let body = String(repeating: "z", count: 3_000) + World.imei
    let up = play.post("/up", body)
    if otherwise == .block {
      #expect(play.answer(up).status == 451)
      #expect(play.asked.isEmpty)
      #expect(try play.flow("/up").failure == .notRedactable)
    } else {
      #expect(play.asked.first?.text == body)
      #expect(play.asked.first?.isWhole == true)
    }
    play.expectCleanEnd()
  }

  @Test("A finding in a request's trailers stops it before its end", arguments: Cut.allCases)
  func blockTrailers(cut: Cut) throws {
    let play = try HTTP2Play(cut, mode: .block, rules: [blocking])
    let up = play.open("POST", "/up")
    play.upload("hello", on: up)
    play.uploadTrailers([("x-imei", World.imei)], on: up)
    #expect(play.answer(up).status == 451)
    #expect(play.asked.allSatisfy { !$0.isWhole && $0.trailers == nil })
    #expect(try play.flow("/up").failure == .blockedByRule)
    try self.expectAlive(play)
    play.expectCleanEnd()
  }

  @Test("A head with an identifier is stopped before its stream is opened", arguments: Cut.allCases)
  func blockFields(cut: Cut) throws {
    let play = try HTTP2Play(cut, mode: .block, rules: [blocking])
    let heads: [(path: String, fields: [(String, String)])] = [
      ("/1?imei=\(World.imei)", []), ("/2", [("x-imei", World.imei)]),
      ("/3", [("cookie", "a=1"), ("cookie", "imei=\(World.imei)")]),
    ]
    for head in heads {
      #expect(play.answer(play.get(head.path, head.fields)).status == 451)
    }
    #expect(play.asked.isEmpty)
    #expect(play.book.flows.allSatisfy { $0.end?.exposure == 0 })
    play.expectCleanEnd()
  }
}
