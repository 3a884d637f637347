import COpenSSL
import Testing
import TideCore

@testable import TideTLS

/// Requirements on both legs' parameters, against peers that are set up to be as bad as libssl can be.
@Suite struct ParameterTests {
  let root: TestIdentity
  let leaf: Leaf

  init() throws {
    self.root = try .authority("root")
    self.leaf = try TestIdentity.server([host("server.example")], issuer: self.root).leaf()
  }

  private func pair(
    leaf: Leaf? = nil,
    version: UInt16? = nil,
    client: (OpaquePointer) throws -> Void = { _ in },
    server: (OpaquePointer) throws -> Void = { _ in }
  ) throws -> SessionPair {
    let clients = try TLSClientContext(roots: .pem(self.root.pem))
    try unsafe client(clients.handle)
    let servers = try TLSServerContext(tickets: TicketKeys())
    try unsafe server(servers.handle)
    return SessionPair(
      client: try .client(clients, host: host("server.example"), applicationProtocols: ["h2"]),
      server: try .server(
        servers,
        leaf: leaf ?? self.leaf,
        applicationProtocol: "h2",
        maximumVersion: version
      )
    )
  }

  /// Lets a context agree on anything that this libssl can.
  private static func weaken(_ context: OpaquePointer, suites: String) throws {
    unsafe SSL_CTX_set_security_level(context, 0)
    unsafe tide_ssl_ctx_set_protocol_range(context, 0x0301, 0x0303)
    guard unsafe SSL_CTX_set_cipher_list(context, suites + ":@SECLEVEL=0") == 1 else {
      throw TLSFailure.drained(.internal, "this libssl has none of \(suites)")
    }
  }

  private static let badSuites = [
    "NULL", "ADH", "AECDH", "AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-CCM8", "CAMELLIA",
  ]

  /// What a server may show: P-256, and RSA for the suites that want it.
  private func leaves() throws -> [Leaf] {
    let name = [host("server.example")]
    let rsa = try TestIdentity.server(name, key: .generate(.rsa2048), issuer: self.root)
    return [self.leaf, rsa.leaf()]
  }

  @Test(
    "TLS-33, TLS-34: a device with null, anonymous, CBC or not forward secret suites is refused"
  )
  func badDevice() throws {
    for leaf in try self.leaves() {
      for suites in Self.badSuites {
        let pair = try unsafe self.pair(
          leaf: leaf,
          client: { try unsafe Self.weaken($0, suites: suites) }
        )
        pair.run()
        #expect(pair.serverFailure?.alert == 40, "\(suites)")
        #expect(pair.clientFailure?.code == .alert, "\(suites)")
        #expect(leftOverError == 0)
      }
    }
  }

  @Test("TLS-17, TLS-18, TLS-19: an upstream with such suites only is refused")
  func badUpstream() throws {
    for leaf in try self.leaves() {
      for suites in Self.badSuites {
        let pair = try unsafe self.pair(
          leaf: leaf,
          server: { context in
            try unsafe Self.weaken(context, suites: suites)
            unsafe SSL_CTX_ctrl(context, SSL_CTRL_SET_DH_AUTO, 1, nil)
          }
        )
        pair.run()
        #expect(pair.clientFailure?.alert == 40, "\(suites)")
        #expect(!pair.client.isEstablished)
        #expect(leftOverError == 0)
      }
    }
  }

  @Test("TLS-16: an upstream below TLS 1.2 is refused", arguments: [0x0301, 0x0302])
  func oldUpstream(version: Int32) throws {
    let pair = try unsafe self.pair(server: { context in
      try unsafe Self.weaken(context, suites: "ALL")
      unsafe tide_ssl_ctx_set_protocol_range(context, version, version)
    })
    pair.run()
    #expect(pair.clientFailure?.alert == 70)
  }

  @Test("TLS-20, TLS-34: small curves only are refused on both legs")
  func smallCurves() throws {
    for isClient in [true, false] {
      let weaken: (OpaquePointer) -> Void = { context in
        unsafe SSL_CTX_set_security_level(context, 0)
        unsafe tide_ssl_ctx_set_protocol_range(context, 0x0303, 0x0303)
        unsafe #expect(tide_ssl_ctx_set_groups(context, "P-224") == 1)
      }
      let pair = try unsafe isClient ? self.pair(client: weaken) : self.pair(server: weaken)
      pair.run()
      #expect(!pair.client.isEstablished && !pair.server.isEstablished)
      #expect(leftOverError == 0)
    }
  }

