import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct CAKeyTests {
  @Test("An encrypted key opens with its passphrase, and nothing else", arguments: KeyKind.allCases)
  func passphrase(kind: KeyKind) throws {
    let made = try CertificateAuthority.generate(key: kind, lifetimeSeconds: day, at: now)
    let passphrase = Array("correct horse 電池".utf8)
    let text = try made.keyPEM(passphrase: passphrase)
    #expect(text.starts(with: Array("-----BEGIN ENCRYPTED \("PRIVATE") KEY-----".utf8)))
    #expect(CertificateAuthority.isEncrypted(keyPEM: text))
    #expect(!CertificateAuthority.isEncrypted(keyPEM: try made.keyPEM()))
    let read = try CertificateAuthority(
      certificatePEM: made.certificatePEM,
      keyPEM: text,
      passphrase: passphrase
    )
    #expect(
      try LeafMinter(authority: read, capacity: 1).leaf(for: host("a.example"), at: now).host
        == host("a.example")
    )
    for (wrong, words) in [
      (Array("wrong".utf8), "does not open"), (nil, "there is no passphrase"),
      ([UInt8](repeating: 0x61, count: 4_096), "does not open"),
    ] as [([UInt8]?, String)] {
      let failure = #expect(throws: TLSFailure.self) {
        try CertificateAuthority(
          certificatePEM: made.certificatePEM,
          keyPEM: text,
          passphrase: wrong
        )
      }
      #expect(failure?.code == .certificate)
      #expect(failure?.detail.contains(words) == true)
    }
    #expect(leftOverError == 0)
  }

  @Test("The passphrase is made into a key by 600,000 rounds of HMAC-SHA256, for AES-256")
  func derivation() throws {
    let made = try CertificateAuthority.generate(key: .p256, lifetimeSeconds: day, at: now)
    let text = try made.keyPEM(passphrase: Array("secret".utf8))
    guard let memory = MemoryBIO(copying: text) else {
      Issue.record("no memory")
      return
    }
    let sealed = try unsafe #require(PEM_read_bio_PKCS8(memory.handle, nil, nil, nil))
    defer { unsafe X509_SIG_free(sealed) }
    let count = unsafe i2d_X509_SIG(sealed, nil)
    let der = unsafe [UInt8](unsafeUninitializedCapacity: Int(count)) { room, filled in
      var position = room.baseAddress
      filled = unsafe Int(i2d_X509_SIG(sealed, &position))
    }
    func holds(_ part: [UInt8]) -> Bool {
      der.indices.contains { der[$0...].starts(with: part) }
    }
    #expect(holds([0x02, 0x03, 0x09, 0x27, 0xC0]), "600000")
    #expect(holds([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x02, 0x09]), "hmacWithSHA256")
    #expect(holds([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2A]), "aes-256-cbc")
  }

  @Test("A passphrase that is empty or endless is refused; one that is not needed is not looked at")
  func bounds() throws {
    let made = try CertificateAuthority.generate(key: .p256, lifetimeSeconds: day, at: now)
    for count in [0, 1_025] {
      #expect(throws: TLSFailure.self) {
        try made.keyPEM(passphrase: [UInt8](repeating: 0x61, count: count))
      }
    }
    let plain = try made.keyPEM()
    _ = try CertificateAuthority(
      certificatePEM: made.certificatePEM,
      keyPEM: plain,
      passphrase: [0x61]
    )
    for junk in [[], Array("pkcs11:token=a\n".utf8), made.certificatePEM] {
      #expect(!CertificateAuthority.isEncrypted(keyPEM: junk))
    }
    #expect(leftOverError == 0)
  }

  @Test("A token's URI is taken apart: where the key is, where the PIN is, which library")
  func tokenURI() throws {
    let uri = try #require(
      TokenURI("pkcs11:token=a%20b;object=ca?pin-source=file:/etc/p%20n&module-path=/lib/x.so")
    )
    #expect(uri.bare == "pkcs11:token=a%20b;object=ca;type=private")
    #expect(uri.pinSource == "/etc/p n")
    #expect(uri.modulePath == "/lib/x.so")
    let stored = try #require(TokenURI(uri.withoutPIN))
    #expect(stored.bare == uri.bare && stored.modulePath == uri.modulePath)
    #expect(stored.pinSource == nil)
    #expect(
      TokenURI("pkcs11:object=ca;type=private?pin-source=file:///etc/p")?.pinSource == "/etc/p"
    )
    for text in [
      "", "ca.key", "pkcs11:", "pkcs11:object", "pkcs11:object=a;type=cert",
      "pkcs11:object=a?pin-value=1234", "pkcs11:object=a?pin-source=|cat", "pkcs11:object=a b",
      "pkcs11:object=a?pin-source=%0", "pkcs11:object=a?module-path=x.so",
      "pkcs11:object=a?pin-source=file:",
    ] {
      #expect(TokenURI(text) == nil, "\(text)")
    }
  }

  @Test(
    "What is written down of a token's URI reads back the same, whatever the library is called",
    arguments: [
      "/lib/x.so", "/opt/a b/x.so", "/opt/Schl\u{FC}ssel/x.so", "/a&b?c#d;e=f%41%",
      "/a\u{1}\"<>^`{}|\\",
    ]
  )
  func tokenURIReadsBack(module: String) throws {
    let written = module.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    for rest in ["", "&x-audit=1"] {
      let uri = try #require(
        TokenURI("pkcs11:object=ca?pin-source=/etc/pin&module-path=\(written)\(rest)")
      )
      #expect(uri.modulePath == module)
      let stored = try #require(TokenURI(uri.withoutPIN))
      #expect(stored.bare == uri.bare && stored.modulePath == module && stored.pinSource == nil)
      #expect(stored.withoutPIN == uri.withoutPIN)
    }
  }

  @Test("A key that no token has is an error that says so, whatever OpenSSL has installed")
  func noToken() throws {
    let uri = try #require(
      TokenURI("pkcs11:token=nobody;object=nothing?module-path=/nonexistent/module.so")
    )
    let failure = #expect(throws: TLSFailure.self) {
      try CertificateAuthority.generate(token: uri, pin: nil, lifetimeSeconds: day, at: now)
    }
    #expect(failure?.code == .certificate)
    #expect(leftOverError == 0)
  }
}
