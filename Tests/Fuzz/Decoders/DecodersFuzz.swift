import Support
import TideCore
import TideDecoding

/// Feeds runs of bytes to one decoder, and puts other values into what it opened.
///
/// The first byte picks the decoder (its place in `Decoders.all`), the second what is known of the bytes and
/// what may be spent (`Setup`), the third how values are varied; the rest are the bytes.
@main
enum DecodersFuzz {
  static func main() { Fuzzing.run() }
}

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var script = unsafe Script(Fuzzing.input(start, count))
  let decoder = Decoders.all[Int(script.byte()) % Decoders.all.count]
  let setup = Setup(script.byte())
  let seed = script.byte()
  let bytes = script.all()
  // The product does not try otherwise either.
  guard let opening = Opening(decoder, bytes, setup) else { return 0 }
  opening.checkShape()
  opening.checkBudget()
  opening.checkPaths()
  opening.checkClosing(seed: seed)
  return 0
}

/// What is known of the bytes, and what opening them may cost: the bits of one byte.
struct Setup {
  let context: LayerContext
  let budget: DecodingBudget

  init(_ bits: UInt8) {
    let places: [LayerContext.Place] = [
      .leaf, .content, .path, .query, .field, .cookie, .leaf, .content,
    ]
    let types = [
      "", "multipart/form-data", "application/x-www-form-urlencoded", "text/plain",
      "application/grpc", "application/x-protobuf", "application/json", "application/xml",
    ]
    let type = types[Int(bits >> 3 & 7)]
    self.context = LayerContext(
      place: places[Int(bits & 7)],
      mediaType: type,
      boundary: type.hasPrefix("multipart/") ? "b" : nil,
      keys: Self.keys
    )
    self.budget =
      bits & 0x40 == 0
      ? DecodingBudget(bytes: 64 << 10, nodes: 8_192, depth: 8, ratio: 100)
      : DecodingBudget(bytes: 96, nodes: 6, depth: 2, ratio: 4)
  }

  /// One for each cipher and each way to fill and chain blocks; what the seeds are encrypted with.
  private static let keys: [PayloadKey] = [
    Self.key("aes-cbc", .aes128, .cbc, .pkcs7, 16, iv: 16),
    Self.key("aes-front", .aes128, .cbc, .pkcs7, 16, iv: nil),
    Self.key("aes-ecb", .aes256, .ecb, .zero, 32, iv: nil),
    Self.key("des", .des, .ecb, .pkcs7, 8, iv: nil),
    Self.key("tea", .tea, .ecb, .none, 16, iv: nil),
  ]

  private static func key(
    _ name: String,
    _ cipher: PayloadCipher.Cipher,
    _ mode: PayloadCipher.Mode,
    _ padding: PayloadCipher.Padding,
    _ count: UInt8,
    iv: UInt8?
  ) -> PayloadKey {
    PayloadKey(
      name: name,
      algorithm: PayloadCipher(cipher: cipher, mode: mode, padding: padding),
      key: Array(0..<count),
      iv: iv.map { Array(0..<$0) }
    )
  }
}
