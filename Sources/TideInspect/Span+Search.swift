import Glibc

extension Span<UInt8> {
  /// The first place of `byte` in `range`; nil if it is not there, or the range is empty or upside down.
  ///
  /// By memchr(3), which takes thirty-two bytes at a time: most of what is searched for is rare.
  func firstIndex(of byte: UInt8, in range: (start: Int, end: Int)) -> Int? {
    guard range.start >= 0, range.start < range.end, range.end <= self.count else { return nil }
    return unsafe self.withUnsafeBufferPointer { buffer -> Int? in
      guard let base = buffer.baseAddress else { return nil }
      let found = unsafe memchr(base + range.start, CInt(byte), range.end - range.start)
      return unsafe found.map { unsafe UnsafeRawPointer($0) - UnsafeRawPointer(base) }
    }
  }

  /// The first place of one of two bytes in `range`; nil if there is none, or the range is empty or upside down.
  func firstIndex(of bytes: (UInt8, UInt8), in range: (start: Int, end: Int)) -> Int? {
    guard bytes.0 != bytes.1 else { return self.firstIndex(of: bytes.0, in: range) }
    guard range.start >= 0, range.start < range.end, range.end <= self.count else { return nil }
    return unsafe self.withUnsafeBufferPointer { unsafe Self.firstIndex(of: bytes, in: $0, range) }
  }

  /// Sixteen bytes at a time; `range` is within `buffer`.
  private static func firstIndex(
    of bytes: (UInt8, UInt8),
    in buffer: UnsafeBufferPointer<UInt8>,
    _ range: (start: Int, end: Int)
  ) -> Int? {
    let text = UnsafeRawBufferPointer(buffer)
    let first = SIMD16<UInt8>(repeating: bytes.0)
    let second = SIMD16<UInt8>(repeating: bytes.1)
    var place = range.start
    while place + 16 <= range.end {
      let block = unsafe text.loadUnaligned(fromByteOffset: place, as: SIMD16<UInt8>.self)
      let hits = (block .== first) .| (block .== second)
      let halves = unsafe unsafeBitCast(hits, to: SIMD2<UInt64>.self)
      if halves.x != 0 { return place + halves.x.trailingZeroBitCount >> 3 }
      if halves.y != 0 { return place + 8 + halves.y.trailingZeroBitCount >> 3 }
      place += 16
    }
    while place < range.end {
      if unsafe buffer[place] == bytes.0 || buffer[place] == bytes.1 { return place }
      place += 1
    }
    return nil
  }
}
