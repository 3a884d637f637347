import Testing
import TideCoding
import TideCore
import TideCrypto
import TideDecoding

@Suite struct DecoderOrderTests {
  /// The decoders that take layers off `bytes` one after the other, each the first that is certain or,
  /// failing that, the first that opens.
  private func chain(_ bytes: Bytes, keys: [PayloadKey] = []) -> [String] {
    var context = LayerContext(place: .leaf, keys: keys)
    var bytes = bytes
    var chain: [String] = []
    while chain.count < 8 {
      let shape = Shape(bytes)
      var first: Layer?
      for decoder in Decoders.all where decoder.mayOpen(shape, context) {
        var budget = ampleBudget()
        guard let layer = decoder.open(bytes, context, &budget) else { continue }
        if first == nil || layer.isCertain { first = layer }
        if layer.isCertain { break }
      }
      guard let first else { break }
      chain += first.names.isEmpty ? [first.decoder] : first.names
      guard !first.names.isEmpty, let value = first.nodes.first?.value(in: bytes) else { break }
      context.around.append(first.decoder)
      bytes = value
    }
    return chain
  }

  private let text: Bytes = "{\"imei\":\"490154203237518\",\"model\":\"Redmi 2S7\"}"

  @Test("Codings within codings come off in order, whatever other decoders there are")
  func chains() throws {
    let base64 = Base64.standard.encode(self.text)
    try #require(base64.hasSuffix("="))
    #expect(self.chain(Bytes(base64)) == ["base64", "json"])
    #expect(self.chain("OTc3NGQ1NmQ2ODJlNTQ5Yw==") == ["base64", "hex"])
    #expect(self.chain(Bytes(base64.replacing("=", with: "%3D"))) == ["percent", "base64", "json"])
    #expect(self.chain(Bytes(String(base64.reversed()))) == ["reversed", "base64", "json"])
    #expect(
      self.chain(Bytes(Base64.url.encode(Gzip.encode(self.text)))) == ["base64url", "gzip", "json"]
    )
    #expect(
      self.chain(Bytes(Base64.standard.encode(Gzip.encode(self.text, format: .raw))))
        == ["base64", "deflate", "json"]
    )
    #expect(
      self.chain(Bytes(Hex.encode(Brotli.encode(self.text).array))) == ["hex", "br", "json"]
    )
    #expect(
      self.chain(Bytes(Base64.standard.encode(Bytes(self.text.map { $0 ^ 0x5A }))))
        == ["base64", "xor", "json"]
    )
    #expect(self.chain("%257B%2522a%2522%253A1%257D") == ["percent", "percent", "json"])
    #expect(self.chain("94104502237315F8") == ["hex", "bcd"])
    #expect(self.chain("98889602000000000011") == ["hex", "bcd"])
    #expect(self.chain("00480065006c006c006f") == ["hex", "utf16be"])
  }

  @Test("A payload encrypted under the operator's key opens wherever it stands")
  func encrypted() throws {
    let key = PayloadKey(
      name: "sdk",
      algorithm: try PayloadCipher(parsing: "AES-128-ECB-PKCS7"),
      key: Array(0..<16),
      iv: nil
    )
    let padding = 16 - self.text.count % 16
    let padded = Bytes(self.text.array + [UInt8](repeating: UInt8(padding), count: padding))
    let encrypted = try BlockCipher.aes128.encrypt(padded, key: key.key, chaining: .ecb)
    let name = "aes-128-ecb:sdk"
    #expect(self.chain(encrypted, keys: [key]) == [name, "json"])
    #expect(
      self.chain(Bytes(Base64.standard.encode(encrypted)), keys: [key]) == ["base64", name, "json"]
    )
    #expect(
      self.chain(Bytes(Hex.encode(encrypted.array)), keys: [key]) == ["hex", name, "json"]
    )
  }
}