  @Test("TLS-20, TLS-34: signatures with SHA-1 only are refused on both legs")
  func oldSignatures() throws {
    for isClient in [true, false] {
      let weaken: (OpaquePointer) -> Void = { context in
        unsafe SSL_CTX_set_security_level(context, 0)
        unsafe tide_ssl_ctx_set_protocol_range(context, 0x0303, 0x0303)
        unsafe #expect(tide_ssl_ctx_set_signature_algorithms(context, "ECDSA+SHA1:RSA+SHA1") == 1)
      }
      let pair = try unsafe isClient ? self.pair(client: weaken) : self.pair(server: weaken)
      pair.run()
      #expect(!pair.client.isEstablished && !pair.server.isEstablished)
      #expect(leftOverError == 0)
    }
  }

  @Test("TLS-20, TLS-35: no compression, secure renegotiation and extended master secret")
  func extensions() throws {
    let pair = try unsafe self.pair(version: 0x0303).run()
    #expect(pair.isEstablished)
    for session in [pair.client, pair.server] {
      let handle = unsafe session.handle
      #expect(unsafe SSL_get_current_compression(handle) == nil)
      #expect(unsafe SSL_ctrl(handle, SSL_CTRL_GET_RI_SUPPORT, 0, nil) == 1)
      #expect(unsafe SSL_ctrl(handle, SSL_CTRL_GET_EXTMS_SUPPORT, 0, nil) == 1)
    }
  }

  @Test("TLS-35: neither side renegotiates; the session goes on")
  func renegotiation() throws {
    for isClient in [true, false] {
      let pair = try unsafe self.pair(version: 0x0303).run()
      let (asking, asked) =
        isClient ? (pair.client, pair.server) : (pair.server, pair.client)
      // libssl has to be allowed to ask before it can be refused.
      unsafe SSL_clear_options(asking.handle, 1 << 30)
      unsafe #expect(SSL_renegotiate(asking.handle) == 1)
      unsafe SSL_do_handshake(asking.handle)
      #expect(asking.hasOutput)
      var plaintext: [Bytes] = []
      try asked.receive(asking.takeOutput(), &plaintext)
      // The answer is one alert: a warning of no_renegotiation, encrypted.
      #expect(asked.takeOutput().first == 21)
      #expect(asked.isEstablished)
      try asked.send("on")
    }
  }

  @Test("TLS-35: a device that falls back though both can do better is told inappropriate_fallback")
  func fallback() throws {
    let fallBack: (OpaquePointer) -> Void = { context in
      unsafe SSL_CTX_ctrl(context, SSL_CTRL_MODE, Int(SSL_MODE_SEND_FALLBACK_SCSV), nil)
      unsafe tide_ssl_ctx_set_protocol_range(context, 0x0303, 0x0303)
    }
    let pair = try unsafe self.pair(client: fallBack)
    pair.run()
    #expect(pair.serverFailure?.alert == 86)
    #expect(pair.clientFailure?.alert == 86)
    // Where the upstream has no more than TLS 1.2, neither have we, and nothing was lost.
    #expect(try unsafe self.pair(version: 0x0303, client: fallBack).run().isEstablished)
    #expect(leftOverError == 0)
  }

  @Test("TLS-36: a share for a group that we lack costs a HelloRetryRequest and no more")
  func helloRetry() throws {
    let pair = try unsafe self.pair(client: { context in
      unsafe #expect(tide_ssl_ctx_set_groups(context, "P-521:X25519") == 1)
    })
    pair.run()
    #expect(pair.isEstablished && pair.server.negotiatedVersion == 0x0304)
    #expect(pair.server.facts.group?.lowercased() == "x25519")
    #expect(pair.client.facts.group == pair.server.facts.group)
  }

  @Test("TLS-21, TLS-22: the hello names the host but no address, and offers what it is told to")
  func hello() throws {
    let clients = try TLSClientContext(roots: .pem(self.root.pem))
    for (name, offer) in [("server.example", ["h2", "http/1.1"]), ("192.0.2.7", [])] {
      let session = try TLSSession.client(clients, host: host(name), applicationProtocols: offer)
      var parser = ClientHelloParser(limits: Limits())
      guard case .hello(let facts) = parser.receive(session.takeOutput()) else {
        Issue.record("no hello")
        return
      }
      #expect(facts.serverName?.text == (offer.isEmpty ? nil : name))
      #expect(facts.applicationProtocols == offer)
      #expect(session.facts.fingerprint == facts.fingerprint)
      #expect(session.facts.fingerprint?.isEmpty == false)
    }
  }

  @Test("TLS-24: a hybrid group is offered with a share where libssl has one, X25519 in any case")
  func groups() throws {
    let capabilities = TLSCapabilities.current
    #expect(capabilities.libraryVersion.hasPrefix("OpenSSL "))
    let pair = try unsafe self.pair().run()
    let group = try #require(pair.client.facts.group)
    #expect(group.uppercased() == (capabilities.hasHybridGroups ? "X25519MLKEM768" : "X25519"))
    let older = try unsafe self.pair(version: 0x0303).run()
    #expect(older.client.facts.group?.uppercased() == "X25519")
  }
}
