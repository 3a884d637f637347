import Testing
import TideCore
import TideCrypto

@Suite struct BlockCipherTests {
  private func bytes(_ hex: String) throws -> Bytes {
    Bytes(try #require(Hex.decode(Array(hex.utf8))))
  }

  @Test(
    "Each cipher gives the published result and takes it back",
    arguments: [
      // FIPS 197 appendix C
      (
        BlockCipher.aes128, "000102030405060708090a0b0c0d0e0f",
        "00112233445566778899aabbccddeeff", "69c4e0d86a7b0430d8cdb78070b4c55a"
      ),
      (
        .aes192, "000102030405060708090a0b0c0d0e0f1011121314151617",
        "00112233445566778899aabbccddeeff", "dda97ca4864cdfe06eaf70a0ec0d7191"
      ),
      (
        .aes256, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "00112233445566778899aabbccddeeff", "8ea2b7ca516745bfeafc49904b496089"
      ),
      // NIST SP 800-17 table A.1, and the same again with the other parity
      (.des, "0101010101010101", "8000000000000000", "95f8a5e5dd31d900"),
      (.des, "0000000000000000", "8000000000000000", "95f8a5e5dd31d900"),
      // NIST SP 800-67 appendix B
      (
        .tripleDES, "0123456789abcdef23456789abcdef01456789abcdef0123",
        "5468652071756663", "a826fd8ce53b855f"
      ),
      // The authors' and the usual vectors
      (.tea, "00000000000000000000000000000000", "0000000000000000", "41ea3a0a94baa940"),
      (.xtea, "000102030405060708090a0b0c0d0e0f", "4142434445464748", "497df3d072612cb5"),
    ]
  )
  func knownAnswers(cipher: BlockCipher, key: String, plain: String, encrypted: String) throws {
    let key = try self.bytes(key).array
    let plain = try self.bytes(plain)
    let encrypted = try self.bytes(encrypted)
    #expect(try cipher.encrypt(plain, key: key, chaining: .ecb) == encrypted)
    #expect(try cipher.decrypt(encrypted, key: key, chaining: .ecb) == plain)
  }

  @Test("AES-128 in CBC gives NIST's result")
  func cbc() throws {
    // NIST SP 800-38A F.2.1
    let key = try self.bytes("2b7e151628aed2a6abf7158809cf4f3c").array
    let iv = try self.bytes("000102030405060708090a0b0c0d0e0f").array
    let plain = try self.bytes("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
    let encrypted = try self.bytes(
      "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
    )
    #expect(try BlockCipher.aes128.encrypt(plain, key: key, chaining: .cbc(iv: iv)) == encrypted)
    #expect(try BlockCipher.aes128.decrypt(encrypted, key: key, chaining: .cbc(iv: iv)) == plain)
  }

  @Test("Every cipher takes back what it made, in either chaining", arguments: BlockCipher.allCases)
  func roundTrip(cipher: BlockCipher) throws {
    for count in cipher.keyByteCounts {
      let key = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 5) }
      let plain = Bytes((0..<96).map { UInt8(truncatingIfNeeded: $0 * 11) })
      let iv = [UInt8](repeating: 0xA5, count: cipher.blockByteCount)
      for chaining in [BlockCipher.Chaining.ecb, .cbc(iv: iv)] {
        let encrypted = try cipher.encrypt(plain, key: key, chaining: chaining)
        #expect(encrypted != plain)
        #expect(try cipher.decrypt(encrypted, key: key, chaining: chaining) == plain)
      }
    }
  }

  @Test("A little-endian TEA is the big-endian one with every word turned round")
  func byteOrder() throws {
    let key = Array(UInt8(0)..<16)
    let plain = Bytes(Array("8 bytes!".utf8))
    func turned(_ bytes: [UInt8]) -> [UInt8] {
      stride(from: 0, to: bytes.count, by: 4).flatMap { bytes[$0..<$0 + 4].reversed() }
    }
    let little = try BlockCipher.littleEndianTEA.encrypt(plain, key: key, chaining: .ecb)
    let big = try BlockCipher.tea.encrypt(
      Bytes(turned(plain.array)),
      key: turned(key),
      chaining: .ecb
    )
    #expect(little.array == turned(big.array))
  }

  @Test("Wrong lengths are refused: of a key, of a vector, of the bytes")
  func wrongLengths() {
    let key = [UInt8](repeating: 1, count: 16)
    #expect(throws: CryptoFailure.self) {
      try BlockCipher.aes256.encrypt(Bytes(key), key: key, chaining: .ecb)
    }
    #expect(throws: CryptoFailure.self) {
      try BlockCipher.aes128.decrypt(Bytes(key), key: key, chaining: .cbc(iv: [1, 2, 3]))
    }
    #expect(throws: CryptoFailure.self) {
      try BlockCipher.tea.decrypt("seven b", key: key, chaining: .ecb)
    }
  }
}
