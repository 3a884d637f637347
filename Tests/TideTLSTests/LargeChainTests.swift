import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct LargeChainTests {
  let root: TestIdentity

  init() throws { self.root = try .authority("root") }

  private func pair(
    _ identity: TestIdentity,
    chain: [TestIdentity] = [],
    version: UInt16 = 0x0304
  ) throws -> SessionPair {
    try SessionPair(
      clients: TLSClientContext(roots: .pem(self.root.pem)),
      leaf: identity.leaf(chain: chain),
      maximumVersion: version
    ).run()
  }

  /// A certificate with `count` names beside `server.example`, and as many bytes of ballast.
  private func identity(names count: Int, ballast: Int = 0) throws -> TestIdentity {
    func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
      guard content.count > 0xFFFF else { return CertificateExtension.element(tag, content) }
      let size = content.count
      return [tag, 0x83, UInt8(size >> 16), UInt8(size >> 8 & 0xFF), UInt8(size & 0xFF)] + content
    }
    let names = (0..<count).map { "host-\($0).example" } + ["server.example"]
    let value = element(0x30, names.flatMap { element(0x82, Array($0.utf8)) })
    let text = CertificateExtension(
      kind: NID_netscape_comment,
      isCritical: false,
      value: element(0x16, [UInt8](repeating: 0x41, count: ballast))
    )
    return try TestIdentity.make(
      "server",
      extensions: [
        CertificateExtension(kind: NID_subject_alt_name, isCritical: false, value: value), text,
      ],
      issuer: self.root
    )
  }

  @Test(
    "TLS-31, TLS-15: 200 and 2000 names, the right one last, are accepted",
    arguments: [200, 2_000]
  )
  func names(count: Int) throws {
    let pair = try self.pair(self.identity(names: count))
    #expect(pair.isEstablished, "\(pair.clientFailure?.detail ?? "")")
  }

  @Test(
    "TLS-31: 600 kB of certificates are accepted, more than 1 MiB is not",
    arguments: [0x0303, 0x0304]
  )
  func bytes(version: UInt16) throws {
    let large = try self.pair(self.identity(names: 1, ballast: 600_000), version: version)
    #expect(large.isEstablished, "\(large.clientFailure?.detail ?? "")")
    let filler = try (0..<600).map {
      try TestIdentity.authority("filler \($0)", key: self.root.key)
    }
    let leaf = try TestIdentity.server([host("server.example")], issuer: self.root)
    let many = try self.pair(leaf, chain: filler, version: version)
    #expect(many.isEstablished, "\(many.clientFailure?.detail ?? "")")
    #expect(many.client.peerRecord.chain.count == 601)
    let excessive = try self.pair(self.identity(names: 1, ballast: 1_100_000), version: version)
    #expect(excessive.clientFailure?.code == .handshake)
    #expect(excessive.clientFailure?.detail.contains("excessive") == true)
    #expect(leftOverError == 0)
  }

  @Test("TLS-31: 30 intermediates are accepted, in any order; 50 are refused", arguments: [30, 50])
  func depth(count: Int) throws {
    var chain: [TestIdentity] = []
    for index in 0..<count {
      chain.append(try .authority("ca \(index)", issuer: chain.last ?? self.root))
    }
    let leaf = try TestIdentity.server([host("server.example")], issuer: chain.last)
    for order in [chain, chain.reversed()] {
      let pair = try self.pair(leaf, chain: order)
      #expect(pair.isEstablished == (count == 30), "\(pair.clientFailure?.detail ?? "")")
      guard count > 40 else { continue }
      #expect(pair.clientFailure?.verifyError == Int(X509_V_ERR_CERT_CHAIN_TOO_LONG))
    }
  }

  @Test("TLS-31: certificates that all claim to be each other's issuers come to an end")
  func loop() throws {
    // Each of the names a has the key that the name b is signed by, and the other way round.
    let a = try TestIdentity.authority("a")
    let b = try TestIdentity.authority("b")
    let below = try TestIdentity.authority("a", key: a.key, issuer: b)
    let above = try TestIdentity.authority("b", key: b.key, issuer: a)
    let leaf = try TestIdentity.server([host("server.example")], issuer: below)
    let pair = try self.pair(leaf, chain: [below, above, below, above])
    #expect(pair.clientFailure?.code == .untrusted)
    #expect(leftOverError == 0)
  }
}
