import Testing
import TideCore
import TidePolicy
import TideTLS

@testable import TideProxy

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
private let connect = "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n"

@Suite struct TunnelTests {
  @Test(
    "CONNECT: look-up, dial, 200, hello, the server's handshake first, our leaf, exchange",
    arguments: Cut.allCases
  )
  func wholeWay(cut: Cut) throws {
    let book = try Playbook(cut)
    book.device(connect)
    #expect(book.resolving?.text == "api.example")
    book.resolve("192.0.2.7")
    #expect(book.deviceGot().isEmpty, "200 means connected")
    try book.connect(as: "api.example")
    #expect(book.deviceGot() == "HTTP/1.1 200 Connection established\r\n\r\n")
    #expect(book.upstreamByteCount == 0, "the server hears nothing before the hello is judged")
    try book.deviceHandshake("api.example")
    #expect(book.deviceTLS?.isEstablished == true)
    #expect(book.serverTLS?.isEstablished == true)
    #expect(book.deviceTLS?.applicationProtocol == "http/1.1")
    book.device("GET /a HTTP/1.1\r\nHost: api.example\r\n\r\n")
    #expect(book.serverGot() == "GET /a HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server(ok)
    #expect(book.deviceGot().hasSuffix("\r\n\r\nok"))
    let flow = try book.flow()
    #expect(flow.start.url == "https://api.example/a")
    #expect(flow.start.facts.treatment == .intercepted)
    let kinds = book.sink.events.compactMap { event in
      if case .handshake(_, let facts, _) = event { facts.leg } else { nil }
    }
    #expect(kinds == ["upstream", "downstream"])
    book.expectCleanEnd()
  }

  @Test(
    "Three requests in turn, and three at once, are answered in order on one connection",
    arguments: Cut.allCases
  )
  func keepAlive(cut: Cut) throws {
    let book = try Playbook(cut)
    try book.tunnel()
    for number in 1...3 {
      book.device("GET /\(number) HTTP/1.1\r\nHost: api.example\r\n\r\n")
      #expect(book.serverGot().hasPrefix("GET /\(number) "))
      book.server("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\(number)")
      #expect(book.deviceGot().hasSuffix("\r\n\r\n\(number)"))
    }
    book.device(
      "POST /4 HTTP/1.1\r\nHost: api.example\r\nContent-Length: 2\r\n\r\nxyGET /5 HTTP/1.1\r\nHost: api.example\r\n\r\n"
        + "GET /6 HTTP/1.1\r\nHost: api.example\r\n\r\n"
    )
    for number in 4...6 {
      let got = book.serverGot()
      #expect(got.contains(" /\(number) "), "one request at a time")
      #expect(got.components(of: "HTTP/1.1") == 1)
      book.server("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\(number)")
      #expect(book.deviceGot().hasSuffix("\r\n\r\n\(number)"))
    }
    #expect(book.flows.count == 6)
    #expect(book.flows.allSatisfy { $0.end?.failure == nil && $0.end?.status == 200 })
    book.expectCleanEnd()
  }

  @Test(
    "A device that sends CONNECT and hello in one go gets 200 first, sinkholed or not",
    arguments: [Mode.record, .block]
  )
  func earlyHello(mode: Mode) throws {
    let block = rule("no-cn", .block) { $0.region = ["lab-cn"] }
    let book = try Playbook(mode: mode, rules: [block])
    let early = try TLSSession.client(
      TLSClientContext(roots: .pem(World.proxyCA.get().certificatePEM)),
      host: World.host("203.0.113.5"),
      applicationProtocols: []
    )
    var flight: Bytes = "CONNECT 203.0.113.5:443 HTTP/1.1\r\nHost: 203.0.113.5\r\n\r\n"
    flight.append(early.takeOutput())
    book.deviceRaw(flight)
    try book.connect(as: "203.0.113.5", selecting: nil)
    let got = book.deviceGot()
    #expect(got.hasPrefix("HTTP/1.1 200 Connection established\r\n\r\n"))
    #expect(got.utf8.count > 500, "and the flight after it")
    book.expectCleanEnd()
  }

