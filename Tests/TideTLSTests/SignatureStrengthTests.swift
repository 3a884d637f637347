import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct SignatureStrengthTests {
  let root: TestIdentity
  let leaf: TestIdentity

  init() throws {
    self.root = try .authority("root", key: .generate("RSA", bits: 2_048))
    self.leaf = try .server(
      [host("server.example")],
      extensions: [.responders("http://ocsp.example")],
      issuer: self.root
    )
  }

  private func pair(
    _ staple: [UInt8]?,
    crls: [[UInt8]] = [],
    leaf: TestIdentity? = nil
  ) throws -> SessionPair {
    try SessionPair(
      clients: TLSClientContext(roots: .pem(self.root.pem), revocation: .fetch, crls: crls),
      leaf: (leaf ?? self.leaf).leaf(),
      staple: staple
    ).run()
  }

  @Test("TLS-13: a staple that is signed with SHA-1 or MD5 is as good as none, and noted")
  func staple() throws {
    for digest in ["SHA1", "MD5"] {
      for status in [V_OCSP_CERTSTATUS_GOOD, V_OCSP_CERTSTATUS_REVOKED] {
        let staple = TestStatus(status: status, signature: digest)
          .response(self.leaf, issuer: self.root)
        let pair = try self.pair(staple)
        #expect(pair.isEstablished, "\(pair.clientFailure?.detail ?? "")")
        #expect(pair.revocation?.status == .unknown)
        #expect(pair.revocation?.sources == [])
        #expect(pair.revocation?.detail == "the staple: it is signed with \(digest)")
        #expect(leftOverError == 0)
      }
    }
    for digest in ["SHA224", "SHA384"] {
      let staple = TestStatus(signature: digest).response(self.leaf, issuer: self.root)
      #expect(try self.pair(staple).revocation?.status == .good)
    }
    let stranger = try TestIdentity.authority("root")
    let forged = TestStatus(signer: stranger, signature: "SHA1")
      .response(self.leaf, issuer: self.root)
    #expect(
      try self.pair(forged).clientFailure?.verifyError == Int(X509_V_ERR_OCSP_VERIFY_FAILED),
      "whose signature it is comes first"
    )
  }

  @Test(
    "TLS-13: a staple that is signed with SHA-1 does not satisfy a certificate that demands one"
  )
  func demanded() throws {
    let demanding = try TestIdentity.server(
      [host("server.example")],
      extensions: [
        CertificateExtension(
          kind: NID_tlsfeature,
          isCritical: false,
          value: CertificateExtension.element(0x30, [0x02, 0x01, 0x05])
        )
      ],
      issuer: self.root
    )
    let weak = TestStatus(signature: "SHA1").response(demanding, issuer: self.root)
    let pair = try self.pair(weak, leaf: demanding)
    #expect(pair.clientFailure?.verifyError == Int(X509_V_ERR_OCSP_VERIFY_NEEDED))
    #expect(pair.clientFailure?.detail.contains("signed with SHA1") == true)
  }

  @Test("TLS-13: a fetched answer that is signed with SHA-1 is unusable, whatever it says")
  func answer() throws {
    let session = try self.pair(nil).client
    let query = try #require(session.revocationQueries.first)
    for status in [V_OCSP_CERTSTATUS_GOOD, V_OCSP_CERTSTATUS_REVOKED] {
      let weak = TestStatus(status: status, signature: "SHA1")
        .response(self.leaf, issuer: self.root)
      #expect(
        session.judge(Bytes(weak), to: query, at: now) == .unusable("it is signed with SHA1")
      )
    }
    let strong = TestStatus(digest: "SHA1").response(self.leaf, issuer: self.root)
    guard case .good = session.judge(Bytes(strong), to: query, at: now) else {
      Issue.record("SHA-1 in the certificate's name protects nothing")
      return
    }
  }

  @Test("TLS-13: a fetched list that is signed with SHA-1 or MD5 is unusable, by RSASSA-PSS too")
  func list() throws {
    let leaf = try TestIdentity.server(
      [host("server.example")],
      extensions: [.distribution("http://lists.example/root.crl")],
      issuer: self.root
    )
    for isPSS in [false, true] {
      // RSASSA-PSS with MD5 is nothing that OpenSSL would sign.
      for digest in isPSS ? ["SHA1"] : ["SHA1", "MD5"] {
        let session = try self.pair(nil, leaf: leaf).client
        let query = try #require(session.revocationQueries.first)
        for list in [
          TestList(signature: digest, isPSS: isPSS).list(leaf, issuer: self.root),
          TestList(signature: digest, isPSS: isPSS).list(issuer: self.root),
        ] {
          #expect(
            session.judge(Bytes(list), to: query, at: now)
              == .unusable("it is signed with \(digest)")
          )
        }
        #expect(session.peerRecord.revocation?.status == .unknown)
      }
      let session = try self.pair(nil, leaf: leaf).client
      let query = try #require(session.revocationQueries.first)
      let strong = TestList(signature: "SHA384", isPSS: isPSS).list(issuer: self.root)
      guard case .good = session.judge(Bytes(strong), to: query, at: now) else {
        Issue.record("SHA-384 is relied on")
        return
      }
      #expect(leftOverError == 0)
    }
  }

  @Test("TLS-13: a configured list that is signed with SHA-1 makes no context; one by Ed25519 does")
  func configured() throws {
    for file in [
      TestList(signature: "SHA1").list(issuer: self.root),
      TestList(signature: "SHA1").pem(issuer: self.root),
    ] {
      let failure = #expect(throws: TLSFailure.self) {
        try TLSClientContext(roots: .pem(self.root.pem), crls: [file])
      }
      #expect(failure?.code == .certificate)
      #expect(failure?.detail == "crls[0] cannot be relied on: it is signed with SHA1")
    }
    let signer = try TestIdentity.authority("root", key: .generate("ED25519", bits: 0))
    let list = TestList(signer: signer, signature: nil).list(issuer: self.root)
    _ = try TLSClientContext(roots: .pem(self.root.pem), crls: [list])
    #expect(leftOverError == 0)
  }
}
