import Testing
import TideCoding
import TideCore
import TideCrypto
import TideDecoding

@Suite struct HostileCodingTests {
  private static let codings: [any LayerDecoder] = [
    GzipCoding(), ZlibCoding(), ZstdCoding(), JWTCoding(), CipherCoding(), PercentCoding(),
    HexCoding(), Base64Coding(), Base32Coding(), ReversedCoding(), EntitiesCoding(), UTF16Coding(),
    CharsetCoding(), DeflateCoding(), BrotliCoding(), BCDCoding(), XORCoding(),
  ]

  private func seeds() -> [Bytes] {
    let text: Bytes = "{\"imei\":\"490154203237518\",\"name\":\"王小明\"}"
    return [
      text, Gzip.encode(text), Gzip.encode(text, format: .zlib), Gzip.encode(text, format: .raw),
      Brotli.encode(text), Zstd.compress(text), Bytes(Base64.standard.encode(text)),
      Bytes("data:a/b;base64," + Base64.standard.encode(text) + "\r\n"),
      Bytes(Hex.encode(text.array)), "eyJhbGciOiJub25lIn0.eyJpbWVpIjoiNDkwMTU0MjAzMjM3NTE4In0.",
      "%7B%22imei%22%3A%22490154203237518%22%7D", "tel&#x3A;886912345678 &amp; &#29579;",
      Bytes(text.map { $0 ^ 0xC3 }), "GQ4TAMJVGQZDAMZSGM3TKMJY", "}\"815732302451094\":\"iemi\"{",
      Bytes([0xFE, 0xFF] + Array("imei".utf16).flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }),
      Bytes([0xC4, 0xE3, 0xBA, 0xC3, 0xA3, 0xAC, 0xCE, 0xD2]),
      Bytes([0x94, 0x10, 0x45, 0x02, 0x23, 0x73, 0x15, 0xF8]),
    ]
  }

  @Test("Damaged bytes of every kind trap nowhere, and what opens closes unchanged")
  func damaged() throws {
    let keys = [
      PayloadKey(
        name: "sdk",
        algorithm: try PayloadCipher(parsing: "AES-128-CBC-PKCS7"),
        key: Array(0..<16),
        iv: nil
      ),
      PayloadKey(
        name: "wrong",
        algorithm: try PayloadCipher(parsing: "TEA-ECB-ZERO"),
        key: [1, 2, 3],
        iv: [1]
      ),
    ]
    var random = SeededRandom(23)
    for seed in self.seeds() {
      for _ in 0..<60 {
        var bytes = seed.array
        for _ in 0..<Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
          let place = Int.random(in: 0..<bytes.count, using: &random)
          switch Int.random(in: 0...3, using: &random) {
          case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
          case 1: bytes.removeSubrange(place...)
          case 2: bytes.insert(bytes[place], at: place)
          default: bytes.remove(at: place)
          }
        }
        let damaged = Bytes(bytes)
        for coding in Self.codings {
          guard let opened = layer(coding, damaged, around: ["hex"], keys: keys) else { continue }
          #expect(opened.decoder == coding.name)
          #expect(coding.close(opened, over: damaged, replacing: [:]) == damaged)
          // Whether it can be written is the format's business; that it does not trap is ours.
          for value in ["", "359881030314356", Bytes([0xFF, 0x00, 0x25])] as [Bytes] {
            _ = coding.close(opened, over: damaged, replacing: [0: value])
          }
        }
      }
    }
  }

  @Test("Nothing opens when time or bytes have run out")
  func exhausted() {
    for seed in self.seeds() {
      for coding in Self.codings {
        var budget = ampleBudget()
        _ = budget.refuse(.time)
        let context = LayerContext(place: .leaf)
        guard coding.mayOpen(Shape(seed), context) else { continue }
        #expect(coding.open(seed, context, &budget) == nil, "\(coding.name)")
      }
    }
  }
}
