extension Decoders {
  /// The ids of those that give one value which all of the bytes stand for.
  static let codings: Set<String> = [
    BCDCoding.id, Base32Coding.id, Base64Coding.id, BrotliCoding.id, CharsetCoding.id,
    CipherCoding.id, DeflateCoding.id, EntitiesCoding.id, GzipCoding.id, HexCoding.id,
    JWTCoding.id, PercentCoding.id, ReversedCoding.id, UTF16Coding.id, XORCoding.id, ZlibCoding.id,
    ZstdCoding.id,
  ]
}
