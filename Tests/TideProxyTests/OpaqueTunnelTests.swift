import Testing
import TideCore
import TidePolicy
import TideTLS

@testable import TideProxy

private let connect = "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n"
private let watching = rule("no-imei-to-cn", .block) {
  $0.region = ["lab-cn"]
  $0.finding = ["imei"]
}

@Suite struct OpaqueTunnelTests {
  private func open(_ book: Playbook, at address: String = "192.0.2.7") throws {
    book.device(connect)
    book.resolve(address)
    try book.connect()
    book.skipGot()
  }

  @Test(
    "Bytes that are no TLS are relayed and recorded both ways in record mode",
    arguments: Cut.allCases
  )
  func notTLS(cut: Cut) throws {
    let book = try Playbook(cut, rules: [watching])
    try self.open(book, at: "203.0.113.5")
    book.device("SSH-2.0-x\r\n")
    #expect(book.serverGot() == "SSH-2.0-x\r\n")
    book.server("SSH-2.0-y\r\n")
    #expect(book.deviceGot() == "SSH-2.0-y\r\n")
    let flow = try book.flow()
    #expect(flow.start.protocolName == "tcp")
    #expect(flow.requestBody == "SSH-2.0-x\r\n")
    #expect(flow.responseBody == "SSH-2.0-y\r\n")
    book.expectCleanEnd()
  }

  @Test("A server that speaks first makes a tunnel, and nothing of the device's is lost")
  func serverFirst() throws {
    let book = try Playbook(.whole)
    try self.open(book)
    book.device("\u{16}\u{3}")  // what could be the beginning of a hello
    book.server("220 mail.example\r\n")
    #expect(book.deviceGot() == "220 mail.example\r\n")
    #expect(book.serverGot() == "\u{16}\u{3}")
    book.device("EHLO\r\n")
    #expect(book.serverGot() == "EHLO\r\n")
    book.expectCleanEnd()
  }

  @Test(
    "Bytes that are no TLS do not go to a region that an enforced rule names",
    arguments: Cut.allCases
  )
  func refused(cut: Cut) throws {
    let book = try Playbook(cut, mode: .block, rules: [watching])
    try self.open(book, at: "203.0.113.5")
    book.device("SSH-2.0-x\r\n")
    #expect(book.serverGot().isEmpty)
    #expect(book.downstreamClose == .afterFlush)
    #expect(try book.flow().failure == .opaque)
    book.expectCleanEnd()
  }

  @Test("In a sinkhole bytes that are no TLS are recorded and go nowhere")
  func sinkhole() throws {
    let book = try Playbook(mode: .block, rules: [rule("no-cn", .block) { $0.region = ["lab-cn"] }])
    book.device(connect)
    book.resolve("203.0.113.5")
    book.device("SSH-2.0-x\r\n")
    let flow = try book.flow()
    #expect(flow.requestBody == "SSH-2.0-x\r\n")
    #expect(flow.failure == .blockedByRule)
    #expect(book.opened.isEmpty)
    book.expectCleanEnd()
  }

  @Test("Passthrough relays the device's own handshake with the server", arguments: Cut.allCases)
  func passthrough(cut: Cut) throws {
    let book = try Playbook(cut, passthrough: ["api.example"])
    book.device(connect)
    book.resolve("192.0.2.7")
    try book.connect(as: "api.example")
    book.skipGot()
    try book.deviceHandshake("api.example", trusting: World.originCA)
    #expect(book.deviceTLS?.isEstablished == true, "it saw the server's own certificate")
    book.device("GET /secret HTTP/1.1\r\n\r\n")
    #expect(book.serverGot() == "GET /secret HTTP/1.1\r\n\r\n")
    let flow = try book.flow()
    #expect(flow.start.facts.treatment == .passthrough)
    #expect(flow.start.protocolName == "tls")
    #expect(book.context.minter.mintedCount == 0)
    book.expectCleanEnd()
  }

  @Test("Passthrough to a region that an enforced rule names is refused with access_denied")
  func passthroughRefused() throws {
    let book = try Playbook(mode: .redact, rules: [watching], passthrough: ["api.example"])
    book.device(connect)
    book.resolve("203.0.113.5")
    try book.connect(as: "api.example")
    book.skipGot()
    try book.deviceHandshake("api.example", trusting: World.originCA)
    #expect(book.deviceFailure?.alert == TLSAlert.accessDenied)
    #expect(book.upstreamByteCount == 0)
    #expect(try book.flow().failure == .blockedByRule)
    book.expectCleanEnd()
  }

  @Test("A half-closed tunnel goes on the other way until that ends as well")
  func halfClosed() throws {
    let book = try Playbook()
    try self.open(book)
    book.device("hello")
    book.deviceCloses(.end)
    #expect(book.upstreamClose == .writing)
    #expect(!book.isFinished)
    book.server("bye")
    #expect(book.deviceGot() == "bye")
    book.serverCloses(.end)
    #expect(book.isFinished)
    #expect(book.downstreamClose == .afterFlush)
    #expect(try book.flow().failure == nil)
    book.expectCleanEnd()
  }

  @Test("A tunnel that the server half-closes still takes the device's bytes")
  func serverHalfClosed() throws {
    let book = try Playbook()
    try self.open(book)
    book.device("hello")
    book.serverCloses(.end)
    #expect(book.downstreamClose == .writing)
    book.device("more")
    #expect(book.serverGot() == "hellomore")
    book.deviceCloses(.end)
    #expect(book.isFinished)
    book.expectCleanEnd()
  }

  @Test("A tunnel that the server resets is reset for the device as well, and recorded as cut")
  func serverReset() throws {
    let book = try Playbook()
    try self.open(book)
    book.device("hello")
    book.serverCloses(.reset)
    #expect(book.downstreamClose == .abort)
    #expect(try book.flow().failure == .truncated)
    book.expectCleanEnd()
  }

  @Test("A tunnel over which nothing comes is closed after the idle time")
  func idle() throws {
    let book = try Playbook()
    try self.open(book)
    book.device("hello")
    book.tick(afterSeconds: 301)
    #expect(book.isFinished)
    #expect(try book.flow().failure == .idleTimeout)
    book.expectCleanEnd()
  }
}
