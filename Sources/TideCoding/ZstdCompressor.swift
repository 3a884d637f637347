private import CZstd
public import TideCore

/// Compresses one buffer after another, each into a frame that states its size (RFC 8878); owns one
/// `ZSTD_CCtx`.
///
/// For who compresses many small buffers: `Zstd.compress` makes and clears its tables each time.
@safe public final class ZstdCompressor {
  private let context: OpaquePointer
  private let level: Int32

  /// Makes a compressor.
  public init(level: Int32) {
    guard let context = unsafe ZSTD_createCCtx() else {
      preconditionFailure("a compressor needs only memory")
    }
    unsafe self.context = context
    self.level = level
  }

  deinit { unsafe ZSTD_freeCCtx(self.context) }

  /// Compresses `bytes` into one frame.
  public func compress(_ bytes: Bytes) -> Bytes {
    unsafe Bytes(capacity: ZSTD_compressBound(bytes.count)) { room in
      unsafe self.compress(bytes, room)
    }
  }

  /// Compresses `bytes` into one frame at the end of `frames`; for who uses its memory many times.
  public func compress(_ bytes: Bytes, into frames: inout [UInt8]) {
    frames.append(addingCapacity: ZSTD_compressBound(bytes.count)) { output in
      unsafe output.withUnsafeMutableBufferPointer { room, count in
        count = unsafe self.compress(bytes, UnsafeMutableRawBufferPointer(room))
      }
    }
  }

  /// Compresses into room for the most that may become of `bytes`.
  private func compress(_ bytes: Bytes, _ room: UnsafeMutableRawBufferPointer) -> Int {
    let count = unsafe bytes.withUnsafeBytes { input in
      unsafe ZSTD_compressCCtx(
        self.context,
        room.baseAddress,
        room.count,
        input.baseAddress,
        input.count,
        self.level
      )
    }
    precondition(ZSTD_isError(count) == 0, "compressBound holds the whole result")
    return count
  }
}
