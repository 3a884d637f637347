import Testing
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

/// HTTP/2 on both legs: each stream is an exchange of its own.
@Suite struct HTTP2Tests {
  @Test(
    "Requests and answers go through stream by stream, and each is a flow",
    arguments: Cut.allCases
  )
  func exchanges(cut: Cut) throws {
    let play = try HTTP2Play(cut)
    let get = play.get("/a?b=c", [("accept", "*/*"), ("cookie", "x=1"), ("cookie", "y=2")])
    let post = play.post("/up", "hello", [("content-length", "5")])
    #expect(play.asked.map(\.path) == ["/a?b=c", "/up"])
    #expect(play.asked.allSatisfy { $0.isWhole })
    #expect(play.asked[0].head?.method == "GET")
    #expect(play.asked[0].head?.pseudo?.authority == "api.example")
    #expect(play.asked[0].head?.pseudo?.scheme == "https")
    #expect(play.asked[0].head?.fields.all("cookie").map(\.text) == ["x=1", "y=2"])
    #expect(play.asked[1].text == "hello")
    try play.reply(to: "/up", 200, [("content-length", "2"), ("x-a", "1"), ("x-a", "2")], "ok")
    try play.reply(to: "/a?b=c", 404, [], "none")
    #expect(play.answer(post).status == 200)
    #expect(play.answer(post).text == "ok")
    #expect(play.answer(post).isWhole)
    #expect(play.answer(post).head?.fields.all("x-a").map(\.text) == ["1", "2"])
    #expect(play.answer(get).status == 404)
    #expect(play.answer(get).text == "none")
    let flows = play.book.flows
    #expect(flows.map(\.start.url) == ["https://api.example/a?b=c", "https://api.example/up"])
    #expect(flows.map(\.start.protocolName) == ["h2", "h2"])
    #expect(flows.map { $0.end?.status } == [404, 200])
    #expect(flows.allSatisfy { $0.end?.failure == nil })
    #expect(flows.map { $0.end?.requestBytes } == [0, 5])
    #expect(flows.map { $0.end?.responseBytes } == [4, 2])
    play.expectCleanEnd()
  }

  @Test(
    "Heads are recorded as the decoded field lines, pseudo-fields first; bodies and trailers follow",
    arguments: Cut.allCases
  )
  func evidence(cut: Cut) throws {
    let play = try HTTP2Play(cut)
    let stream = play.open("POST", "/up", [("x-one", "1")])
    play.upload("hel", on: stream)
    play.upload("lo", on: stream)
    play.uploadTrailers([("x-sum", "9")], on: stream)
    try play.reply(to: "/up", 200, [("x-two", "2")], "wor", isLast: false)
    try play.send("ld", to: "/up")
    try play.sendTrailers([("x-end", "8")], to: "/up")
    #expect(play.asked.first?.trailers?.first("x-sum") == "9")
    #expect(play.answer(stream).trailers?.first("x-end") == "8")
    let flow = try play.book.flow()
    #expect(
      flow.requestHead
        == ":method: POST\r\n:scheme: https\r\n:authority: api.example\r\n:path: /up\r\nx-one: 1\r\n\r\n"
    )
    #expect(flow.responseHead == ":status: 200\r\nx-two: 2\r\n\r\n")
    #expect(flow.requestBody == "hello")
    #expect(flow.responseBody == "world")
    #expect(flow.trailers == "x-sum: 9\r\nx-end: 8\r\n")
    #expect(flow.end?.failure == nil)
    play.expectCleanEnd()
  }

  @Test("103 goes before the answer; HEAD and 204 have no content", arguments: Cut.allCases)
  func withoutContent(cut: Cut) throws {
    let play = try HTTP2Play(cut)
    let get = play.get("/hint")
    let head = play.get("/head", method: "HEAD")
    let nothing = play.post("/nothing", "x")
    try play.reply(to: "/hint", 103, [("link", "</a.css>; rel=preload")], isLast: false)
    #expect(play.answer(get).heads.map(\.status) == [103])
    try play.reply(to: "/hint", 200, [], "ok")
    try play.reply(to: "/head", 200, [("content-length", "5000")])
    try play.reply(to: "/nothing", 204)
    #expect(play.answer(get).heads.map(\.status) == [103, 200])
    #expect(play.answer(head).field("content-length") == "5000")
    #expect(play.answer(head).isWhole && play.answer(head).body.isEmpty)
    #expect(play.answer(nothing).status == 204 && play.answer(nothing).isWhole)
    #expect(play.book.flows.allSatisfy { $0.end?.failure == nil })
    play.expectCleanEnd()
  }

  @Test("Fields for one hop only, and Alt-Svc, do not go on; what is left out is counted")
  func hopByHop() throws {
    let play = try HTTP2Play()
    let get = play.get("/", [("te", "trailers"), ("proxy-authorization", "Basic eA==")])
    #expect(play.asked.first?.field("te") == "trailers")
    #expect(play.asked.first?.field("proxy-authorization") == nil)
    try play.reply(to: "/", 200, [("alt-svc", "h3=\":443\""), ("x", "y")], "ok")
    #expect(play.answer(get).field("alt-svc") == nil)
    #expect(play.answer(get).field("x") == "y")
    #expect(try play.book.flow().coverage == [.alternativeService])
    play.expectCleanEnd()
  }

  @Test(
    "An answer before the request's end is delivered, and the rest of the request still goes on"
  )
  func earlyAnswer() throws {
    let play = try HTTP2Play()
    let post = play.open("POST", "/up")
    play.upload("one", on: post)
    try play.reply(to: "/up", 200, [], "early")
    #expect(play.answer(post).isWhole)
    #expect(play.answer(post).reset == nil)
    play.upload("two", on: post, isLast: true)
    #expect(play.asked.first?.text == "onetwo")
    #expect(play.asked.first?.isWhole == true)
    #expect(try play.book.flow().failure == nil)
    play.expectCleanEnd()
  }

  @Test("An early answer with NO_ERROR tells the device to stop; the request is not whole")
  func earlyAnswerNoError() throws {
    let play = try HTTP2Play()
    let post = play.open("POST", "/up")
    play.upload("one", on: post)
    try play.reply(to: "/up", 413, [], "too much")
    try play.serverResets("/up", .noError)
    #expect(play.answer(post).status == 413)
    #expect(play.answer(post).text == "too much")
    #expect(play.answer(post).isWhole)
    #expect(play.answer(post).reset == .noError)
    let flow = try play.book.flow()
    #expect(flow.end?.status == 413)
    #expect(flow.failure == .truncated)
    #expect(play.get("/next").number > 0)
    #expect(play.asked.last?.path == "/next", "the connection lives")
    play.expectCleanEnd()
  }

  @Test(
    "The server's connection chooses the device's protocol",
    arguments: ["h2", "http/1.1"]
  )
  func chosenByServer(choice: String) throws {
    let book = try Playbook()
    try book.tunnel(offering: ["h2", "http/1.1"], selecting: choice)
    #expect(book.serverTLS?.applicationProtocol == choice)
    #expect(book.deviceTLS?.applicationProtocol == choice)
    book.expectCleanEnd()
  }
}
