private import CZlib
public import TideCore

/// Decompresses one direction's messages of permessage-deflate (RFC 7692 §7.2.2) as they arrive.
///
/// Owns one `z_stream`, whose window lives on from message to message if the sender's does. The limits hold
/// for each message by itself. After a failure it stays failed: what follows may refer to what was lost.
@safe
public struct MessageInflater: ~Copyable {
  private static let largestPiece = 64 << 10
  /// What every sender cuts off the end of every message.
  private static let tail = Bytes([0x00, 0x00, 0xFF, 0xFF])

  private let stream: UnsafeMutablePointer<z_stream>
  private let keepsContext: Bool
  private let limits: DecodingLimits
  private var failure: CodingFailure?
  /// Compressed bytes of the current message, without its tail.
  public private(set) var encodedCount = 0
  /// Decompressed bytes of the current message.
  public private(set) var decodedCount = 0

  /// Makes an inflater for one direction.
  ///
  /// - Parameters:
  ///   - windowBits: the window that was agreed on, 8...15; a larger one reads the same messages.
  ///   - keepsContext: whether a message may refer to those before it; false if the sender agreed to
  ///     `no_context_takeover`.
  ///   - limits: how far one message may grow.
  public init(windowBits: Int = 15, keepsContext: Bool, limits: DecodingLimits) {
    precondition((8...15).contains(windowBits), "RFC 7692 knows windows of 8 to 15 bits")
    self.keepsContext = keepsContext
    self.limits = limits
    unsafe self.stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe self.stream.initialize(to: z_stream())
    let status = unsafe tide_inflate_init(self.stream, -Int32(windowBits))
    precondition(status == Z_OK, "zlib is the one we were built with, and memory is there")
  }

  deinit {
    unsafe inflateEnd(self.stream)
    unsafe self.stream.deallocate()
  }

  /// Decompresses the next bytes of a message, adding what they yield in pieces of at most 64 KiB.
  ///
  /// What was decompressed before a failure is in `output` when it throws.
  ///
  /// - Throws: `malformed`, `tooLarge` or `ratio`; again at every later call.
  public mutating func inflate(_ bytes: Bytes, _ output: inout [Bytes]) throws(CodingFailure) {
    if let failure = self.failure { throw failure }
    self.encodedCount += bytes.count
    do throws(CodingFailure) {
      try self.advance(bytes, &output)
    } catch {
      self.failure = error
      throw error
    }
  }

  /// Says that the message is complete, and adds what its last bytes yield.
  ///
  /// - Throws: as `inflate` does; `truncated` if the message ends within a DEFLATE block.
  public mutating func finishMessage(_ output: inout [Bytes]) throws(CodingFailure) {
    if let failure = self.failure { throw failure }
    do throws(CodingFailure) {
      try self.advance(Self.tail, &output)
      // zlib.h: 128 says that the next thing is a block's header, the low bits count what of it is read.
      guard unsafe self.stream.pointee.data_type & 0xBF == 128 else {
        throw CodingFailure(.truncated, "the compressed message ends within a block")
      }
    } catch {
      self.failure = error
      throw error
    }
    self.encodedCount = 0
    self.decodedCount = 0
    if !self.keepsContext { unsafe inflateReset(self.stream) }
  }

  private mutating func advance(
    _ bytes: Bytes,
    _ output: inout [Bytes]
  ) throws(CodingFailure) {
    var rest = bytes
    var hasRoomLeft = true
    // A piece keeps its room, and a read may hold thousands of messages of a few bytes each.
    var capacity = min(Self.largestPiece, max(rest.count &* 4, 64))
    while !rest.isEmpty || !hasRoomLeft {
      var taken = 0
      var status = Z_OK
      let piece = unsafe Bytes(capacity: capacity) { room in
        unsafe rest.withUnsafeBytes { input in
          (taken, status) = unsafe self.fill(room, from: input)
        }
        return capacity - Int(unsafe self.stream.pointee.avail_out)
      }
      rest = rest.dropping(first: taken)
      self.decodedCount += piece.count
      hasRoomLeft = piece.count < capacity
      if !piece.isEmpty { output.append(piece) }
      try self.limits.check(decoded: self.decodedCount, encoded: self.encodedCount)
      guard status == Z_OK || status == Z_BUF_ERROR else {
        throw CodingFailure(.malformed, "not a compressed message")
      }
      // No progress: all input is used and nothing waits inside (zlib.h, inflate).
      if taken == 0, piece.isEmpty { return }
      capacity = min(Self.largestPiece, capacity &* 2)
    }
  }

  /// Fills the room as far as the input goes; returns how much of it was taken, and zlib's last word.
  ///
  /// A block may say that it is the last and still be followed by others (RFC 7692 §7.2.3.4). Going on
  /// in the same room matters: thousands of such blocks fit into one read, and each piece keeps its
  /// room.
  private func fill(
    _ room: UnsafeMutableRawBufferPointer,
    from input: UnsafeRawBufferPointer
  ) -> (taken: Int, status: Int32) {
    let offered = UInt32(clamping: input.count)
    // zlib reads through a pointer that C declares mutable and does not write to.
    unsafe self.stream.pointee.next_in = UnsafeMutablePointer(
      mutating: input.bindMemory(to: UInt8.self).baseAddress
    )
    unsafe self.stream.pointee.avail_in = offered
    unsafe self.stream.pointee.next_out = room.bindMemory(to: UInt8.self).baseAddress
    unsafe self.stream.pointee.avail_out = UInt32(room.count)
    var status = unsafe CZlib.inflate(self.stream, Z_SYNC_FLUSH)
    while status == Z_STREAM_END {
      // Unlike inflateReset, this keeps the window, to which the next block may refer.
      unsafe inflateResetKeep(self.stream)
      let isDone = unsafe self.stream.pointee.avail_in == 0 || self.stream.pointee.avail_out == 0
      status = isDone ? Z_OK : unsafe CZlib.inflate(self.stream, Z_SYNC_FLUSH)
    }
    return (Int(offered - (unsafe self.stream.pointee.avail_in)), status)
  }
}
