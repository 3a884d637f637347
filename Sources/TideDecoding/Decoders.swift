/// The decoders that come with Tidewaiter: to add one, write its file and add a line here.
///
/// Tried in this order: what proves itself first, what could be anything last.
public enum Decoders {
  /// All of them.
  public static let all: [any LayerDecoder] = [
    GzipCoding(),
    ZlibCoding(),
    ZstdCoding(),
    JWTCoding(),
    CipherCoding(),
    BinaryPlistDecoder(),
    GRPCDecoder(),
    MultipartDecoder(),
    JSONDecoder(),
    PlistDecoder(),
    XMLDecoder(),
    CookieDecoder(),
    PathDecoder(),
    QueryDecoder(),
    FormDecoder(),
    URLDecoder(),
    MessagePackDecoder(),
    CBORDecoder(),
    ProtobufDecoder(),
    PercentCoding(),
    HexCoding(),
    Base64Coding(),
    Base32Coding(),
    ReversedCoding(),
    EntitiesCoding(),
    UTF16Coding(),
    CharsetCoding(),
    DeflateCoding(),
    BrotliCoding(),
    BCDCoding(),
    XORCoding(),
    DelimitedDecoder(),
  ]
}
