private import CZlib
public import TideCore

/// Compresses one direction's messages for permessage-deflate (RFC 7692 §7.2.1).
///
/// Owns one `z_stream`. Used where we put another message in place of the sender's: every message of that
/// direction must then pass through here, since the receiver's window holds what we sent. It may begin at any
/// message: a new deflater refers to nothing that it has not sent itself.
@safe
public struct MessageDeflater: ~Copyable {
  private static let largestPiece = 16 << 10
  /// What ends every flush, and every sender cuts off (RFC 7692 §7.2.1).
  private static let tailCount = 4

  private let stream: UnsafeMutablePointer<z_stream>
  private let keepsContext: Bool
  /// Bytes of the current message taken so far.
  private var takenCount = 0

  /// Makes a deflater for one direction.
  ///
  /// - Parameters:
  ///   - windowBits: the window that was agreed on, 8...15.
  ///   - keepsContext: whether a message refers to those before it; false if `no_context_takeover` was
  ///     agreed for this direction.
  public init(windowBits: Int = 15, keepsContext: Bool) {
    precondition((8...15).contains(windowBits), "RFC 7692 knows windows of 8 to 15 bits")
    self.keepsContext = keepsContext
    unsafe self.stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe self.stream.initialize(to: z_stream())
    // zlib refuses 8 for raw deflate. With 9 it looks back 512 - 262 = 250 bytes at most (deflate.h,
    // MAX_DIST), which a window of 256 bytes holds.
    let status = unsafe tide_deflate_init(self.stream, 6, -Int32(max(windowBits, 9)))
    precondition(status == Z_OK, "zlib is the one we were built with, and memory is there")
  }

  deinit {
    unsafe deflateEnd(self.stream)
    unsafe self.stream.deallocate()
  }

  /// Compresses the next bytes of a message, adding what they yield, which may be nothing yet.
  public mutating func deflate(_ bytes: Bytes, _ output: inout [Bytes]) {
    // avail_in has 32 bits.
    var rest = bytes
    while !rest.isEmpty {
      let part = rest.slice(0..<min(rest.count, 1 << 30))
      rest = rest.dropping(first: part.count)
      self.takenCount &+= part.count
      let compressed = self.run(part, flush: Z_NO_FLUSH)
      if !compressed.isEmpty { output.append(Bytes(compressed)) }
    }
  }

  /// Ends the message and adds the rest of it, without the tail that is never sent.
  public mutating func finishMessage(_ output: inout [Bytes]) {
    var last = self.run(Bytes(), flush: Z_SYNC_FLUSH)
    if last.isEmpty {
      // Nothing since the last flush, so zlib writes no second one: an empty message is the first byte
      // of an empty block (RFC 7692 §7.2.3.6).
      last = [0x00]
    } else {
      precondition(last.suffix(Self.tailCount) == [0, 0, 0xFF, 0xFF], "a flush ends in its marker")
      last.removeLast(Self.tailCount)
    }
    if !last.isEmpty { output.append(Bytes(last)) }
    self.takenCount = 0
    if !self.keepsContext { unsafe deflateReset(self.stream) }
  }

  private func run(_ bytes: Bytes, flush: Int32) -> [UInt8] {
    var result: [UInt8] = []
    // Most messages are small, and what they are put in lives as long as they do.
    let capacity = min(self.takenCount &+ 64, Self.largestPiece)
    unsafe bytes.withUnsafeBytes { input in
      // zlib reads through a pointer that C declares mutable and does not write to.
      unsafe self.stream.pointee.next_in = UnsafeMutablePointer(
        mutating: input.bindMemory(to: UInt8.self).baseAddress
      )
      unsafe self.stream.pointee.avail_in = UInt32(input.count)
      var isFull = true
      while isFull {
        let piece = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { room, count in
          unsafe self.stream.pointee.next_out = room.baseAddress
          unsafe self.stream.pointee.avail_out = UInt32(capacity)
          let status = unsafe CZlib.deflate(self.stream, flush)
          precondition(
            status == Z_OK || status == Z_BUF_ERROR,
            "deflate has room and a live stream"
          )
          count = capacity - Int(unsafe self.stream.pointee.avail_out)
        }
        isFull = piece.count == capacity
        if result.isEmpty { result = piece } else { result += piece }
      }
    }
    return result
  }
}
