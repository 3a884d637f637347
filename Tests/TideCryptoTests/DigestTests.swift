import Testing
import TideCore
import TideCrypto

@Suite struct DigestTests {
  @Test("Each algorithm gives the digest of its specification for `abc`")
  func knownDigests() {
    #expect(Hex.encode(Digest.md5.hash("abc")) == "900150983cd24fb0d6963f7d28e17f72")
    #expect(Hex.encode(Digest.sha1.hash("abc")) == "a9993e364706816aba3e25717850c26c9cd0d89d")
    #expect(
      Hex.encode(Digest.sha256.hash("abc"))
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    #expect(Hex.encode(Digest.sha512.hash("abc")).hasPrefix("ddaf35a193617abacc417349ae204131"))
    for digest in Digest.allCases {
      #expect(digest.hash([]).count == digest.byteCount)
    }
  }

  @Test("A hasher fed in pieces gives the digest of the whole, and can be used again")
  func piecewise() {
    let whole = (0..<1_000).map { UInt8(truncatingIfNeeded: $0) }
    var hasher = SHA256Hasher()
    for _ in 0..<2 {
      for start in stride(from: 0, to: whole.count, by: 7) {
        hasher.update(Bytes(whole).slice(start..<min(start + 7, whole.count)))
      }
      #expect(hasher.finish() == Digest.sha256.hash(whole))
    }
    #expect(hasher.finish() == Digest.sha256.hash([]))
  }

  @Test("HMAC-SHA-256 gives the results of RFC 4231 for short and long keys")
  func keyed() {
    #expect(
      Hex.encode(HMAC.sha256(key: Array("Jefe".utf8), "what do ya want for nothing?"))
        == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
    let long = [UInt8](repeating: 0xAA, count: 131)
    #expect(
      Hex.encode(HMAC.sha256(key: long, "Test Using Larger Than Block-Size Key - Hash Key First"))
        == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    )
  }

  @Test("Random bytes come in the count asked for and differ from call to call")
  func random() throws {
    #expect(try RandomBytes.make(0).isEmpty)
    let first = try RandomBytes.make(32)
    #expect(first.count == 32)
    #expect(try RandomBytes.make(32) != first)
  }
}
