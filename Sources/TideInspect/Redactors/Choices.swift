import TideCrypto

/// Choices that look random and are the same for the same seed.
public struct Choices {
  private let key: [UInt8]
  private let seed: [UInt8]
  private var block: [UInt8] = []
  private var position = 0
  private var counter: UInt32 = 0

  init(key: [UInt8], seed: [UInt8]) {
    self.key = key
    self.seed = seed
  }

  /// A number from 0 up to, not including, `bound`; for bounds so small that the bias is nothing.
  public mutating func below(_ bound: Int) -> Int {
    if self.position + 4 > self.block.count {
      let number = (0..<4).map { UInt8(truncatingIfNeeded: self.counter >> UInt32(24 - 8 * $0)) }
      self.block = HMAC.sha256(key: self.key, self.seed + number)
      self.counter &+= 1
      self.position = 0
    }
    var value = 0
    for byte in self.block[self.position..<self.position + 4] { value = value << 8 | Int(byte) }
    self.position += 4
    return value % max(bound, 1)
  }

  /// Decimal digits.
  public mutating func digits(_ count: Int) -> [UInt8] {
    (0..<max(0, count)).map { _ in 0x30 + UInt8(self.below(10)) }
  }

  /// Hexadecimal digits in lower case.
  public mutating func hexDigits(_ count: Int) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    return (0..<max(0, count)).map { _ in digits[self.below(16)] }
  }
}
