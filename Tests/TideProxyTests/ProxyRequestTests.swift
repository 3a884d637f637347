import Testing
import TideCore
import TidePolicy

@testable import TideProxy

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite struct ProxyRequestTests {
  @Test(
    "An absolute-form request is resolved, dialled and forwarded in origin-form",
    arguments: Cut.allCases
  )
  func absoluteForm(cut: Cut) throws {
    let book = try Playbook(cut)
    book.device(
      "GET http://api.example/a?b=1 HTTP/1.1\r\nHost: api.example\r\nProxy-Connection: x\r\n\r\n"
    )
    #expect(book.resolving?.text == "api.example")
    #expect(book.isDownstreamPaused, "nothing is read while the way is made")
    try book.way()
    #expect(!book.isDownstreamPaused)
    #expect(book.serverGot() == "GET /a?b=1 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server(ok)
    #expect(book.deviceGot() == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    #expect(book.downstreamClose == nil)
    let flow = try book.flow()
    #expect(flow.start.url == "http://api.example/a?b=1")
    #expect(flow.end?.status == 200)
    #expect(flow.responseBody == "ok")
    #expect(flow.failure == nil)
    book.expectCleanEnd()
  }

  @Test("A second request to the same host goes over the same upstream", arguments: Cut.allCases)
  func sameHost(cut: Cut) throws {
    let book = try Playbook(cut)
    book.device("GET http://api.example/1 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    try book.way()
    book.server(ok)
    book.device("GET http://api.example/2 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    #expect(book.serverGot().hasSuffix("GET /2 HTTP/1.1\r\nHost: api.example\r\n\r\n"))
    book.server(ok)
    #expect(book.opened.count == 1)
    #expect(book.flows.count == 2)
    book.expectCleanEnd()
  }

  @Test(
    "A second request to another host, pipelined too, closes the first upstream and dials",
    arguments: Cut.allCases
  )
  func anotherHost(cut: Cut) throws {
    let book = try Playbook(cut)
    book.device(
      "GET http://api.example/1 HTTP/1.1\r\nHost: api.example\r\n\r\n"
        + "GET http://www.example/2 HTTP/1.1\r\nHost: www.example\r\n\r\n"
    )
    try book.way()
    book.server(ok)
    #expect(book.resolving?.text == "www.example")
    #expect(book.upstreamClose == .afterFlush)
    book.skipGot()
    try book.way("198.51.100.9")
    #expect(book.serverGot() == "GET /2 HTTP/1.1\r\nHost: www.example\r\n\r\n")
    book.server(ok)
    #expect(book.deviceGot().hasSuffix("\r\n\r\nok"))
    #expect(book.opened == [World.address("192.0.2.7"), World.address("198.51.100.9")])
    #expect(book.flows.map(\.start.url) == ["http://api.example/1", "http://www.example/2"])
    book.expectCleanEnd()
  }

  @Test("When the server closes between exchanges, the next request dials again")
  func upstreamGone() throws {
    let book = try Playbook()
    book.device("GET http://api.example/1 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    try book.way()
    book.server(ok)
    book.serverCloses()
    #expect(book.downstreamClose == nil)
    book.device("GET http://api.example/2 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    try book.way()
    #expect(book.serverGot().hasSuffix("GET /2 HTTP/1.1\r\nHost: api.example\r\n\r\n"))
    #expect(book.opened.count == 2)
    book.expectCleanEnd()
  }

  @Test("What a server says between exchanges ends its leg, not the device's")
  func idleChatter() throws {
    let book = try Playbook()
    book.device("GET http://api.example/1 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    try book.way()
    book.server(ok)
    book.skipGot()
    book.server("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    #expect(book.upstreamClose == .abort)
    #expect(book.deviceGot().isEmpty)
    #expect(book.downstreamClose == nil)
    book.expectCleanEnd()
  }

  @Test("An origin-form request is answered by the site and is no flow", arguments: Cut.allCases)
  func originForm(cut: Cut) throws {
    let book = try Playbook(cut)
    book.device("GET /status HTTP/1.1\r\nHost: 192.0.2.1:8080\r\n\r\n")
    #expect(book.deviceGot().hasSuffix("own 192.0.2.1:8080/status through: false secure: false"))
    book.device(
      "POST http://tidewaiter.internal/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "3\r\nabc\r\n0\r\nSum: 1\r\n\r\n"
    )
    #expect(book.deviceGot().hasSuffix("own tidewaiter.internal/x through: true secure: false"))
    book.device("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(book.deviceGot().hasSuffix("\r\n\r\n"), "no content in answer to HEAD")
    #expect(book.downstreamClose == .writing)
    #expect(book.flows.isEmpty)
    #expect(book.resolving == nil)
    book.expectCleanEnd()
  }

  @Test(
    "A request for ourselves after one for a server does not reach the server",
    arguments: Cut.allCases
  )
  func ownAfterForeign(cut: Cut) throws {
    let book = try Playbook(cut)
    book.device("GET http://api.example/1 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    try book.way()
    book.server(ok)
    book.skipGot()
    book.device("GET /status HTTP/1.1\r\nHost: 192.0.2.1:8080\r\n\r\n")
    let got = book.deviceGot()
    #expect(got.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(got.hasSuffix("own 192.0.2.1:8080/status through: false secure: false"))
    #expect(book.serverGot().isEmpty)
    #expect(book.upstreamClose == .afterFlush)
    book.expectCleanEnd()
  }

  @Test(
    "A name that cannot be resolved is answered with its status and recorded as refused",
    arguments: [(FlowFailure.Code.nameNotFound, 502), (.resolverFailed, 504)]
  )
  func resolution(code: FlowFailure.Code, status: Int) throws {
    for request in ["CONNECT no.example:443", "GET http://no.example/"] {
      let book = try Playbook()
      book.device("\(request) HTTP/1.1\r\nHost: no.example\r\n\r\n")
      book.resolveFails(code)
      let got = book.deviceGot()
      #expect(got.hasPrefix("HTTP/1.1 \(status) "))
      #expect(got.contains("page \(code.rawValue)"))
      #expect(book.downstreamClose == .writing)
      #expect(!book.isDownstreamPaused, "or the device's end would not be seen")
      let flow = try book.flow()
      #expect(flow.start.facts.treatment == .refused)
      #expect(flow.failure == code)
      book.expectCleanEnd()
      #expect(book.closures == [code])
    }
  }

  @Test("A resolver that does not answer is given up after its time")
  func resolverTimeout() throws {
    let book = try Playbook()
    book.device("CONNECT slow.example:443 HTTP/1.1\r\nHost: slow.example\r\n\r\n")
    book.tick(afterSeconds: 5)
    #expect(book.deviceGot().isEmpty)
    book.tick(afterSeconds: 1)
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 504 "))
    book.resolve("192.0.2.7")
    #expect(book.opened.isEmpty, "a late answer dials nothing")
    book.expectCleanEnd()
  }

  @Test("A dial that fails or takes too long tries the next candidate, then answers with the cause")
  func nextCandidate() throws {
    let book = try Playbook()
    book.device("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.resolve("192.0.2.7", "192.0.2.8", "192.0.2.9")
    let first = try #require(book.dialling?.id)
    book.connectFails()
    #expect(book.dialling?.target.address == World.address("192.0.2.8"))
    book.tick(afterSeconds: 11)
    #expect(book.dialling?.target.address == World.address("192.0.2.9"))
    book.give(.opened(first, .success(World.address("192.0.2.7"))))
    #expect(book.deviceGot().isEmpty, "a late event of another leg means nothing")
    book.connectFails()
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 502 "))
    #expect(try book.flow().failure == .connectionRefused)
    book.expectCleanEnd()
  }

  @Test("A peer that is not the decided address is cut off before a byte is sent")
  func wrongPeer() throws {
    let book = try Playbook()
    book.device("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.resolve("192.0.2.7")
    try book.connect(peer: "203.0.113.66")
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 502 "))
    #expect(book.upstreamClose == .abort)
    #expect(book.upstreamByteCount == 0)
    #expect(try book.flow().failure == .wrongPeer)
    book.expectCleanEnd()
  }

  @Test("Addresses of special use and rules with how: refuse are answered with 403")
  func refused() throws {
    let block = rule("no-cn", .block, how: .refuse) { $0.region = ["lab-cn"] }
    for (address, code) in [
      ("127.0.0.1", FlowFailure.Code.specialUse), ("203.0.113.5", .refusedByRule),
    ] {
      let book = try Playbook(mode: .block, rules: [block])
      book.device("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example\r\n\r\n")
      book.resolve(address)
      #expect(book.opened.isEmpty)
      #expect(book.decisions == ["refuse"])
      #expect(book.deviceGot().hasPrefix("HTTP/1.1 403 "))
      #expect(try book.flow().failure == code)
      book.expectCleanEnd()
    }
  }

  @Test(
    "Requests that are broken, ambiguous or too large are answered and closed",
    arguments: Cut.allCases
  )
  func broken(cut: Cut) throws {
    let long = String(repeating: "x", count: 70 << 10)
    for (request, status) in [
      ("GET\r\n\r\n", 400),
      (
        "POST http://api.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        400
      ),
      ("GET http://a@b.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n", 400),
      ("GET https://b.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n", 400),
      ("OPTIONS * HTTP/1.1\r\nHost: b.example\r\n\r\n", 400),
      (
        "GET / HTTP/1.1\r\nHost: a\r\nX: \(cut == .everyByte ? String(long.prefix(66 << 10)) : long)\r\n\r\n",
        431
      ),
    ] {
      let book = try Playbook(cut)
      book.device(request)
      #expect(book.deviceGot().hasPrefix("HTTP/1.1 \(status) "), "\(request.prefix(40))")
      #expect(book.downstreamClose == .writing, "the page is not lost to a reset")
      #expect(book.resolving == nil)
      book.expectCleanEnd()
    }
  }

  @Test("A page in answer to HEAD has no content")
  func brokenHead() throws {
    let book = try Playbook()
    book.device("HEAD https://b.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n")
    #expect(book.deviceGot().hasSuffix("\r\n\r\n"))
    book.expectCleanEnd()
  }

  @Test("A body that breaks its framing while the way is made is answered with 400")
  func brokenWhileResolving() throws {
    let book = try Playbook()
    book.device(
      "POST http://api.example/ HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    )
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 400 "))
    book.expectCleanEnd()
  }

  @Test("TLS on the plain port is closed without an answer")
  func secureProxy() throws {
    let book = try Playbook()
    try book.deviceHandshake("proxy.example")
    #expect(book.downstreamClose == .afterFlush)
    #expect(book.closures == [.malformedMessage])
    book.expectCleanEnd()
  }

  @Test(
    "In a region that a rule sinkholes a plain request is recorded whole and answered with 451",
    arguments: Cut.allCases
  )
  func sinkhole(cut: Cut) throws {
    let block = rule("no-cn", .block) { $0.region = ["lab-cn"] }
    let book = try Playbook(cut, mode: .block, rules: [block])
    book.device(
      "POST http://api.example/ HTTP/1.1\r\nHost: api.example\r\nContent-Length: 5\r\n\r\nhello"
    )
    book.resolve("203.0.113.5")
    #expect(book.opened.isEmpty)
    #expect(book.decisions == ["sinkhole"])
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    let flow = try book.flow()
    #expect(flow.start.facts.treatment == .sinkhole)
    #expect(flow.requestBody == "hello")
    #expect(flow.end?.exposure == 0)
    book.expectCleanEnd()
  }
}
