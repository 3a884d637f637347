/// Byte-wise ASCII helpers that protocols need: no locale, no Unicode, no allocation.
public enum ASCII {
  /// `byte` with `A`–`Z` turned into `a`–`z`; every other value as it is.
  @inlinable
  @inline(__always)
  public static func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- 0x41 < 26 ? byte | 0x20 : byte
  }

  /// Whether `byte` is `0`–`9`.
  @inlinable
  @inline(__always)
  public static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

  /// The value of a hexadecimal digit of either case, or nil.
  @inlinable
  @inline(__always)
  public static func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
  }

  /// Whether `a` equals `b` when the case of ASCII letters is ignored.
  public static func equalsIgnoringCase(
    _ a: some Collection<UInt8>,
    _ b: some Collection<UInt8>
  ) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { self.lowercased($0) == self.lowercased($1) }
  }

  /// The lower-case hexadecimal digits of `bytes`.
  public static func hex(_ bytes: some Collection<UInt8>) -> String { self.hex(Array(bytes)) }

  /// The lower-case hexadecimal digits of `bytes`.
  public static func hex(_ bytes: [UInt8]) -> String {
    var digits: [UInt8] = []
    digits.reserveCapacity(bytes.count * 2)
    for byte in bytes {
      digits.append(self.hexDigit(byte >> 4))
      digits.append(self.hexDigit(byte & 15))
    }
    return String(decoding: digits, as: UTF8.self)
  }

  /// The lower-case digit of a number below 16.
  private static func hexDigit(_ value: UInt8) -> UInt8 { value + (value < 10 ? 0x30 : 0x57) }
}
