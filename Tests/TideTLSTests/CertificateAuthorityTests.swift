import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct CertificateAuthorityTests {
  @Test(
    "A CA may issue server leaves and nothing else, from a day back on",
    arguments: KeyKind.allCases
  )
  func profile(kind: KeyKind) throws {
    let start = now
    let authority = try CertificateAuthority.generate(
      key: kind,
      lifetimeSeconds: 90 * day,
      at: start
    )
    #expect(authority.notBefore == start.advanced(bySeconds: -day))
    #expect(authority.notAfter == start.advanced(bySeconds: 90 * day))
    #expect(authority.subject.contains("CN=Tidewaiter CA "))
    #expect(authority.subject.contains("interception CA of this installation"))
    #expect(authority.keyDescription == (kind == .p256 ? "EC 256" : "RSA 2048"))
    #expect(authority.fingerprintSHA256.count == 32)
    let handle = unsafe authority.certificate.handle
    unsafe #expect(X509_check_ca(handle) == 1)
    unsafe #expect(X509_get_pathlen(handle) == 0)
    unsafe #expect(X509_get_key_usage(handle) == UInt32(KU_KEY_CERT_SIGN | KU_CRL_SIGN))
    unsafe #expect(X509_get_extended_key_usage(handle) == UInt32(XKU_SSL_SERVER))
    for kind in [NID_basic_constraints, NID_key_usage] {
      let part = unsafe X509_get_ext(handle, X509_get_ext_by_NID(handle, kind, -1))
      unsafe #expect(X509_EXTENSION_get_critical(part) == 1)
    }
    let identifier = try unsafe #require(X509_get0_subject_key_id(handle))
    unsafe #expect(ASN1_STRING_cmp(identifier, X509_get0_authority_key_id(handle)) == 0)
    #expect(leftOverError == 0)
  }

  @Test("Two installs have different names, keys and serial numbers")
  func unique() throws {
    let first = try CertificateAuthority.generate(key: .p256, lifetimeSeconds: day, at: now)
    let second = try CertificateAuthority.generate(key: .p256, lifetimeSeconds: day, at: now)
    #expect(first.subject != second.subject)
    #expect(first.keyIdentifier != second.keyIdentifier)
    #expect(first.fingerprintSHA256 != second.fingerprintSHA256)
  }

  @Test("A label is part of the name; one that is too long is refused, as is a lifetime")
  func label() throws {
    let labelled = try CertificateAuthority.generate(
      key: .p256,
      lifetimeSeconds: day,
      at: now,
      label: "審計 lab"
    )
    #expect(labelled.subject.contains("OU=審計 lab"))
    let long = #expect(throws: TLSFailure.self) {
      try CertificateAuthority.generate(
        key: .p256,
        lifetimeSeconds: day,
        at: now,
        label: String(repeating: "x", count: 65)
      )
    }
    #expect(long?.code == .certificate)
    for lifetime in [0, -day, 3_654 * day, .max] {
      #expect(throws: TLSFailure.self) {
        try CertificateAuthority.generate(key: .p256, lifetimeSeconds: lifetime, at: now)
      }
    }
    #expect(leftOverError == 0)
  }

  @Test("A CA survives its files", arguments: KeyKind.allCases)
  func roundTrip(kind: KeyKind) throws {
    let made = try CertificateAuthority.generate(key: kind, lifetimeSeconds: day, at: now)
    let keyPEM = try made.keyPEM()
    #expect(keyPEM.starts(with: Array("-----BEGIN \("PRIVATE") KEY-----".utf8)))
    let read = try CertificateAuthority(certificatePEM: made.certificatePEM, keyPEM: keyPEM)
    #expect(read.certificateDER == made.certificateDER)
    #expect(read.keyIdentifier == made.keyIdentifier)
    #expect(read.notAfter == made.notAfter)
    let leaf = try LeafMinter(authority: read, capacity: 1).leaf(for: host("a.example"), at: now)
    let pair = try SessionPair(
      leaf: leaf,
      trusting: made.certificatePEM,
      name: "a.example"
    ).run()
    #expect(pair.isEstablished)
  }

  @Test("Another's key, no key, no certificate, no CA: each is refused")
  func refused() throws {
    let first = try CertificateAuthority.generate(key: .p256, lifetimeSeconds: day, at: now)
    let second = try CertificateAuthority.generate(key: .rsa2048, lifetimeSeconds: day, at: now)
    let server = try TestIdentity.server([host("a.example")], issuer: nil)
    let noSigner = CertificateExtension(
      kind: NID_basic_constraints,
      isCritical: true,
      value: [0x30, 0x03, 0x01, 0x01, 0xFF]
    )
    let mute = try TestIdentity.server([], extensions: [noSigner, .digitalSignature], issuer: nil)
    let firstKey = try first.keyPEM()
    for (certificate, key) in [
      (first.certificatePEM, try second.keyPEM()), (first.certificatePEM, []),
      ([], firstKey), (firstKey, firstKey), (first.certificatePEM, first.certificatePEM),
      (server.pem, try server.key.pem()), (mute.pem, try mute.key.pem()),
    ] {
      let failure = #expect(throws: TLSFailure.self) {
        try CertificateAuthority(certificatePEM: certificate, keyPEM: key)
      }
      #expect(failure?.code == .certificate)
    }
    #expect(leftOverError == 0)
  }

  @Test("An encrypted key is refused and nobody is asked for a passphrase")
  func encryptedKey() throws {
    let authority = try CertificateAuthority.generate(key: .p256, lifetimeSeconds: day, at: now)
    guard let memory = MemoryBIO() else {
      Issue.record("no memory")
      return
    }
    let isWritten = unsafe PEM_write_bio_PKCS8PrivateKey(
      memory.handle,
      authority.key.handle,
      EVP_aes_128_cbc(),
      "secret",
      6,
      nil,
      nil
    )
    #expect(isWritten == 1)
    let failure = #expect(throws: TLSFailure.self) {
      try CertificateAuthority(certificatePEM: authority.certificatePEM, keyPEM: memory.bytes)
    }
    #expect(failure?.code == .certificate)
    #expect(leftOverError == 0)
  }

  @Test("A CA below another root sends the chain that its leaves need")
  func subordinate() throws {
    let root = try TestIdentity.authority("organisation")
    let upper = try TestIdentity.authority("upper", issuer: root)
    let own = try TestIdentity.authority("audit", issuer: upper)
    let authority = try CertificateAuthority(
      certificatePEM: own.pem + upper.pem,
      keyPEM: try own.key.pem()
    )
    let leaf = try LeafMinter(authority: authority, capacity: 1)
      .leaf(for: host("server.example"), at: now)
    let pair = try SessionPair(leaf: leaf, trusting: root.pem).run()
    #expect(pair.isEstablished)
    #expect(pair.client.facts.peer?.chain.count == 3)
  }

  @Test("The PKCS#12 form holds the certificate, opens with its password and has no key")
  func pkcs12() throws {
    let authority = try CertificateAuthority.generate(key: .p256, lifetimeSeconds: day, at: now)
    let store = try authority.publicPart.pkcs12(password: "tide")
    let parsed = unsafe store.withUnsafeBufferPointer { buffer in
      var start = buffer.baseAddress
      return unsafe d2i_PKCS12(nil, &start, buffer.count)
    }
    let handle = try unsafe #require(parsed)
    defer { unsafe PKCS12_free(handle) }
    unsafe #expect(PKCS12_verify_mac(handle, "wrong", -1) == 0)
    unsafe #expect(PKCS12_verify_mac(handle, "tide", -1) == 1)
    var key: OpaquePointer?
    var certificate: OpaquePointer?
    var others: OpaquePointer?
    unsafe #expect(PKCS12_parse(handle, "tide", &key, &certificate, &others) == 1)
    unsafe #expect(key == nil)
    unsafe #expect(OPENSSL_sk_num(others) == 1)
    let first = unsafe OpaquePointer(OPENSSL_sk_value(others, 0))
    unsafe #expect(X509_cmp(first, authority.certificate.handle) == 0)
    unsafe X509_free(first)
    unsafe OPENSSL_sk_free(others)
    ERR_clear_error()
  }
}
