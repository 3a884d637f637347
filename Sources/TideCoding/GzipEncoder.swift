private import CZlib
public import TideCore

/// Makes one member of gzip (RFC 1952) of bytes that come piece by piece.
///
/// Owns one `z_stream`.
@safe
public struct GzipEncoder: ~Copyable {
  private static let pieceSize = 64 << 10

  private let stream: UnsafeMutablePointer<z_stream>

  /// Begins a member.
  ///
  /// - Parameter level: from 1, quick, to 9, small.
  public init(level: Int32 = 6) {
    unsafe self.stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe self.stream.initialize(to: z_stream())
    let status = unsafe tide_deflate_init(self.stream, level, DeflateFormat.gzip.windowBits)
    precondition(status == Z_OK, "zlib is the one we were built with, and memory is there")
  }

  deinit {
    unsafe deflateEnd(self.stream)
    unsafe self.stream.deallocate()
  }

  /// Compresses the next bytes; what they yield may be nothing yet.
  public mutating func encode(_ bytes: Bytes) -> [UInt8] {
    var output: [UInt8] = []
    // avail_in has 32 bits.
    var rest = bytes
    while !rest.isEmpty {
      let part = rest.slice(0..<min(rest.count, 1 << 30))
      rest = rest.dropping(first: part.count)
      self.run(part, flush: Z_NO_FLUSH, &output)
    }
    return output
  }

  /// Ends the member, and begins another with the next bytes.
  public mutating func finish() -> [UInt8] {
    var output: [UInt8] = []
    self.run(Bytes(), flush: Z_FINISH, &output)
    unsafe deflateReset(self.stream)
    return output
  }

  private func run(_ bytes: Bytes, flush: Int32, _ output: inout [UInt8]) {
    unsafe bytes.withUnsafeBytes { input in
      // zlib reads through a pointer that C declares mutable and does not write to.
      unsafe self.stream.pointee.next_in = UnsafeMutablePointer(
        mutating: input.bindMemory(to: UInt8.self).baseAddress
      )
      unsafe self.stream.pointee.avail_in = UInt32(input.count)
      var isFull = true
      while isFull {
        let piece = unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceSize) { room, count in
          unsafe self.stream.pointee.next_out = room.baseAddress
          unsafe self.stream.pointee.avail_out = UInt32(Self.pieceSize)
          let status = unsafe CZlib.deflate(self.stream, flush)
          precondition(
            status == Z_OK || status == Z_BUF_ERROR || status == Z_STREAM_END,
            "deflate has room and a live stream"
          )
          count = Self.pieceSize - Int(unsafe self.stream.pointee.avail_out)
        }
        isFull = piece.count == Self.pieceSize
        output.append(contentsOf: piece)
      }
    }
  }
}
