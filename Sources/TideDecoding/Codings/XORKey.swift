internal import TideCore

/// Finds the key of bytes that were combined with one and the same by exclusive or.
///
/// There are 255, so that each is tried at a glance, and what passes must prove itself.
enum XORKey {
  /// How many bytes a key is judged by at first.
  private static let glance = 64
  /// The most keys that a glance leaves for text.
  private static let most = 4

  /// What a key makes of some bytes.
  struct Reading {
    let key: UInt8
    let value: Bytes
  }

  /// The bytes under a key.
  static func combined(_ bytes: Bytes, _ key: UInt8) -> Bytes {
    Bytes(bytes.map { $0 ^ key })
  }

  /// Keys under which the bytes begin as a format that announces itself.
  static func announced(_ bytes: Bytes) -> [UInt8] {
    guard let first = bytes.first else { return [] }
    return Self.magics.compactMap { magic in
      let key = first ^ magic[0]
      guard key != 0, bytes.count >= 12 else { return nil }
      return zip(bytes, magic).allSatisfy { $0 ^ key == $1 } ? key : nil
    }
  }

  private static let magics: [[UInt8]] =
    [[0x1F, 0x8B, 0x08], [0x28, 0xB5, 0x2F, 0xFD], Array("bplist00".utf8)]
    // zlib at any level (RFC 1950 §2.2).
    + [0x01, 0x5E, 0x9C, 0xDA].map { [0x78, $0] }

  /// The key under which an object, a list or a document in XML begins and ends the bytes.
  static func bracket(_ bytes: Bytes) -> UInt8? {
    guard bytes.count > 2 else { return nil }
    for bracket in [UInt8(0x7B), 0x5B, 0x3C] {
      let key = bytes[0] ^ bracket
      guard key != 0, self.hasBrackets(bytes, key) else { continue }
      // What may follow the bracket (RFC 8259 §4, §5), names being strings.
      switch (bracket, bytes[1] ^ key) {
      case (0x7B, 0x22), (0x5B, 0x22), (0x5B, 0x7B), (0x5B, 0x5B), (0x5B, 0x30...0x39): return key
      case (0x3C, 0x3F), (0x3C, 0x61...0x7A): return key
      default: continue
      }
    }
    return nil
  }

  /// Whether an object, a list or a document in XML begins and ends the bytes under this key.
  static func hasBrackets(_ bytes: Bytes, _ key: UInt8) -> Bool {
    guard let first = bytes.first, let last = bytes.last else { return false }
    return switch (first ^ key, last ^ key) {
    case (0x7B, 0x7D), (0x5B, 0x5D), (0x3C, 0x3E): true
    default: false
    }
  }

  /// Keys under which all bytes are hexadecimal digits.
  static func hexadecimal(_ bytes: Bytes) -> [UInt8] {
    guard bytes.count >= 32, bytes.count & 1 == 0 else { return [] }
    return "0123456789abcdefABCDEF".utf8.compactMap { digit in
      let key = bytes[0] ^ digit
      return key != 0 && bytes.allSatisfy { ASCII.hexValue($0 ^ key) != nil } ? key : nil
    }
  }

  /// Keys under which the first bytes are most like text, the likeliest first.
  static func textual(_ bytes: Bytes) -> [UInt8] {
    guard self.isUneven(bytes) else { return [] }
    let seen = Histogram(bytes.prefix(Self.glance))
    let start = bytes.slice(0..<min(bytes.count, Plausible.glance + 4))
    var found: [(key: UInt8, score: Int32)] = []
    for key in UInt8(1)...255 {
      var score = seen.sum(Self.weights, key)
      // Numerals and letters remain such under many keys, an object's brackets under one.
      if self.hasBrackets(bytes, key) { score += 2 * seen.count }
      if self.isEscaped(bytes, key) { score += seen.count }
      guard score >= seen.count else { continue }
      // A number with a right check digit: numerals remain such under several keys.
      if self.hasCheckDigit(bytes, key) { score += 1 }
      found.append((key, score))
    }
    found.sort { $0.score > $1.score }
    return found.lazy
      .filter { Plausible.text(self.combined(start, $0.key)) != nil }
      .prefix(Self.most).map(\.key)
  }

  /// Whether the highest bit is mostly the same: text is mostly ASCII, under any key.
  private static func isUneven(_ bytes: Bytes) -> Bool {
    let seen = bytes.prefix(Self.glance)
    let high = seen.reduce(0) { $0 + Int($1 >> 7) }
    // Of short runs it must be so of nearly all: every other noise would pass.
    let share = seen.count < 24 ? 9 : seen.count < 64 ? 7 : 6
    return max(high, seen.count - high) * 10 >= seen.count * share
  }

  /// Whether there are escapes (RFC 3986 §2.1) under this key, and nothing that is almost one.
  private static func isEscaped(_ bytes: Bytes, _ key: UInt8) -> Bool {
    let seen = min(bytes.count, Self.glance)
    var index = 0
    var escapes = 0
    while index < seen {
      guard bytes[index] ^ key == 0x25 else {
        index += 1
        continue
      }
      guard index + 2 < seen else { break }
      guard ASCII.hexValue(bytes[index + 1] ^ key) != nil,
        ASCII.hexValue(bytes[index + 2] ^ key) != nil
      else { return false }
      escapes += 1
      index += 3
    }
    return escapes >= 3
  }

  private static func hasCheckDigit(_ bytes: Bytes, _ key: UInt8) -> Bool {
    guard (14...20).contains(bytes.count) else { return false }
    let text = bytes.map { $0 ^ key }
    return text.allSatisfy(ASCII.isDigit) && Luhn.isValid(text.span, 0..<text.count)
  }

  /// How often each byte occurs.
  private struct Histogram {
    let count: Int32
    private var occurring: [(byte: Int, times: Int32)] = []

    init(_ bytes: some Collection<UInt8>) {
      var counts = [Int32](repeating: 0, count: 256)
      for byte in bytes { counts[Int(byte)] += 1 }
      self.count = Int32(bytes.count)
      for byte in 0..<256 where counts[byte] > 0 { self.occurring.append((byte, counts[byte])) }
    }

    /// The weights of all bytes under a key.
    func sum(_ weights: [Int32], _ key: UInt8) -> Int32 {
      let weights = weights.span
      var sum: Int32 = 0
      for entry in self.occurring { sum += entry.times * weights[entry.byte ^ Int(key)] }
      return sum
    }
  }

  /// How much each byte speaks for text: what is frequent in it much, what is rare little.
  private static let weights: [Int32] = (0...UInt8.max).map { byte in
    switch byte {
    case 0x20, 0x30...0x39, 0x61...0x7A: 3
    case 0x22, 0x25, 0x2C, 0x2D...0x2F, 0x3A, 0x3D, 0x26, 0x5F, 0x7B, 0x7D, 0x41...0x5A: 2
    case 0x0A, 0x0D, 0x5B, 0x5D: 1
    case 0x09, 0x21...0x7E: 0
    case 0x80...0xF4: -1
    // Not text.
    default: -1_000
    }
  }
}
