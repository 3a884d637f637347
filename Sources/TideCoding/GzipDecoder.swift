private import CZlib
public import TideCore

/// Decodes gzip, zlib or raw deflate as it arrives, within limits.
///
/// Owns one `z_stream`. After a failure it stays failed: half a body is no body.
@safe
public struct GzipDecoder: ~Copyable {
  private enum State {
    case betweenMembers
    case inMember
    case failed(CodingFailure)
  }

  private static let largestPiece = 64 << 10

  private let stream: UnsafeMutablePointer<z_stream>
  private let format: DeflateFormat
  private let limits: DecodingLimits
  private var state = State.betweenMembers
  /// Whether any member is complete.
  private var hasMember = false
  /// Encoded bytes taken so far.
  public private(set) var encodedCount = 0
  /// Decoded bytes given so far.
  public private(set) var decodedCount = 0

  /// Makes a decoder of one body.
  public init(format: DeflateFormat = .gzip, limits: DecodingLimits) {
    self.format = format
    self.limits = limits
    unsafe self.stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe self.stream.initialize(to: z_stream())
    let status = unsafe tide_inflate_init(self.stream, format.windowBits)
    precondition(status == Z_OK, "zlib is the one we were built with, and memory is there")
  }

  deinit {
    unsafe inflateEnd(self.stream)
    unsafe self.stream.deallocate()
  }

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

  /// Says that no more bytes come.
  ///
  /// No bytes at all are an empty body: a `204` may name a coding that it never uses.
  ///
  /// - Throws: `truncated` if the body is not complete, or the earlier failure.
  public mutating func finish() throws(CodingFailure) {
    switch self.state {
    case .failed(let failure): throw failure
    case .betweenMembers: return
    case .inMember:
      let failure = CodingFailure(.truncated, "the \(self.format.rawValue) body is cut short")
      self.state = .failed(failure)
      throw failure
    }
  }

  private mutating func advance(
    _ bytes: Bytes,
    _ output: inout [Bytes]
  ) throws(CodingFailure) {
    var rest = bytes
    var hasRoomLeft = true
    while !rest.isEmpty || !hasRoomLeft {
      if case .betweenMembers = self.state {
        if rest.isEmpty { return }
        try self.beginMember()
      }
      let capacity = min(Self.largestPiece, max(rest.count &* 4, 1 << 10))
      var taken = 0
      var status = Z_OK
      let piece = unsafe Bytes(capacity: capacity) { room in
        unsafe rest.withUnsafeBytes { input in
          // zlib reads through a pointer that C declares mutable and does not write to.
          unsafe self.stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.bindMemory(to: UInt8.self).baseAddress
          )
          unsafe self.stream.pointee.avail_in = UInt32(clamping: input.count)
          unsafe self.stream.pointee.next_out = room.bindMemory(to: UInt8.self).baseAddress
          unsafe self.stream.pointee.avail_out = UInt32(capacity)
          status = unsafe inflate(self.stream, Z_SYNC_FLUSH)
          taken =
            min(input.count, Int(UInt32(clamping: input.count)))
            - Int(unsafe self.stream.pointee.avail_in)
        }
        return capacity - Int(unsafe self.stream.pointee.avail_out)
      }
      rest = rest.dropping(first: taken)
      self.encodedCount += taken
      self.decodedCount += piece.count
      hasRoomLeft = piece.count < capacity
      if !piece.isEmpty { output.append(piece) }
      try self.limits.check(decoded: self.decodedCount, encoded: self.encodedCount)
      switch status {
      case Z_STREAM_END:
        self.state = .betweenMembers
        self.hasMember = true
        hasRoomLeft = true
      case Z_OK: continue
      case Z_BUF_ERROR where taken == 0 && piece.isEmpty:
        // No progress: all input is used and nothing waits inside (zlib.h, inflate).
        return
      default:
        throw CodingFailure(.malformed, "not \(self.format.rawValue)")
      }
    }
  }

  private mutating func beginMember() throws(CodingFailure) {
    if self.hasMember {
      // RFC 1952 §2.2: a gzip body is a series of members; the other two formats have one.
      guard self.format == .gzip else {
        throw CodingFailure(.malformed, "bytes after the end of \(self.format.rawValue)")
      }
      unsafe inflateReset(self.stream)
    }
    self.state = .inMember
  }
}
