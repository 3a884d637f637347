import Testing
import TideCoding
import TideCore
import TideCrypto
import TideDecoding

@Suite struct CipherCodingTests {
  private let coding = CipherCoding()
  private let text: Bytes = "{\"imei\":\"490154203237518\",\"id\":1}"
  private let other: Bytes = "{\"imei\":\"359881030314356\",\"id\":1,\"more\":\"9774d56d682e549c\"}"

  private func payloadKey(
    _ algorithm: String,
    _ byteCount: Int,
    iv: [UInt8]? = nil,
    seed: UInt8 = 1
  ) throws -> PayloadKey {
    PayloadKey(
      name: "vendor-sdk",
      algorithm: try PayloadCipher(parsing: algorithm, keyByteCount: byteCount),
      key: (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 * 7) &+ seed },
      iv: iv
    )
  }

  private func padded(_ text: Bytes, _ block: Int) -> Bytes {
    let count = block - text.count % block
    return Bytes(text.array + [UInt8](repeating: UInt8(count), count: count))
  }

  @Test(
    "Every cipher in ECB opens under its key, also among others, and is replaced",
    arguments: [
      (BlockCipher.aes128, "AES-128-ECB-PKCS7", "aes-128-ecb:vendor-sdk"),
      (.aes192, "AES-192-ECB-PKCS7", "aes-192-ecb:vendor-sdk"),
      (.aes256, "AES-256-ECB", "aes-256-ecb:vendor-sdk"), (.des, "DES-ECB", "des-ecb:vendor-sdk"),
      (.tripleDES, "3DES-ECB", "3des-ecb:vendor-sdk"), (.tea, "TEA", "tea-ecb:vendor-sdk"),
      (.littleEndianTEA, "TEA", "tea-ecb:vendor-sdk"), (.xtea, "XTEA", "xtea-ecb:vendor-sdk"),
      (.littleEndianXTEA, "XTEA-ECB-PKCS7", "xtea-ecb:vendor-sdk"),
    ]
  )
  func ecb(cipher: BlockCipher, algorithm: String, name: String) throws {
    let key = try self.payloadKey(algorithm, cipher.keyByteCounts[0])
    let wrong = try self.payloadKey(algorithm, cipher.keyByteCounts[0], seed: 99)
    let plain = self.padded(self.text, cipher.blockByteCount)
    let written = try cipher.encrypt(plain, key: key.key, chaining: .ecb)
    #expect(value(self.coding, written, keys: [wrong, key]) == self.text)
    #expect(layer(self.coding, written, keys: [key])?.names == [name])
    #expect(try replaced(self.coding, written, by: self.text, keys: [key]) == written)
    let changed = try replaced(self.coding, written, by: self.other, keys: [wrong, key])
    let expected = self.padded(self.other, cipher.blockByteCount)
    #expect(try changed == cipher.encrypt(expected, key: key.key, chaining: .ecb))
    #expect(value(self.coding, written, keys: [wrong]) == nil)
    #expect(value(self.coding, written) == nil)
  }

  @Test("In CBC the vector may be the key's, zero, or in front")
  func cbc() throws {
    let vector = Array(UInt8(100)..<116)
    let zero = [UInt8](repeating: 0, count: 16)
    let bare = try self.payloadKey("AES-256-CBC-PKCS7", 32)
    let given = try self.payloadKey("AES/CBC/PKCS5Padding", 32, iv: vector)
    func encrypted(_ text: Bytes, _ iv: [UInt8]) throws -> Bytes {
      try BlockCipher.aes256.encrypt(self.padded(text, 16), key: bare.key, chaining: .cbc(iv: iv))
    }
    for (written, key) in [
      (try encrypted(self.text, vector), given), (try encrypted(self.text, zero), bare),
      (Bytes(vector + (try encrypted(self.text, vector))), bare),
      (Bytes(vector + (try encrypted(self.text, vector))), given),
    ] {
      #expect(value(self.coding, written, keys: [key]) == self.text)
      #expect(try replaced(self.coding, written, by: self.text, keys: [key]) == written)
      _ = try replaced(self.coding, written, by: self.other, keys: [key])
    }
  }

  @Test("What is compressed before it is encrypted opens, and so does zero padding")
  func insides() throws {
    let key = try self.payloadKey("AES-128-ECB-PKCS7", 16)
    let gzip = Gzip.encode(self.text)
    let written = try BlockCipher.aes128.encrypt(
      self.padded(gzip, 16),
      key: key.key,
      chaining: .ecb
    )
    #expect(value(self.coding, written, keys: [key]) == gzip)
    let filled = Bytes(self.text.array + [UInt8](repeating: 0, count: 16 - self.text.count % 16))
    let zeroKey = try self.payloadKey("AES-128-ECB-ZERO", 16)
    let zeroed = try BlockCipher.aes128.encrypt(filled, key: zeroKey.key, chaining: .ecb)
    #expect(value(self.coding, zeroed, keys: [zeroKey]) == self.text)
    #expect(try replaced(self.coding, zeroed, by: self.text, keys: [zeroKey]) == zeroed)
  }

  @Test("What shows itself only once it is unpacked opens too, with the vector in front of it")
  func unmarked() throws {
    let key = try self.payloadKey("AES-256-CBC-PKCS7", 32)
    let vector = Array(UInt8(100)..<116)
    for plain in [
      Gzip.encode(self.text, format: .raw), Brotli.encode(self.text),
      Bytes(self.text.flatMap { [$0, 0] }), Bytes(self.text.map { $0 ^ 0x5A }),
    ] {
      let written = Bytes(
        vector
          + (try BlockCipher.aes256.encrypt(
            self.padded(plain, 16),
            key: key.key,
            chaining: .cbc(iv: vector)
          ).array)
      )
      #expect(value(self.coding, written, keys: [key]) == plain)
      #expect(layer(self.coding, written, keys: [key])?.isCertain == true)
      #expect(try replaced(self.coding, written, by: plain, keys: [key]) == written)
    }
  }

  @Test("Six bytes alone in a block are told by two of padding")
  func short() throws {
    let key = try self.payloadKey("DES-ECB", 8)
    let address = Bytes([0xE4, 0x34, 0xF1, 0x2F, 0x5B, 0x17])
    let written = try BlockCipher.des.encrypt(
      self.padded(address, 8),
      key: key.key,
      chaining: .ecb
    )
    #expect(value(self.coding, written, keys: [key]) == address)
    #expect(layer(self.coding, written, keys: [key])?.isCertain == false)
  }

  @Test("Without padding only whole blocks can be written")
  func unpadded() throws {
    let key = try self.payloadKey("AES-128-ECB-NONE", 16)
    let text: Bytes = "{\"imei\":\"490154203237518\",\"a\":12}"
    let whole = text.slice(0..<32)
    let written = try BlockCipher.aes128.encrypt(whole, key: key.key, chaining: .ecb)
    let opened = try #require(layer(self.coding, written, keys: [key]))
    #expect(self.coding.close(opened, over: written, replacing: [0: "short"]) == nil)
    #expect(try replaced(self.coding, written, by: whole, keys: [key]) == written)
  }

  @Test("Random blocks do not open")
  func noise() throws {
    let key = try self.payloadKey("AES-128-CBC-PKCS7", 16)
    var numbers = SeededRandom(19)
    var opened = 0
    for _ in 0..<1_000 {
      let noise = Bytes((0..<64).map { _ in UInt8.random(in: 0...255, using: &numbers) })
      if value(self.coding, noise, keys: [key]) != nil { opened += 1 }
    }
    #expect(opened == 0)
  }

  @Test(
    "A profile's algorithm is read in the spellings of profiles and of apps",
    arguments: [
      ("AES-128-ECB-PKCS7", nil, PayloadCipher(cipher: .aes128, mode: .ecb, padding: .pkcs7)),
      ("aes-256-cbc", nil, PayloadCipher(cipher: .aes256, mode: .cbc, padding: .pkcs7)),
      ("AES/CBC/NoPadding", 24, PayloadCipher(cipher: .aes192, mode: .cbc, padding: .none)),
      ("DES-ECB", nil, PayloadCipher(cipher: .des, mode: .ecb, padding: .pkcs7)),
      (
        "DESede/CBC/PKCS5Padding", 24,
        PayloadCipher(cipher: .tripleDES, mode: .cbc, padding: .pkcs7)
      ),
      ("TEA", 16, PayloadCipher(cipher: .tea, mode: .ecb, padding: .pkcs7)),
      ("XTEA-CBC-ZERO", nil, PayloadCipher(cipher: .xtea, mode: .cbc, padding: .zero)),
    ] as [(String, Int?, PayloadCipher)]
  )
  func parses(text: String, keyByteCount: Int?, expected: PayloadCipher) throws {
    #expect(try PayloadCipher(parsing: text, keyByteCount: keyByteCount) == expected)
  }

  @Test(
    "Anything else is refused with what is possible",
    arguments: [
      ("", nil), ("AES", nil), ("AES-128", nil), ("AES-128-GCM", nil), ("RC4", nil),
      ("AES-128-ECB-PKCS7-X", nil), ("AES-128-ECB-PKCS7", 24), ("DES-ECB", 16), ("ROT13", 1),
    ] as [(String, Int?)]
  )
  func refuses(text: String, keyByteCount: Int?) {
    #expect(throws: PayloadCipherFailure.self) {
      try PayloadCipher(parsing: text, keyByteCount: keyByteCount)
    }
  }
}
