/// The check digit of ISO/IEC 7812-1 annex B, which IMEI and ICCID end in.
public enum Luhn {
  /// Whether the ASCII digits in `range` end in their right check digit.
  public static func isValid(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    self.sum(range.count) { span[range.lowerBound + $0] } % 10 == 0
  }

  /// The check digit, in ASCII, to put after `digits`.
  public static func checkDigit(after digits: some RandomAccessCollection<UInt8>) -> UInt8 {
    let digits = Array(digits) + [0x30]
    let sum = self.sum(digits.count) { digits[$0] }
    return 0x30 + UInt8((10 - sum % 10) % 10)
  }

  @inline(__always)
  private static func sum(_ count: Int, _ digit: (Int) -> UInt8) -> Int {
    var sum = 0
    for index in 0..<count {
      let value = Int(digit(index) &- 0x30)
      let isDoubled = (count - index) % 2 == 0
      sum += isDoubled ? (value > 4 ? value * 2 - 9 : value * 2) : value
    }
    return sum
  }
}
