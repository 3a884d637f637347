import Testing
import TideCore
import TideCrypto

@Suite struct AEADTests {
  private func bytes(_ hex: String) throws -> [UInt8] { try #require(Hex.decode(hex.utf8)) }

  private func key(_ byte: UInt8) throws -> SymmetricKey {
    try #require(SymmetricKey([UInt8](repeating: byte, count: 32)))
  }

  @Test("AES-256-GCM gives what the specification's test case 16 gives, and opens it again")
  func knownAnswer() throws {
    // McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B.
    let key = try self.bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")
    let cipher = AEAD(try #require(SymmetricKey(key)))
    let nonce = try self.bytes("cafebabefacedbaddecaf888")
    let associated = try self.bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    let message = try self.bytes(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    var sealed: [UInt8] = []
    cipher.seal(message.span, nonce: nonce, associated: associated.span, into: &sealed)
    #expect(
      Hex.encode(sealed)
        == "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        + "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    #expect(cipher.open(sealed.span, nonce: nonce, associated: associated.span) == message)
  }

  @Test("No changed byte, other nonce, other company or other key opens")
  func changes() throws {
    let cipher = AEAD(try self.key(7))
    let nonce = [UInt8](repeating: 1, count: 12)
    let company = Array("seq 1".utf8)
    var sealed: [UInt8] = []
    let message = Array("canary".utf8)
    cipher.seal(message.span, nonce: nonce, associated: company.span, into: &sealed)
    for index in sealed.indices {
      var changed = sealed
      changed[index] ^= 0x80
      #expect(cipher.open(changed.span, nonce: nonce, associated: company.span) == nil)
    }
    let other = [UInt8](repeating: 2, count: 12)
    #expect(cipher.open(sealed.span, nonce: other, associated: company.span) == nil)
    let others = Array("seq 2".utf8)
    #expect(cipher.open(sealed.span, nonce: nonce, associated: others.span) == nil)
    #expect(cipher.open(sealed.span, nonce: [1, 2], associated: company.span) == nil)
    let short: [UInt8] = [1, 2, 3]
    #expect(cipher.open(short.span, nonce: nonce, associated: company.span) == nil)
    let another = AEAD(try self.key(8))
    #expect(another.open(sealed.span, nonce: nonce, associated: company.span) == nil)
    #expect(cipher.open(sealed.span, nonce: nonce, associated: company.span) == message)
    #expect(SymmetricKey([1]) == nil)
  }

  @Test("Nothing is a message too, and one cipher serves for many in both directions")
  func empty() throws {
    let cipher = AEAD(try self.key(7))
    for number in UInt8(0)..<4 {
      let nonce = [UInt8](repeating: number, count: 12)
      let message = [UInt8](repeating: number, count: Int(number) * 1_000)
      var sealed: [UInt8] = [9]
      cipher.seal(message.span, nonce: nonce, into: &sealed)
      #expect(sealed.count == message.count + 17)
      let rest = Array(sealed.dropFirst())
      #expect(cipher.open(rest.span, nonce: nonce) == message)
    }
  }
}

@Suite struct KeyDerivationTests {
  @Test("HKDF gives the first block of RFC 5869, appendices A.1 and A.3 in form")
  func hkdf() throws {
    let key = [UInt8](repeating: 0x0B, count: 22)
    let salt = (0..<13).map { UInt8($0) }
    // A.1's info is no text; this expects what two HMACs of RFC 5869 section 2 come to.
    let extracted = HMAC.sha256(key: salt, key)
    #expect(
      Hex.encode(extracted) == "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
    )
    #expect(
      Hex.encode(KeyDerivation.hkdf(key, salt: [], info: "").bytes)
        == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    )
    #expect(
      KeyDerivation.hkdf(key, salt: salt, info: "a").bytes
        != KeyDerivation.hkdf(key, salt: salt, info: "b").bytes
    )
  }

  @Test("scrypt gives the first bytes of RFC 7914, section 12")
  func scrypt() throws {
    let key = try KeyDerivation.scrypt(
      Array("password".utf8),
      salt: Array("NaCl".utf8),
      KeyDerivation.Scrypt(cost: 1_024, blockSize: 8, parallelism: 16)
    )
    #expect(
      Hex.encode(key.bytes) == "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
    )
    #expect(throws: CryptoFailure.self) {
      try KeyDerivation.scrypt(
        [],
        salt: [],
        KeyDerivation.Scrypt(cost: 3, blockSize: 8, parallelism: 1)
      )
    }
  }
}
