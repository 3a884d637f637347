import Testing
import TideCore
import TidePolicy
import TideTLS

@testable import TideProxy

private let connect = "CONNECT 192.0.2.7:443 HTTP/1.1\r\nHost: 192.0.2.7:443\r\n\r\n"
private let blocking = rule("no-cn", .block) { $0.region = ["lab-cn"] }

/// CONNECT to an address: the name is the hello's.
@Suite struct ServerNameTests {
  private func open(_ book: Playbook, as name: String? = "api.example") throws {
    book.device(connect)
    #expect(book.resolving == nil, "an address is not looked up")
    try book.connect(as: name)
    book.skipGot()
  }

  @Test(
    "The server name is looked up to be judged, verified and in the leaf; the address stays",
    arguments: Cut.allCases
  )
  func judged(cut: Cut) throws {
    let book = try Playbook(cut)
    try self.open(book)
    try book.deviceHandshake("api.example")
    #expect(book.resolving?.text == "api.example")
    #expect(book.isDownstreamPaused)
    #expect(book.upstreamByteCount == 0)
    book.resolve("192.0.2.99")
    #expect(book.deviceTLS?.isEstablished == true)
    #expect(book.opened == [World.address("192.0.2.7")])
    book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
    #expect(book.serverGot().hasPrefix("GET / "))
    #expect(try book.flow().start.url == "https://api.example/")
    book.expectCleanEnd()
  }

  @Test(
    "A server name that leads into a blocked region is sinkholed without a byte",
    arguments: Cut.allCases
  )
  func blocked(cut: Cut) throws {
    let book = try Playbook(cut, mode: .block, rules: [blocking])
    try self.open(book)
    try book.deviceHandshake("api.example")
    book.resolve("203.0.113.5")
    #expect(book.upstreamByteCount == 0)
    #expect(book.upstreamClose == .abort)
    book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    book.expectCleanEnd()
  }

  @Test(
    "A server name that cannot be looked up adds no verdict, late or not",
    arguments: [true, false]
  )
  func unresolved(isLate: Bool) throws {
    let book = try Playbook()
    try self.open(book)
    try book.deviceHandshake("api.example")
    if isLate { book.tick(afterSeconds: 6) } else { book.resolveFails() }
    #expect(book.deviceTLS?.isEstablished == true)
    book.expectCleanEnd()
  }

  @Test(
    "A server that ends while the name is looked up ends the device's handshake",
    arguments: [CloseKind.end, .reset]
  )
  func serverGone(kind: CloseKind) throws {
    let book = try Playbook()
    try self.open(book)
    try book.deviceHandshake("api.example")
    book.serverCloses(kind)
    #expect(book.deviceFailure?.alert == TLSAlert.handshakeFailure)
    book.resolve("192.0.2.99")
    book.expectCleanEnd()
  }

  @Test("What the device sent after its hello is not lost while the name is looked up")
  func earlyDeviceBytes() throws {
    let book = try Playbook(passthrough: ["192.0.2.7", "api.example"])
    try self.open(book, as: nil)
    let hello = try hello(for: "api.example")
    book.deviceRaw(hello)
    book.give(.received(.downstream, "more"))  // it was read before the pause
    book.resolve("192.0.2.99")
    #expect(Bytes(book.serverText) == Bytes(hello.array + Array("more".utf8)))
    book.expectCleanEnd()
  }

  @Test("What a server says before our hello is part of its handshake, and breaks it")
  func earlyServerBytes() throws {
    let book = try Playbook()
    try self.open(book, as: nil)
    try book.deviceHandshake("api.example")
    let leg = try #require(book.upstream.map { Leg.upstream($0) })
    book.give(.received(leg, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    book.resolve("192.0.2.99")
    #expect(book.deviceFailure?.alert != nil)
    #expect(try book.flow().failure == .upstreamHandshake)
    book.expectCleanEnd()
  }

  @Test("A sinkholed device that says no more than its hello leaves a record of it, and no dial")
  func helloAlone() throws {
    let book = try Playbook(mode: .block, rules: [blocking])
    book.device("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.resolve("203.0.113.5")
    book.skipGot()
    book.deviceRaw(try hello(for: "api.example"))
    book.deviceCloses()
    let names = book.sink.events.compactMap { event in
      if case .hello(_, let facts, _) = event { facts.serverName?.text } else { nil }
    }
    #expect(names == ["api.example"])
    #expect(book.opened.isEmpty)
    #expect(try book.flow().failure == .clientHandshake)
    book.expectCleanEnd()
  }

  @Test("In redact mode a block by region alone dials")
  func redactDials() throws {
    let book = try Playbook(mode: .redact, rules: [blocking])
    try book.tunnel(at: "203.0.113.5")
    #expect(book.opened == [World.address("203.0.113.5")])
    book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
    #expect(book.serverGot().hasPrefix("GET / "))
    book.server("HTTP/1.1 204 No Content\r\n\r\n")
    let verdict = try #require(try book.flow().end?.verdict)
    #expect(verdict.decided == .block)
    #expect(verdict.applied == .redact)
    book.expectCleanEnd()
  }
}
