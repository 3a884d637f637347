import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct HandshakeTests {
  let root: TestIdentity
  let leaf: Leaf

  init() throws {
    self.root = try .authority("root")
    self.leaf = try TestIdentity.server([host("server.example")], issuer: self.root).leaf()
  }

  @Test("A full handshake agrees on TLS 1.3, AEAD and the protocol, and both sides can say so")
  func newest() throws {
    let pair = try SessionPair(
      leaf: self.leaf,
      trusting: self.root.pem,
      offering: ["h2", "http/1.1"],
      selecting: "http/1.1"
    )
    #expect(pair.client.hasOutput)
    #expect(pair.client.negotiatedVersion == 0)
    pair.run()
    #expect(pair.isEstablished)
    #expect(pair.client.negotiatedVersion == 0x0304)
    let client = pair.client.facts
    #expect(client.leg == "upstream")
    #expect(client.version == "TLSv1.3")
    #expect(client.cipher.hasPrefix("TLS_"))
    #expect(client.applicationProtocol == "http/1.1")
    #expect(client.peer?.chain == [Bytes(self.leaf.certificateDER)])
    #expect(client.peer?.verification == "ok")
    let server = pair.server.facts
    #expect(server.leg == "downstream")
    #expect(server.version == "TLSv1.3")
    #expect(server.peer == nil)
    #expect(leftOverError == 0)
  }

  @Test("A peer bounded to TLS 1.2 gets ECDHE and AEAD, and no downgrade alarm")
  func older() throws {
    let pair = try SessionPair(
      leaf: self.leaf,
      trusting: self.root.pem,
      maximumVersion: 0x0303
    ).run()
    #expect(pair.isEstablished)
    #expect(pair.client.negotiatedVersion == 0x0303)
    #expect(pair.client.facts.cipher.hasPrefix("TLS_ECDHE_ECDSA_WITH_AES_"))
    #expect(pair.client.facts.cipher.contains("_GCM_"))
  }

  @Test("A device that knows only TLS 1.2 is served")
  func oldDevice() throws {
    let clients = try TLSClientContext(roots: .pem(self.root.pem))
    unsafe #expect(tide_ssl_ctx_set_protocol_range(clients.handle, 0x0303, 0x0303) == 1)
    let pair = SessionPair(
      client: try .client(clients, host: host("server.example"), applicationProtocols: []),
      server: try .server(
        TLSServerContext(),
        leaf: self.leaf,
        applicationProtocol: nil,
        maximumVersion: nil
      )
    )
    #expect(pair.run().isEstablished)
    #expect(pair.server.negotiatedVersion == 0x0303)
  }

  @Test("A peer below TLS 1.2 is refused with protocol_version")
  func tooOld() throws {
    let clients = try TLSClientContext(roots: .pem(self.root.pem))
    // A client of TLS 1.1 has to be allowed at all before it can be refused by the server.
    unsafe SSL_CTX_set_security_level(clients.handle, 0)
    unsafe #expect(tide_ssl_ctx_set_protocol_range(clients.handle, 0x0302, 0x0302) == 1)
    unsafe #expect(SSL_CTX_set_cipher_list(clients.handle, "ALL:@SECLEVEL=0") == 1)
    let pair = SessionPair(
      client: try .client(clients, host: host("server.example"), applicationProtocols: []),
      server: try .server(
        TLSServerContext(),
        leaf: self.leaf,
        applicationProtocol: nil,
        maximumVersion: nil
      )
    )
    pair.run()
    #expect(pair.serverFailure?.code == .handshake)
    #expect(pair.serverFailure?.alert == 70)
    #expect(pair.clientFailure?.code == .alert)
    #expect(pair.clientFailure?.alert == 70)
    #expect(pair.clientFailure.map(alertForClient) == 70)
    #expect(leftOverError == 0)
  }

  @Test("No key exchange without forward secrecy, no CBC and no SHA-1 is offered")
  func offer() throws {
    let clients = try TLSClientContext(roots: .pem(self.root.pem))
    let suites = try unsafe #require(SSL_CTX_get_ciphers(clients.handle))
    let count = unsafe OPENSSL_sk_num(suites)
    #expect(count == 9)
    for index in 0..<count {
      let suite = unsafe OpaquePointer(OPENSSL_sk_value(suites, index))
      let name = unsafe String(cString: SSL_CIPHER_get_name(suite))
      #expect(unsafe SSL_CIPHER_is_aead(suite) == 1, "\(name)")
      #expect(name.hasPrefix("TLS_") || name.hasPrefix("ECDHE-"), "\(name)")
    }
  }

  @Test(
    "The server selects exactly the upstream's protocol, or none",
    arguments: [
      (["h2", "http/1.1"], "h2" as String?, "h2" as String?),
      (["h2", "http/1.1"], "http/1.1", "http/1.1"),
      (["h2", "http/1.1"], nil, nil),
      ([], "http/1.1", nil),
    ]
  )
  func protocols(offer: [String], wanted: String?, agreed: String?) throws {
    let pair = try SessionPair(
      leaf: self.leaf,
      trusting: self.root.pem,
      offering: offer,
      selecting: wanted
    ).run()
    #expect(pair.isEstablished)
    #expect(pair.client.applicationProtocol == agreed)
    #expect(pair.server.applicationProtocol == agreed)
  }

  @Test("A device that offers only other protocols gets no_application_protocol")
  func noCommonProtocol() throws {
    let pair = try SessionPair(
      leaf: self.leaf,
      trusting: self.root.pem,
      offering: ["spdy/1"],
      selecting: "http/1.1"
    ).run()
    #expect(pair.serverFailure?.alert == 120)
    #expect(pair.clientFailure?.alert == 120)
    #expect(leftOverError == 0)
  }

  @Test("A protocol name that ALPN cannot carry is refused", arguments: [0, 256])
  func badProtocolName(length: Int) throws {
    let clients = try TLSClientContext(roots: .pem(self.root.pem))
    let name = String(repeating: "x", count: length)
    #expect(throws: TLSFailure.self) {
      try TLSSession.client(clients, host: host("server.example"), applicationProtocols: [name])
    }
  }

  @Test("The handshake works with every flight split at every byte", arguments: [0x0303, 0x0304])
  func splitEverywhere(version: UInt16) throws {
    for limit in [1, 2, 3, 7] {
      let pair = try SessionPair(
        leaf: self.leaf,
        trusting: self.root.pem,
        maximumVersion: version
      )
      pair.pieceLimit = limit
      pair.run()
      #expect(pair.isEstablished)
      try pair.client.send("ping")
      pair.run()
      #expect(joined(pair.serverReceived) == Array("ping".utf8))
    }
  }

  @Test("The hello names the host, but not an address")
  func serverName() throws {
    let clients = try TLSClientContext(roots: .pem(self.root.pem))
    for (text, expected) in [("server.example", "server.example" as String?), ("192.0.2.1", nil)] {
      let client = try TLSSession.client(clients, host: host(text), applicationProtocols: ["h2"])
      var parser = ClientHelloParser(limits: Limits())
      guard case .hello(let hello) = parser.receive(client.takeOutput()) else {
        Issue.record("not a hello")
        continue
      }
      #expect(hello.serverName?.text == expected)
      #expect(hello.applicationProtocols == ["h2"])
      #expect(hello.versions == [0x0304, 0x0303])
      #expect(!hello.hasMalformedServerName && !hello.hasEncryptedHello)
    }
  }

  @Test("A server that asks for a client certificate is recognised and fails clearly")
  func clientCertificate() throws {
    for version: UInt16 in [0x0303, 0x0304] {
      let pair = try SessionPair(
        leaf: self.leaf,
        trusting: self.root.pem,
        maximumVersion: version
      )
      let mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
      unsafe SSL_set_verify(pair.server.handle, mode, nil)
      pair.run()
      #expect(pair.client.wantsClientCertificate)
      #expect(pair.clientFailure?.code == .alert)
      #expect(pair.clientFailure.map(alertForClient) == 40)
    }
  }

  @Test("A server that does not speak TLS is a failed handshake, not a crash")
  func notTLS() throws {
    let clients = try TLSClientContext(roots: .pem(self.root.pem))
    let client = try TLSSession.client(
      clients,
      host: host("server.example"),
      applicationProtocols: []
    )
    var plaintext: [Bytes] = []
    let failure = #expect(throws: TLSFailure.self) {
      try client.receive("HTTP/1.1 400 Bad Request\r\n\r\n", &plaintext)
    }
    #expect(failure?.code == .handshake)
    #expect(plaintext.isEmpty)
    #expect(client.facts.version.isEmpty && client.facts.cipher.isEmpty)
    #expect(throws: try #require(failure)) { try client.receive("more", &plaintext) }
    #expect(leftOverError == 0)
  }

  @Test("2,000 handshakes free every session of libssl and leave no error behind")
  func endurance() throws {
    let clients = try TLSClientContext(roots: .pem(self.root.pem))
    let servers = try TLSServerContext()
    let freed = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    defer { unsafe freed.deallocate() }
    unsafe freed.initialize(to: 0)
    // libssl calls back for each session that it frees, with what the session's slot holds.
    let slot = unsafe CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL, 0, nil, nil, nil) {
      _,
      counter,
      _,
      _,
      _,
      _ in
      unsafe counter?.assumingMemoryBound(to: Int.self).pointee += 1
    }
    for _ in 0..<2_000 {
      let pair = SessionPair(
        client: try .client(clients, host: host("server.example"), applicationProtocols: []),
        server: try .server(
          servers,
          leaf: self.leaf,
          applicationProtocol: nil,
          maximumVersion: nil
        )
      )
      unsafe SSL_set_ex_data(pair.client.handle, slot, freed)
      unsafe SSL_set_ex_data(pair.server.handle, slot, freed)
      try #require(pair.run().isEstablished)
    }
    unsafe #expect(freed.pointee == 4_000)
    #expect(leftOverError == 0)
  }
}
