internal import TideCore

/// TEA and XTEA (Wheeler and Needham, 1994 and 1997) with 32 cycles.
struct TinyCipher {
  private static let delta: UInt32 = 0x9E37_79B9
  private static let cycles: UInt32 = 32

  private let isExtended: Bool
  private let isLittleEndian: Bool
  private let key: [UInt32]

  /// Takes a key of 16 bytes.
  init(isExtended: Bool, isLittleEndian: Bool, key: [UInt8]) {
    precondition(key.count == 16, "the caller has counted the key's bytes")
    self.isExtended = isExtended
    self.isLittleEndian = isLittleEndian
    self.key = (0..<4).map { Self.word(key.span, $0 * 4, isLittleEndian) }
  }

  /// Encrypts whole blocks of 8 bytes.
  func encrypt(_ bytes: Bytes, _ chaining: BlockCipher.Chaining) -> Bytes {
    var before = self.vector(chaining)
    return self.eachBlock(bytes) { block in
      let mixed = before.map { (block.0 ^ $0.0, block.1 ^ $0.1) } ?? block
      let result = self.isExtended ? self.encryptXTEA(mixed) : self.encryptTEA(mixed)
      if before != nil { before = result }
      return result
    }
  }

  /// Decrypts whole blocks of 8 bytes.
  func decrypt(_ bytes: Bytes, _ chaining: BlockCipher.Chaining) -> Bytes {
    var before = self.vector(chaining)
    return self.eachBlock(bytes) { block in
      let result = self.isExtended ? self.decryptXTEA(block) : self.decryptTEA(block)
      guard let mask = before else { return result }
      before = block
      return (result.0 ^ mask.0, result.1 ^ mask.1)
    }
  }

  private typealias Block = (UInt32, UInt32)

  private func vector(_ chaining: BlockCipher.Chaining) -> Block? {
    switch chaining {
    case .ecb: nil
    case .cbc(let iv):
      (
        Self.word(iv.span, 0, self.isLittleEndian), Self.word(iv.span, 4, self.isLittleEndian)
      )
    }
  }

  private func eachBlock(_ bytes: Bytes, _ change: (Block) -> Block) -> Bytes {
    bytes.withSpan { span in
      var output: [UInt8] = []
      output.reserveCapacity(span.count)
      for start in stride(from: 0, to: span.count - 7, by: 8) {
        let block = (
          Self.word(span, start, self.isLittleEndian),
          Self.word(span, start + 4, self.isLittleEndian)
        )
        let (first, second) = change(block)
        self.append(first, &output)
        self.append(second, &output)
      }
      return Bytes(output)
    }
  }

  private func encryptTEA(_ block: Block) -> Block {
    var (y, z) = block
    var sum: UInt32 = 0
    for _ in 0..<Self.cycles {
      sum &+= Self.delta
      y &+= (z << 4 &+ self.key[0]) ^ (z &+ sum) ^ (z >> 5 &+ self.key[1])
      z &+= (y << 4 &+ self.key[2]) ^ (y &+ sum) ^ (y >> 5 &+ self.key[3])
    }
    return (y, z)
  }

  private func decryptTEA(_ block: Block) -> Block {
    var (y, z) = block
    var sum = Self.delta &* Self.cycles
    for _ in 0..<Self.cycles {
      z &-= (y << 4 &+ self.key[2]) ^ (y &+ sum) ^ (y >> 5 &+ self.key[3])
      y &-= (z << 4 &+ self.key[0]) ^ (z &+ sum) ^ (z >> 5 &+ self.key[1])
      sum &-= Self.delta
    }
    return (y, z)
  }

  private func encryptXTEA(_ block: Block) -> Block {
    var (y, z) = block
    var sum: UInt32 = 0
    for _ in 0..<Self.cycles {
      y &+= ((z << 4 ^ z >> 5) &+ z) ^ (sum &+ self.key[Int(sum & 3)])
      sum &+= Self.delta
      z &+= ((y << 4 ^ y >> 5) &+ y) ^ (sum &+ self.key[Int(sum >> 11 & 3)])
    }
    return (y, z)
  }

  private func decryptXTEA(_ block: Block) -> Block {
    var (y, z) = block
    var sum = Self.delta &* Self.cycles
    for _ in 0..<Self.cycles {
      z &-= ((y << 4 ^ y >> 5) &+ y) ^ (sum &+ self.key[Int(sum >> 11 & 3)])
      sum &-= Self.delta
      y &-= ((z << 4 ^ z >> 5) &+ z) ^ (sum &+ self.key[Int(sum & 3)])
    }
    return (y, z)
  }

  private func append(_ word: UInt32, _ output: inout [UInt8]) {
    let ordered = self.isLittleEndian ? word.byteSwapped : word
    for shift in stride(from: UInt32(24), through: 0, by: -8) {
      output.append(UInt8(truncatingIfNeeded: ordered >> shift))
    }
  }

  private static func word(
    _ bytes: borrowing Span<UInt8>,
    _ start: Int,
    _ isLittleEndian: Bool
  ) -> UInt32 {
    let word =
      UInt32(bytes[start]) << 24 | UInt32(bytes[start + 1]) << 16
      | UInt32(bytes[start + 2]) << 8 | UInt32(bytes[start + 3])
    return isLittleEndian ? word.byteSwapped : word
  }
}
