import COpenSSL
import Testing
import TideCore

@testable import TideTLS

/// What is recorded of an upstream beside the verdict.
@Suite struct PeerEvidenceTests {
  let root: TestIdentity

  init() throws { self.root = try .authority("root") }

  private func pair(
    _ leaf: TestIdentity,
    publicRoots: PublicRoots? = nil,
    staple: [UInt8]? = nil,
    version: UInt16 = 0x0304,
    prepare: (TLSServerContext) -> Void = { _ in }
  ) throws -> SessionPair {
    try SessionPair(
      clients: TLSClientContext(roots: .pem(self.root.pem), publicRoots: publicRoots),
      leaf: leaf.leaf(),
      staple: staple,
      maximumVersion: version,
      prepare: prepare
    ).run()
  }

  @Test("TLS-62: the root is named, and told from the public ones by its key")
  func anchors() throws {
    let leaf = try TestIdentity.server([host("server.example")], issuer: self.root)
    let unknown = try self.pair(leaf).client.peerRecord.facts
    #expect(unknown.anchor == "CN=root")
    #expect(unknown.isPublicAnchor == nil)
    let other = try TestIdentity.authority("other")
    let renewed = try TestIdentity.authority("root, renewed", key: self.root.key)
    for (known, isPublic) in [([other], false), ([other, renewed], true)] {
      let roots = PublicRoots(pem: known.map(\.pem))
      #expect(roots.count == known.count)
      let facts = try self.pair(leaf, publicRoots: roots).client.peerRecord.facts
      #expect(facts.isPublicAnchor == isPublic)
    }
    // What cannot be read says nothing about the rest; nothing at all says nothing.
    let half = PublicRoots(pem: [Array("no root".utf8), self.root.pem])
    #expect(try self.pair(leaf, publicRoots: half).client.facts.peer?.isPublicAnchor == true)
    let none = PublicRoots(pem: [[]])
    #expect(try self.pair(leaf, publicRoots: none).client.facts.peer?.isPublicAnchor == nil)
    #expect(leftOverError == 0)
  }

  @Test("TLS-62: a chain that was not verified has no root")
  func noAnchor() throws {
    let leaf = try TestIdentity.server([host("server.example")], issuer: .authority("other"))
    let facts = try self.pair(leaf, publicRoots: PublicRoots(pem: [self.root.pem])).client
      .peerRecord.facts
    #expect(facts.anchor == nil)
    #expect(facts.isPublicAnchor == nil)
    #expect(facts.chain.count == 1)
  }

  @Test(
    "TLS-14, TLS-63: timestamps are recorded with their log, time and source",
    arguments: [0x0303, 0x0304]
  )
  func timestamps(version: UInt16) throws {
    let embedded = timestampList([1_700_000_000_123, 1_700_000_000_456], log: 1)
    let leaf = try TestIdentity.server(
      [host("server.example")],
      extensions: [
        CertificateExtension(
          kind: NID_ct_precert_scts,
          isCritical: false,
          value: CertificateExtension.element(0x04, embedded)
        )
      ],
      issuer: self.root
    )
    let staple = TestStatus(timestamps: timestampList([1_800_000_000_000], log: 2))
      .response(leaf, issuer: self.root)
    let pair = try self.pair(leaf, staple: staple, version: version) { servers in
      unsafe SSL_CTX_add_custom_ext(
        servers.handle,
        18,
        UInt32(
          SSL_EXT_CLIENT_HELLO | SSL_EXT_TLS1_2_SERVER_HELLO | SSL_EXT_TLS1_3_CERTIFICATE
        ),
        { _, _, _, out, count, _, _, _, _ in
          let list = timestampList([1_900_000_000_000], log: 3)
          let room = unsafe CRYPTO_malloc(list.count, "", 0)
          unsafe room?.copyMemory(from: list, byteCount: list.count)
          unsafe out?.pointee = unsafe UnsafePointer(room?.assumingMemoryBound(to: UInt8.self))
          unsafe count?.pointee = list.count
          return 1
        },
        { _, _, _, out, _ in unsafe CRYPTO_free(UnsafeMutablePointer(mutating: out), "", 0) },
        nil,
        { _, _, _, _, _, _, _, _, _ in 1 },
        nil
      )
    }
    #expect(pair.isEstablished, "\(pair.clientFailure?.detail ?? "")")
    let timestamps = pair.client.facts.peer?.timestamps ?? []
    let found = Set(timestamps.map { "\($0.source) \($0.log.array[31]) \($0.time.nanoseconds)" })
    #expect(
      found == [
        "certificate 1 1700000000123000000", "certificate 1 1700000000456000000",
        "ocsp 2 1800000000000000000", "tls 3 1900000000000000000",
      ]
    )
    #expect(timestamps.count == 4)
    #expect(timestamps.allSatisfy { $0.log.count == 32 })
    #expect(leftOverError == 0)
  }

  @Test("TLS-14: timestamps that cannot be read, or of no time, change nothing")
  func brokenTimestamps() throws {
    for (list, count) in [
      ([0, 9, 1], 0), ([], 0), (timestampList([.max], log: 1), 1),
      (timestampList([UInt64](repeating: 1, count: 40), log: 1), 32),
    ] {
      let leaf = try TestIdentity.server(
        [host("server.example")],
        extensions: [
          CertificateExtension(
            kind: NID_ct_precert_scts,
            isCritical: false,
            value: CertificateExtension.element(0x04, list)
          )
        ],
        issuer: self.root
      )
      let pair = try self.pair(leaf)
      #expect(pair.isEstablished, "\(pair.clientFailure?.detail ?? "")")
      #expect(pair.client.facts.peer?.timestamps.count == count)
      #expect(leftOverError == 0)
    }
  }

  @Test("TLS-12: a record holds while certificates and vouchers do, and only if all was well")
  func holds() throws {
    let leaf = try TestIdentity.server([host("server.example")], issuer: self.root)
    let plain = try self.pair(leaf).client.peerRecord
    #expect(plain.holds(at: now))
    #expect(!plain.holds(at: now.advanced(bySeconds: day + 10)), "the certificate has ended")
    #expect(!plain.holds(at: now.advanced(bySeconds: -2 * day)), "the certificate has not begun")
    let staple = TestStatus(nextUpdate: 3_600).response(leaf, issuer: self.root)
    let stapled = try self.pair(leaf, staple: staple).client.peerRecord
    #expect(stapled.holds(at: now))
    #expect(!stapled.holds(at: now.advanced(bySeconds: 3_700)), "the staple is out of date")
    let other = try TestIdentity.server([host("other.example")], issuer: self.root)
    #expect(!(try self.pair(other).client.peerRecord.holds(at: now)))
    #expect(!PeerRecord().holds(at: now))
  }

  @Test("TLS-12: contexts whose verdicts could differ have different settings")
  func settings() throws {
    let roots = TrustRoots.pem(self.root.pem)
    let list = TestList().list(issuer: self.root)
    let contexts = [
      try TLSClientContext(roots: roots), try TLSClientContext(roots: .system),
      try TLSClientContext(roots: roots, refusing: [self.root.certificate.der]),
      try TLSClientContext(roots: roots, mode: .record),
      try TLSClientContext(roots: roots, revocation: .fetch),
      try TLSClientContext(roots: roots, crls: [list]),
    ]
    #expect(Set(contexts.map(\.settings)).count == contexts.count)
    #expect(try TLSClientContext(roots: roots).settings == contexts[0].settings)
  }
}
