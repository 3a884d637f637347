private import CZstd
public import TideCore

/// Decodes Zstandard (RFC 8878) as it arrives, within limits; frames in a row are one body.
///
/// Owns one `ZSTD_DStream`, which takes at most about 9 MiB: a window of 8 MiB, the most that a content
/// coding may use (RFC 9659 §3), and blocks. After a failure it stays failed.
@safe
public struct ZstdDecoder: ~Copyable, StreamDecoder {
  private enum State {
    case betweenFrames
    case inFrame
    case failed(CodingFailure)
  }

  private static let largestPiece = 64 << 10
  private static let largestWindowLog: Int32 = 23

  private let stream: OpaquePointer
  private let limits: DecodingLimits
  private var state = State.betweenFrames
  /// Encoded bytes taken so far.
  public private(set) var encodedCount = 0
  /// Decoded bytes given so far.
  public private(set) var decodedCount = 0

  /// Makes a decoder of one body.
  public init(limits: DecodingLimits) {
    self.limits = limits
    guard let stream = unsafe ZSTD_createDStream() else {
      preconditionFailure("memory is there")
    }
    unsafe self.stream = stream
    let status = unsafe ZSTD_DCtx_setParameter(
      stream,
      ZSTD_d_windowLogMax,
      Self.largestWindowLog
    )
    precondition(ZSTD_isError(status) == 0, "23 bits are a window that zstd knows")
  }

  deinit { unsafe ZSTD_freeDStream(self.stream) }

  /// Decodes the next bytes and adds what they yield to `output`, in pieces of at most 64 KiB.
  ///
  /// What was decoded before a failure is in `output` when it throws.
  ///
  /// - Throws: `malformed`, `tooLarge` or `ratio`; again at every later call.
  public mutating func decode(_ bytes: Bytes, _ output: inout [Bytes]) throws(CodingFailure) {
    if case .failed(let failure) = self.state { throw failure }
    do throws(CodingFailure) {
      try self.advance(bytes, &output)
    } catch {
      self.state = .failed(error)
      throw error
    }
  }

  /// Says that no more bytes come; none at all are an empty body.
  ///
  /// - Throws: `truncated` if the body is not complete, or the earlier failure.
  public mutating func finish() throws(CodingFailure) {
    switch self.state {
    case .failed(let failure): throw failure
    case .betweenFrames: return
    case .inFrame:
      let failure = CodingFailure(.truncated, "the zstd body is cut short")
      self.state = .failed(failure)
      throw failure
    }
  }

  private mutating func advance(_ bytes: Bytes, _ output: inout [Bytes]) throws(CodingFailure) {
    var rest = bytes
    var hasRoomLeft = true
    while !rest.isEmpty || !hasRoomLeft {
      if case .betweenFrames = self.state {
        guard let first = rest.first else { return }
        // RFC 8878 §3.1: a frame, or a skippable one. libzstd may read formats from before the RFC
        // too; nothing sends them, and their decoders are not looked after.
        guard first == 0x28 || first >> 4 == 5 else {
          throw CodingFailure(.malformed, "not zstd")
        }
        self.state = .inFrame
      }
      let capacity = min(Self.largestPiece, max(rest.count &* 4, 1 << 10))
      var taken = 0
      var hint = 0
      let piece = unsafe Bytes(capacity: capacity) { room in
        unsafe rest.withUnsafeBytes { input in
          var source = unsafe ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
          var target = unsafe ZSTD_outBuffer(dst: room.baseAddress, size: capacity, pos: 0)
          hint = unsafe ZSTD_decompressStream(self.stream, &target, &source)
          taken = unsafe source.pos
          return unsafe target.pos
        }
      }
      rest = rest.dropping(first: taken)
      self.encodedCount += taken
      self.decodedCount += piece.count
      hasRoomLeft = piece.count < capacity
      if !piece.isEmpty { output.append(piece) }
      try self.limits.check(decoded: self.decodedCount, encoded: self.encodedCount)
      guard ZSTD_isError(hint) == 0 else { throw CodingFailure(.malformed, "not zstd") }
      if hint == 0 {
        self.state = .betweenFrames
        hasRoomLeft = true
      }
      // No progress: all input is used and nothing waits inside.
      if taken == 0, piece.isEmpty { return }
    }
  }
}
