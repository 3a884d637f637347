import Testing
import TideCore
import TidePolicy
import TideTLS

@testable import TideProxy

private let request = "GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"
private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite("Devices that refuse our leaf")
struct TrustTests {
  private let tls = PlayTLS()

  /// A device that trusts our CA, or not, goes to a host and, if it can, asks for something.
  @discardableResult
  private func visit(
    _ name: String,
    trusts: Bool,
    tls: PlayTLS? = nil,
    mode: Mode = .record,
    rules: [Rule] = [],
    at address: String = "192.0.2.7"
  ) throws -> Playbook {
    let book = try Playbook(mode: mode, rules: rules, tls: tls ?? self.tls)
    book.device("CONNECT \(name):443 HTTP/1.1\r\nHost: \(name):443\r\n\r\n")
    book.resolve(address)
    try book.connect(as: name)
    book.skipGot()
    try book.deviceHandshake(name, trusting: trusts ? World.proxyCA : World.strangerCA)
    if book.deviceTLS?.isEstablished == true {
      book.device("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
      book.server(ok)
    }
    return book
  }

  @Test("A device without our CA is told apart from one that pins a host")
  func classes() throws {
    let first = try self.visit("api.example", trusts: false)
    #expect(first.deviceFailure?.code == .untrusted)
    #expect(first.coverage == [.untrustedAuthority])
    #expect(try first.flow().failure == .clientHandshake)
    first.expectCleanEnd()
    try self.visit("www.example", trusts: true)
    let second = try self.visit("api.example", trusts: false)
    #expect(second.coverage == [.pinned])
    #expect(self.tls.trust.refusals.count == 1)
  }

  @Test("After three refusals the host is relayed undecrypted, and only that host")
  func learned() throws {
    try self.visit("www.example", trusts: true)
    for _ in 0..<3 { try self.visit("api.example", trusts: false) }
    let relayed = try Playbook(tls: self.tls)
    relayed.device("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n")
    relayed.resolve("192.0.2.7")
    try relayed.connect(as: "api.example")
    relayed.skipGot()
    // The app's own pin: it trusts the real server's CA and no other.
    try relayed.deviceHandshake("api.example", trusting: World.originCA)
    #expect(relayed.deviceTLS?.isEstablished == true)
    relayed.device(request)
    #expect(relayed.serverGot() == request)
    #expect(relayed.coverage.contains(.learnedPassthrough))
    #expect(relayed.coverage.contains(.undecrypted))
    let other = try self.visit("www.example", trusts: true)
    #expect(other.deviceGot().contains("200 OK"))
    // Revoked, it is intercepted again.
    #expect(self.tls.trust.revoke(World.host("api.example"), device: nil, at: World.wall) == 1)
    let again = try self.visit("api.example", trusts: true)
    #expect(again.deviceGot().contains("200 OK"))
  }

  @Test("In block mode a host that a device pins does not go to the region of a rule")
  func enforced() throws {
    let rules = [
      rule("identifiers", .block) {
        $0.region = ["lab-cn"]
        $0.finding = ["imei"]
      }
    ]
    try self.visit("www.example", trusts: true, mode: .block, rules: rules)
    for _ in 0..<3 {
      try self.visit(
        "api.example",
        trusts: false,
        mode: .block,
        rules: rules,
        at: "203.0.113.9"
      )
    }
    let app = try self.visit(
      "api.example",
      trusts: false,
      mode: .block,
      rules: rules,
      at: "203.0.113.9"
    )
    // Intercepted as if nothing were learned: another app on the device may well accept the leaf.
    #expect(app.deviceFailure?.code == .untrusted)
    #expect(try app.flow().start.facts.treatment == .refused)
    #expect(!app.coverage.contains(.learnedPassthrough))
    app.expectCleanEnd()
    let browser = try self.visit(
      "api.example",
      trusts: true,
      mode: .block,
      rules: rules,
      at: "203.0.113.9"
    )
    #expect(browser.deviceGot().contains("200 OK"))
  }

  @Test("What was learned of a name takes no other server out of sight")
  func otherServer() throws {
    try self.visit("www.example", trusts: true)
    for _ in 0..<3 { try self.visit("api.example", trusts: false) }
    for (addresses, isRelayed) in [(["192.0.2.7"], true), (["192.0.2.66"], false), ([], false)] {
      let book = try Playbook(tls: self.tls)
      book.device("CONNECT 192.0.2.7:443 HTTP/1.1\r\nHost: 192.0.2.7:443\r\n\r\n")
      try book.connect(as: "api.example")
      book.skipGot()
      try book.deviceHandshake("api.example", trusting: World.originCA)
      if addresses.isEmpty { book.resolveFails() } else { book.resolve(addresses) }
      #expect(book.coverage.contains(.learnedPassthrough) == isRelayed)
      #expect((book.deviceTLS?.isEstablished == true) == isRelayed)
    }
  }

  @Test("A passthrough that is revoked ends the tunnels that are open for it")
  func revokedWhileOpen() throws {
    try self.visit("www.example", trusts: true)
    for _ in 0..<3 { try self.visit("api.example", trusts: false) }
    let book = try Playbook(tls: self.tls)
    book.device("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n")
    book.resolve("192.0.2.7")
    try book.connect(as: "api.example")
    book.skipGot()
    try book.deviceHandshake("api.example", trusting: World.originCA)
    book.tick(afterSeconds: 1)
    #expect(book.downstreamClose == nil)
    #expect(self.tls.trust.revoke(World.host("api.example"), device: nil, at: World.wall) == 1)
    book.tick(afterSeconds: 1)
    #expect(book.downstreamClose == .abort)
    #expect(try book.flow().failure == .opaque)
    book.expectCleanEnd()
  }

  @Test(
    "A device that closes as soon as the handshake is over may pin: it is shown, and nothing is relayed"
  )
  func silent() throws {
    try self.visit("www.example", trusts: true)
    for _ in 0..<3 {
      let book = try Playbook(tls: self.tls)
      try book.tunnel()
      #expect(book.deviceTLS?.isEstablished == true)
      book.deviceCloses()
      #expect(book.coverage == [.clientClosed])
    }
    #expect(!self.tls.trust.isLearned("redmi", World.host("api.example"), at: World.wall))
    #expect(
      self.tls.trust.refusals.first?.contains("may pin (closed without an alert, 3 times") == true
    )
  }

