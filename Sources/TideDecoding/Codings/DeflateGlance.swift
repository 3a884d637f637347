internal import TideCore

/// Tells at a glance whether bytes may be one block of raw DEFLATE, the last, in which texts are.
enum DeflateGlance {
  /// Longer blocks are worth a table of their own (RFC 1951 §3.2.7).
  private static let longestFixed = 1 << 10
  /// Shorter blocks are not.
  private static let shortestTable = 40

  /// Whether the bytes may be one, each of them under a key by exclusive or.
  static func mayBeBlock(_ bytes: Bytes, under key: UInt8 = 0) -> Bool {
    guard bytes.count >= 8, (bytes[0] ^ key) & 1 == 1 else { return false }
    var bits = BitReader(bytes, key)
    _ = bits.number(3)
    return switch (bytes[0] ^ key) >> 1 & 3 {
    case 0: self.isStored(bytes, key)
    case 1: bytes.count <= self.longestFixed && self.texts(&bits, of: 8) >= 2
    case 2: bytes.count >= self.shortestTable && self.hasTable(&bits)
    default: false
    }
  }

  /// Whether the bytes, which read as text, may be a block with the fixed code that begins with text.
  static func mayBeText(_ bytes: Bytes) -> Bool {
    guard let first = bytes.first, first & 7 == 3 else { return false }
    var bits = BitReader(bytes, 0)
    _ = bits.number(3)
    return self.texts(&bits, of: 6) == 6
  }

  /// Whether the code of the code lengths is complete, as it is in one of hundreds of chance blocks.
  private static func hasTable(_ bits: inout BitReader) -> Bool {
    guard let literals = bits.number(5), let distances = bits.number(5),
      let lengths = bits.number(4), literals <= 29, distances <= 29
    else { return false }
    var room = 0
    for _ in 0..<lengths + 4 {
      guard let length = bits.number(3) else { return false }
      if length > 0 { room += 128 >> length }
    }
    return room == 128
  }

  /// Whether a block that is not compressed says its length twice (RFC 1951 §3.2.4), and that is the rest.
  private static func isStored(_ bytes: Bytes, _ key: UInt8) -> Bool {
    let head = (1...4).map { Int(bytes[$0] ^ key) }
    let count = head[0] | head[1] << 8
    return count == bytes.count - 5 && count ^ 0xFFFF == head[2] | head[3] << 8
  }

  /// How many of the first symbols of a block with the fixed code are what texts consist of; none if one
  /// of the first four is no byte.
  private static func texts(_ bits: inout BitReader, of count: Int) -> Int {
    var texts = 0
    for place in 0..<count {
      guard let byte = bits.fixedLiteral() else { return place >= 4 ? texts : 0 }
      if (0x20...0x7E).contains(byte) { texts += 1 }
    }
    return texts
  }

  /// Reads bits under a key, the lowest of each byte first.
  private struct BitReader {
    private let bytes: Bytes
    private let key: UInt8
    private var position = 0

    init(_ bytes: Bytes, _ key: UInt8) {
      self.bytes = bytes
      self.key = key
    }

    private mutating func bit() -> Int? {
      guard self.position >> 3 < self.bytes.count else { return nil }
      let byte = self.bytes[self.position >> 3] ^ self.key
      defer { self.position += 1 }
      return Int(byte >> UInt8(self.position & 7)) & 1
    }

    /// A number, its lowest bit first.
    mutating func number(_ count: Int) -> Int? {
      var number = 0
      for place in 0..<count {
        guard let bit = self.bit() else { return nil }
        number |= bit << place
      }
      return number
    }

    /// A byte in the fixed code, whose highest bit comes first (RFC 1951 §3.2.6); nil for anything else.
    mutating func fixedLiteral() -> Int? {
      var code = 0
      for _ in 0..<8 {
        guard let bit = self.bit() else { return nil }
        code = code << 1 | bit
      }
      switch code {
      case 0x30...0xBF: return code - 0x30
      case 0xC8...0xFF: return self.bit().map { 144 + (code << 1 | $0) - 0x190 }
      default: return nil
      }
    }
  }
}
