import Support
import TideCoding
import TideCore

/// The content coding of a body.
enum ContentCodingChoice {
  case none, gzip, deflate, zstd, br, gzipTwice

  /// What Content-Encoding says; nil if there is none.
  var token: String? {
    switch self {
    case .none: nil
    case .gzip: "gzip"
    case .deflate: "deflate"
    case .zstd: "zstd"
    case .br: "br"
    case .gzipTwice: "gzip, gzip"
    }
  }

  private var codings: [ContentCoding] {
    switch self {
    case .none: []
    case .gzip: [.gzip]
    case .deflate: [.deflate]
    case .zstd: [.zstd]
    case .br: [.br]
    case .gzipTwice: [.gzip, .gzip]
    }
  }

  func encoded(_ bytes: Bytes) -> Bytes {
    ContentEncoder.encode(bytes, self.codings, like: Bytes())
  }

  func decoded(_ bytes: Bytes) -> Bytes {
    if self.codings.isEmpty { return bytes }
    var decoder = ContentDecoder(
      self.codings,
      limits: DecodingLimits(decodedBytes: 1 << 20, ratio: 1_000)
    )
    var pieces: [Bytes] = []
    do throws(CodingFailure) {
      try decoder.decode(bytes, &pieces)
      try decoder.finish()
    } catch {
      fail("\(self): the redacted body does not open: \(error.detail)")
    }
    var whole = Bytes()
    for piece in pieces { whole.append(piece) }
    return whole
  }
}