  @Test("A connection that is kept open unused for a while and then closed is no refusal")
  func preconnect() throws {
    for _ in 0..<3 {
      let book = try Playbook(tls: self.tls)
      try book.tunnel()
      book.tick(afterSeconds: 30)
      book.deviceCloses()
      #expect(book.coverage.isEmpty)
    }
    #expect(self.tls.trust.refusals.isEmpty)
  }

  @Test("After a rotation a device that has only the old CA is shown that one's leaves")
  func rotated() throws {
    var tls = PlayTLS()
    tls.authority = World.strangerCA
    tls.previous = World.proxyCA
    let first = try self.visit("api.example", trusts: true, tls: tls)
    #expect(first.deviceFailure?.code == .untrusted)
    let second = try self.visit("api.example", trusts: true, tls: tls)
    #expect(second.deviceGot().contains("200 OK"))
    let third = try self.visit("www.example", trusts: true, tls: tls)
    #expect(third.deviceGot().contains("200 OK"))
  }
}

@Suite("Upstreams that do not verify")
struct UntrustedUpstreamTests {
  private func visit(_ untrusted: UntrustedUpstreams) throws -> Playbook {
    var tls = PlayTLS()
    tls.untrusted = untrusted
    let book = try Playbook(tls: tls)
    book.device("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n")
    book.resolve("192.0.2.7")
    try book.connect(as: "api.example", signedBy: World.strangerCA)
    book.skipGot()
    try book.deviceHandshake("api.example")
    return book
  }

  @Test("Strict: the device gets the alert that names the cause")
  func strict() throws {
    let book = try self.visit(.refuse)
    #expect(book.deviceFailure?.alert == TLSAlert.unknownCA)
    #expect(try book.flow().failure == .untrustedUpstream)
    book.expectCleanEnd()
  }

  @Test(
    "Mirror: the device is shown a leaf that it can trust as little, and that tells nothing of pins"
  )
  func mirror() throws {
    let book = try self.visit(.mirror)
    #expect(book.deviceFailure?.code == .untrusted)
    #expect(book.coverage == [.unverified])
    #expect(book.context.trust.refusals.isEmpty)
    #expect(book.site.rejectionCount == 0)
  }

  @Test("Off: the flow goes on under our own leaf, and is counted")
  func off() throws {
    let book = try self.visit(.accept)
    book.device(request)
    book.server(ok)
    #expect(book.deviceGot().contains("200 OK"))
    #expect(book.coverage == [.unverified])
  }
}

@Suite("Hosts outside the limits of our CA")
struct PermitTests {
  /// A CA of ours that may issue for api.example alone.
  private static let limited = Result {
    try CertificateAuthority.generate(
      key: .p256,
      lifetimeSeconds: 90 * World.day,
      at: World.wall,
      label: "limited",
      permitting: ["api.example"].compactMap { PermittedName($0) }
    )
  }

  private func open(
    _ target: String,
    serverName: String,
    namedBy addresses: [String] = []
  ) throws -> Playbook {
    var tls = PlayTLS()
    tls.authority = Self.limited
    let book = try Playbook(fronting: .judge, tls: tls)
    book.device("CONNECT \(target):443 HTTP/1.1\r\nHost: \(target):443\r\n\r\n")
    book.resolve(["192.0.2.7"])
    try book.connect(as: serverName)
    book.skipGot()
    try book.deviceHandshake(serverName, trusting: World.originCA)
    if book.resolving != nil { book.resolve(addresses) }
    return book
  }

  @Test("A host outside is relayed undecrypted and counted")
  func outside() throws {
    let book = try self.open("www.example", serverName: "www.example")
    #expect(book.deviceTLS?.isEstablished == true)
    #expect(book.coverage == [.outsidePermit, .undecrypted])
  }

  @Test("A permitted host is intercepted")
  func inside() throws {
    let book = try self.open("api.example", serverName: "api.example")
    #expect(book.deviceFailure?.code == .untrusted)  // it trusts the server's CA alone
    #expect(!book.coverage.contains(.outsidePermit))
  }

  @Test(
    "No permitted host hides behind a name outside, and no address behind a name that is not its own"
  )
  func hidden() throws {
    let fronted = try self.open("api.example", serverName: "www.example", namedBy: ["192.0.2.7"])
    #expect(fronted.deviceFailure?.alert == TLSAlert.unrecognizedName)
    #expect(fronted.upstreamByteCount == 0)
    let foreign = try self.open("192.0.2.7", serverName: "www.example", namedBy: ["192.0.2.66"])
    #expect(foreign.deviceFailure?.alert == TLSAlert.unrecognizedName)
    #expect(foreign.upstreamByteCount == 0)
    let own = try self.open("192.0.2.7", serverName: "www.example", namedBy: ["192.0.2.7"])
    #expect(own.deviceTLS?.isEstablished == true)
  }
}
