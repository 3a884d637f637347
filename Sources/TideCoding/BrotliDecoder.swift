private import CBrotli
public import TideCore

/// Decodes Brotli (RFC 7932) as it arrives, within limits.
///
/// Owns one `BrotliDecoderState`, which takes at most about 20 MiB, and while it grows half as much
/// again: the window of 24 bits that the RFC allows, and tables. After a failure it stays failed: half a
/// body is no body.
@safe
public struct BrotliDecoder: ~Copyable, StreamDecoder {
  private enum State {
    case beforeStream
    case inStream
    case ended
    case failed(CodingFailure)
  }

  private static let largestPiece = 64 << 10

  private let stream: OpaquePointer
  private let limits: DecodingLimits
  private var state = State.beforeStream
  /// Encoded bytes taken so far.
  public private(set) var encodedCount = 0
  /// Decoded bytes given so far.
  public private(set) var decodedCount = 0

  /// Makes a decoder of one body.
  public init(limits: DecodingLimits) {
    self.limits = limits
    guard let stream = unsafe BrotliDecoderCreateInstance(nil, nil, nil) else {
      preconditionFailure("memory is there")
    }
    // Windows beyond 24 bits, which are no part of RFC 7932, stay refused: that is the default.
    unsafe self.stream = stream
  }

  deinit { unsafe BrotliDecoderDestroyInstance(self.stream) }

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
    case .beforeStream, .ended: return
    case .inStream:
      let failure = CodingFailure(.truncated, "the br body is cut short")
      self.state = .failed(failure)
      throw failure
    }
  }

  private mutating func advance(_ bytes: Bytes, _ output: inout [Bytes]) throws(CodingFailure) {
    var rest = bytes
    guard !rest.isEmpty else { return }
    if case .ended = self.state {
      throw CodingFailure(.malformed, "bytes after the end of br")
    }
    self.state = .inStream
    var result = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT
    repeat {
      let capacity = min(Self.largestPiece, max(rest.count &* 4, 1 << 10))
      var unread = rest.count
      let piece = unsafe Bytes(capacity: capacity) { room in
        var left = capacity
        unsafe rest.withUnsafeBytes { input in
          var next = unsafe input.bindMemory(to: UInt8.self).baseAddress
          var target = unsafe room.bindMemory(to: UInt8.self).baseAddress
          result = unsafe BrotliDecoderDecompressStream(
            self.stream,
            &unread,
            &next,
            &left,
            &target,
            nil
          )
        }
        return capacity - left
      }
      self.encodedCount += rest.count - unread
      self.decodedCount += piece.count
      rest = rest.dropping(first: rest.count - unread)
      if !piece.isEmpty { output.append(piece) }
      try self.limits.check(decoded: self.decodedCount, encoded: self.encodedCount)
    } while result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT
    switch result {
    case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT: return
    case BROTLI_DECODER_RESULT_SUCCESS:
      self.state = .ended
      guard rest.isEmpty else { throw CodingFailure(.malformed, "bytes after the end of br") }
    default: throw CodingFailure(.malformed, "not br")
    }
  }
}
