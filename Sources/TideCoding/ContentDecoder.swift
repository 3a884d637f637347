public import TideCore

/// Takes the content codings off a body as it arrives, in the order that undoes them.
///
/// Every stage is within the limits in bytes and in ratio, and so is the whole; between two stages wait
/// at most the decoded bytes that the limits allow. A window takes 32 KiB for gzip and deflate, about
/// 20 MiB at most for br and up to 9 MiB for zstd.
public struct ContentDecoder: ~Copyable {
  private let stages: [any DecodingStage]
  private let limits: DecodingLimits
  private var failure: CodingFailure?
  /// Encoded bytes taken so far.
  public private(set) var encodedCount = 0
  /// Decoded bytes given so far.
  public private(set) var decodedCount = 0

  /// Makes a decoder of one body.
  ///
  /// - Parameters:
  ///   - codings: as the field lists them, first applied first; none leaves the bytes as they are. More
  ///     than `ContentCoding.longestChain` fail with `malformed`.
  ///   - limits: how far each stage goes.
  public init(_ codings: [ContentCoding], limits: DecodingLimits) {
    self.limits = limits
    guard codings.count <= ContentCoding.longestChain else {
      self.stages = []
      self.failure = CodingFailure(
        .malformed,
        "more than \(ContentCoding.longestChain) content codings"
      )
      return
    }
    self.stages = codings.reversed().map { coding -> any DecodingStage in
      switch coding {
      case .gzip: Stage(GzipDecoder(limits: limits))
      case .deflate: Stage(DeflateDecoder(limits: limits))
      case .br: Stage(BrotliDecoder(limits: limits))
      case .zstd: Stage(ZstdDecoder(limits: limits))
      }
    }
  }

  /// Decodes the next bytes and adds what they yield to `pieces`.
  ///
  /// What was decoded before a failure is in `pieces` when it throws.
  ///
  /// - Throws: `malformed`, `tooLarge` or `ratio`; again at every later call.
  public mutating func decode(_ bytes: Bytes, _ pieces: inout [Bytes]) throws(CodingFailure) {
    if let failure = self.failure { throw failure }
    guard !bytes.isEmpty else { return }
    self.encodedCount += bytes.count
    var current = [bytes]
    for stage in self.stages {
      var next: [Bytes] = []
      for piece in current {
        do throws(CodingFailure) {
          try stage.decode(piece, &next)
        } catch {
          // What came out until here still goes through the stages that follow.
          if self.failure == nil { self.failure = error }
          break
        }
      }
      current = next
    }
    for piece in current { self.decodedCount += piece.count }
    pieces += current
    if self.failure == nil, self.stages.count > 1 {
      do throws(CodingFailure) {
        try self.limits.check(decoded: self.decodedCount, encoded: self.encodedCount)
      } catch {
        self.failure = error
      }
    }
    if let failure = self.failure { throw failure }
  }

  /// Says that no more bytes come; none at all are an empty body.
  ///
  /// - Throws: `truncated` if the body is not complete, or the earlier failure.
  public mutating func finish() throws(CodingFailure) {
    if let failure = self.failure { throw failure }
    for stage in self.stages {
      do throws(CodingFailure) {
        try stage.finish()
      } catch {
        self.failure = error
        throw error
      }
    }
  }
}

/// One coding of a chain; an object, since decoders own C streams and cannot stand in an array.
private protocol DecodingStage: AnyObject {
  func decode(_ bytes: Bytes, _ output: inout [Bytes]) throws(CodingFailure)
  func finish() throws(CodingFailure)
}

private final class Stage<Decoder: StreamDecoder & ~Copyable>: DecodingStage {
  private var decoder: Decoder

  init(_ decoder: consuming Decoder) { self.decoder = decoder }

  func decode(_ bytes: Bytes, _ output: inout [Bytes]) throws(CodingFailure) {
    try self.decoder.decode(bytes, &output)
  }

  func finish() throws(CodingFailure) { try self.decoder.finish() }
}

/// `deflate` as it is sent: the first byte tells zlib's wrapper from none.
private struct DeflateDecoder: ~Copyable, StreamDecoder {
  private let limits: DecodingLimits
  private var decoder: GzipDecoder
  private var isDecided = false

  init(limits: DecodingLimits) {
    self.limits = limits
    self.decoder = GzipDecoder(format: .zlib, limits: limits)
  }

  var decodedCount: Int { self.decoder.decodedCount }

  mutating func decode(_ bytes: Bytes, _ output: inout [Bytes]) throws(CodingFailure) {
    guard let first = bytes.first else { return }
    if !self.isDecided {
      self.isDecided = true
      let format = DeflateFormat.ofDeflateBody(firstByte: first)
      if format != .zlib { self.decoder = GzipDecoder(format: format, limits: self.limits) }
    }
    try self.decoder.decode(bytes, &output)
  }

  mutating func finish() throws(CodingFailure) { try self.decoder.finish() }
}
