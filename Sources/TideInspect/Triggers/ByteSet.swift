/// A set of byte values, of which a trigger wants one at each place.
public struct ByteSet: Hashable, Sendable, ExpressibleByStringLiteral {
  /// One bit for each of the 256 values, 64 to a word.
  private var words: SIMD4<UInt64> = .zero

  /// The set of all bytes of `text`'s UTF-8: `":-"` is a colon or a hyphen.
  public init(stringLiteral text: String) { self.init(text.utf8) }

  /// The set of these bytes.
  public init(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { self.insert(byte) }
  }

  /// `0`–`9`.
  public static let digits: ByteSet = "0123456789"
  /// Hexadecimal digits of either case.
  public static let hexDigits: ByteSet = "0123456789abcdefABCDEF"
  /// ASCII letters of either case and digits.
  public static let alphanumerics = ByteSet(
    [0x30...0x39, 0x41...0x5A, 0x61...0x7A].flatMap { $0 as ClosedRange<UInt8> }
  )

  /// The bytes that are in this set or in `other`.
  public func union(_ other: ByteSet) -> ByteSet {
    var both = self
    both.words |= other.words
    return both
  }

  /// Whether `byte` is in the set.
  public func contains(_ byte: UInt8) -> Bool {
    self.words[Int(byte >> 6)] & 1 << UInt64(byte & 63) != 0
  }

  /// The byte that alone is in the set; nil if there are none or several.
  var onlyByte: UInt8? {
    guard (0..<4).reduce(0, { $0 + self.words[$1].nonzeroBitCount }) == 1 else { return nil }
    return (0...UInt8.max).first { self.contains($0) }
  }

  private mutating func insert(_ byte: UInt8) {
    self.words[Int(byte >> 6)] |= 1 << UInt64(byte & 63)
  }
}
