/// Scans for line ends, eight bytes at a time.
extension Span<UInt8> {
  /// The position of the first LF from `start` on, or `count`.
  @inline(__always)
  func firstLineFeed(from start: Int) -> Int {
    self.first(Octet.lineFeed, Octet.lineFeed, from: start)
  }

  /// The position of the first LF or CR from `start` on, or `count`.
  @inline(__always)
  func firstLineEnd(from start: Int) -> Int {
    self.first(Octet.lineFeed, Octet.carriageReturn, from: start)
  }

  @inline(__always)
  private func first(_ a: UInt8, _ b: UInt8, from start: Int) -> Int {
    let ones: UInt64 = 0x0101_0101_0101_0101
    // Unsafe in name only: each load checks its bounds, and any eight bytes are a number.
    let bytes = unsafe self.bytes
    var at = start
    while at &+ 8 <= self.count {
      let loaded = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)
      let word = UInt64(littleEndian: loaded)
      // A byte that is zero after the XOR borrows from its top bit. A borrow may reach the bytes above,
      // so only the lowest hit is exact: the one that is wanted.
      let first = word ^ (ones &* UInt64(a))
      let second = word ^ (ones &* UInt64(b))
      let hits =
        ((first &- ones) & ~first | (second &- ones) & ~second) & (ones << 7)
      if hits != 0 { return at &+ hits.trailingZeroBitCount / 8 }
      at &+= 8
    }
    while at < self.count, self[at] != a, self[at] != b { at &+= 1 }
    return at
  }
}
