extension Decoders {
  /// Whether a decoder's format has heads of binary, which may look like letters and digits.
  public static func isBinary(_ id: String) -> Bool {
    switch id {
    case CBORDecoder.id, MessagePackDecoder.id, ProtobufDecoder.id, BinaryPlistDecoder.id,
      GRPCDecoder.id:
      true
    default: false
    }
  }

  /// The ids of those that give one value which all of the bytes stand for.
  static let codings: Set<String> = [
    BCDCoding.id, Base32Coding.id, Base64Coding.id, BrotliCoding.id, CharsetCoding.id,
    CipherCoding.id, DeflateCoding.id, EntitiesCoding.id, GzipCoding.id, HexCoding.id,
    JWTCoding.id, PercentCoding.id, ReversedCoding.id, UTF16Coding.id, XORCoding.id, ZlibCoding.id,
    ZstdCoding.id,
  ]
}
