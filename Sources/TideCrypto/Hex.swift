internal import TideCore

/// Lower-case hexadecimal (RFC 4648 §8, in lower case), for what is written often.
public enum Hex {
  /// Writes the digits of `bytes` at the end of `text`.
  public static func encode(_ bytes: borrowing Span<UInt8>, into text: inout [UInt8]) {
    text.append(addingCapacity: 2 * bytes.count) { output in
      for index in bytes.indices {
        output.append(self.digit(bytes[index] >> 4))
        output.append(self.digit(bytes[index] & 15))
      }
    }
  }

  /// The digits of `bytes`.
  public static func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    self.encode(bytes.span, into: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// Reads digits of either case; nil if there is an odd number of them or one is none.
  public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    guard text.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 2)
    var high: UInt8?
    for digit in text {
      guard let value = ASCII.hexValue(digit) else { return nil }
      guard let first = high else {
        high = value
        continue
      }
      bytes.append(first << 4 | value)
      high = nil
    }
    return bytes
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? 0x30 &+ value : 0x57 &+ value
  }
}
