/// Scans that take eight octets at a time: most of a head is text in which nothing stops them.
extension Span<UInt8> {
  /// The position of the first octet from `start` on that is no field text (`Octet.isFieldText`).
  @inline(__always)
  func endOfFieldText(from start: Int) -> Int {
    var at = self.end(from: start, ofOctetsFrom: 0x20)
    while at < self.count, self[at] == Octet.tab { at = self.end(from: at + 1, ofOctetsFrom: 0x20) }
    return at
  }

  /// The position of the first octet from `start` on that is no target text (`Octet.isTargetText`).
  @inline(__always)
  func endOfTargetText(from start: Int) -> Int { self.end(from: start, ofOctetsFrom: 0x21) }

  /// The position of the first octet that is below `floor` (at most 0x80) or DEL.
  @inline(__always)
  private func end(from start: Int, ofOctetsFrom floor: UInt8) -> Int {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let floors = ones &* UInt64(floor)
    // Unsafe in name only: octets have no padding, each load checks its bounds, and any eight of
    // them are a number.
    let bytes = unsafe self.bytes
    var at = start
    while at &+ 8 <= self.count {
      let loaded = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)
      let word = UInt64(littleEndian: loaded)
      // Subtracting borrows from an octet's top bit where it is too low. A borrow may reach the
      // octets above, so only the lowest hit is exact: the one that is wanted.
      let tooLow = (word &- floors) & ~word
      let difference = word ^ (ones &* 0x7F)
      let delete = (difference &- ones) & ~difference
      let hits = (tooLow | delete) & (ones << 7)
      if hits != 0 { return at &+ hits.trailingZeroBitCount / 8 }
      at &+= 8
    }
    while at < self.count, self[at] >= floor, self[at] != 0x7F { at &+= 1 }
    return at
  }
}