  @Test(
    "Our own host inside a tunnel is answered by the site as secure and nothing is dialled",
    arguments: Cut.allCases
  )
  func ownHost(cut: Cut) throws {
    let book = try Playbook(cut)
    book.device(
      "CONNECT check.tidewaiter.internal:443 HTTP/1.1\r\nHost: check.tidewaiter.internal\r\n\r\n"
    )
    book.skipGot()
    try book.deviceHandshake("check.tidewaiter.internal", offering: [])
    book.device("GET /ok HTTP/1.1\r\nHost: check.tidewaiter.internal\r\n\r\n")
    #expect(
      book.deviceGot().hasSuffix("own check.tidewaiter.internal/ok through: true secure: true")
    )
    book.device("GET /2 HTTP/1.1\r\nHost: check.tidewaiter.internal\r\n\r\n")
    #expect(
      book.deviceGot().hasSuffix("own check.tidewaiter.internal/2 through: true secure: true")
    )
    #expect(book.resolving == nil)
    #expect(book.opened.isEmpty)
    #expect(book.flows.isEmpty)
    book.expectCleanEnd()
  }

  @Test(
    "A sinkholed tunnel is never dialled; the request in it is recorded and answered with 451",
    arguments: Cut.allCases
  )
  func sinkhole(cut: Cut) throws {
    let block = rule("no-cn", .block) { $0.region = ["lab-cn"] }
    let book = try Playbook(cut, mode: .block, rules: [block])
    try book.tunnel(at: "203.0.113.5")
    #expect(book.opened.isEmpty)
    #expect(book.deviceTLS?.isEstablished == true)
    book.device(
      "POST /up HTTP/1.1\r\nHost: api.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    )
    #expect(book.deviceGot() == "HTTP/1.1 100 Continue\r\n\r\n")
    book.device("hello")
    let got = book.deviceGot()
    #expect(got.hasPrefix("HTTP/1.1 451 "))
    #expect(got.contains("rule: no-cn"))
    #expect(book.downstreamClose == .writing)
    let flow = try book.flow()
    #expect(flow.requestBody == "hello")
    #expect(flow.end?.verdict.applied == .block)
    #expect(flow.end?.exposure == 0)
    book.expectCleanEnd()
  }

  @Test("A finding in a sinkholed request leaves its exposure at 0, since nothing left")
  func sinkholeFinding() throws {
    let rules = [
      rule("no-cn", .block) { $0.region = ["lab-cn"] },
      rule("no-imei", .block) { $0.finding = ["imei"] },
    ]
    let book = try Playbook(mode: .block, rules: rules)
    try book.tunnel(at: "203.0.113.5")
    let body = String(repeating: "z", count: 9_000) + " imei=\(World.imei) "
    book.device(
      "POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    )
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    #expect(try book.flow().end?.exposure == 0)
    book.expectCleanEnd()
  }

  @Test("A rule on the server name closes the upstream without a byte and answers in its place")
  func serverNameRule() throws {
    let block = rule("no-ads", .block) { $0.host = ["ads.example"] }
    let book = try Playbook(mode: .block, rules: [block], fronting: .judge)
    book.device(connect)
    book.resolve("192.0.2.7")
    try book.connect(as: "api.example")
    book.skipGot()
    try book.deviceHandshake("ads.example")
    #expect(book.resolving?.text == "ads.example", "to judge where it leads")
    book.resolve("192.0.2.9")
    #expect(book.upstreamClose == .abort)
    #expect(book.upstreamByteCount == 0)
    #expect(book.deviceTLS?.isEstablished == true)
    book.device("GET / HTTP/1.1\r\nHost: ads.example\r\n\r\n")
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    book.expectCleanEnd()
  }

  @Test("A server name other than the CONNECT name gets unrecognized_name", arguments: Cut.allCases)
  func fronting(cut: Cut) throws {
    let book = try Playbook(cut)
    book.device(connect)
    book.resolve("192.0.2.7")
    try book.connect(as: "api.example")
    book.skipGot()
    try book.deviceHandshake("other.example")
    #expect(book.deviceFailure?.alert == TLSAlert.unrecognizedName)
    #expect(book.upstreamByteCount == 0)
    #expect(try book.flow().failure == .fronting)
    book.expectCleanEnd()
  }

  @Test(
    "A Host other than the leaf's name is answered with 421 and does not leave",
    arguments: Cut.allCases
  )
  func misdirected(cut: Cut) throws {
    let book = try Playbook(cut)
    try book.tunnel()
    book.device("GET / HTTP/1.1\r\nHost: other.example\r\n\r\n")
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 421 "))
    #expect(book.serverGot().isEmpty)
    #expect(try book.flow().failure == .misdirected)
    book.expectCleanEnd()
  }

  @Test(
    "An untrusted server ends the device's handshake with unknown_ca and no leaf",
    arguments: Cut.allCases
  )
  func untrusted(cut: Cut) throws {
    let book = try Playbook(cut)
    book.device(connect)
    book.resolve("192.0.2.7")
    try book.connect(as: "api.example", signedBy: World.strangerCA)
    book.skipGot()
    try book.deviceHandshake("api.example")
    #expect(book.deviceFailure?.alert == TLSAlert.unknownCA)
    #expect(book.context.minter.mintedCount == 0)
    #expect(try book.flow().failure == .untrustedUpstream)
    #expect(book.downstreamClose == .writing)
    book.expectCleanEnd()
  }

  @Test("A server with a certificate for another name is not trusted either")
  func wrongName() throws {
    let book = try Playbook()
    book.device(connect)
    book.resolve("192.0.2.7")
    try book.connect(as: "www.example")
    book.skipGot()
    try book.deviceHandshake("api.example")
    #expect(book.deviceFailure?.alert != nil)
    #expect(try book.flow().failure == .untrustedUpstream)
    book.expectCleanEnd()
  }

  @Test("A device that rejects the leaf is recorded, and the site is told", arguments: Cut.allCases)
  func rejected(cut: Cut) throws {
    let book = try Playbook(cut)
    book.device(connect)
    book.resolve("192.0.2.7")
    try book.connect(as: "api.example")
    book.skipGot()
    try book.deviceHandshake("api.example", trusting: World.strangerCA)
    #expect(book.site.rejectionCount == 1)
    #expect(try book.flow().failure == .clientHandshake)
    book.expectCleanEnd()
  }

  @Test(
    "A server that closes or resets in its handshake ends the device's with handshake_failure",
    arguments: [CloseKind.end, .reset]
  )
  func serverGivesUp(kind: CloseKind) throws {
    let book = try Playbook()
    book.device(connect)
    book.resolve("192.0.2.7")
    try book.connect()  // a server that never answers the hello
    book.skipGot()
    try book.deviceHandshake("api.example")
    book.serverCloses(kind)
    #expect(book.deviceFailure?.alert == TLSAlert.handshakeFailure)
    #expect(try book.flow().failure == .upstreamHandshake)
    book.expectCleanEnd()
  }
}

extension String {
  /// How often `part` is in it.
  func components(of part: String) -> Int {
    var count = 0
    var rest = self[...]
    while let range = rest.firstRange(of: part) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}
