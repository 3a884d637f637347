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
}
