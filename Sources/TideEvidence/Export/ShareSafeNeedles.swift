internal import TideCore

/// Byte strings to find in text, each with what it stands for; the case of ASCII letters is ignored.
struct ShareSafeNeedles: Sendable {
  /// One byte string.
  struct Needle: Sendable {
    let bytes: [UInt8]
    /// Which placeholder stands for it.
    let placeholder: Int32
    /// How much around a match belongs to it.
    let reach: Reach
  }

  /// What around a match goes with it.
  enum Reach: Sendable {
    /// Nothing.
    case match
    /// Letters and digits: it is a part of a hexadecimal text.
    case word
    /// The same, and the other digits of base64.
    case base64
  }

  /// From this length on a needle is found anywhere; a shorter one only as a whole word, or half of all
  /// texts would be replaced.
  static let shortest = 5
  static let longest = 4_096
  private static let keyLength = 5

  private var needles: [Needle] = []
  /// Needles by their first bytes.
  private var long: [UInt64: [Int32]] = [:]
  /// Needles of two to four bytes, whole.
  private var short: [ShortKey: Int32] = [:]
  /// One bit for what may be a key of `long`: most positions of a text are none.
  private var sieve = [UInt64](repeating: 0, count: 1 << 12)
  /// The last digits of numbers, which are found with separators between them: as a number, its length.
  private var digits: [DigitsKey: Digits] = [:]
  private(set) var digitLengths: [Int] = []

  private struct ShortKey: Hashable {
    let length: Int
    let bytes: UInt64
  }

  private struct DigitsKey: Hashable {
    let length: Int
    let number: UInt64
  }

  struct Digits: Sendable {
    let placeholder: Int32
    /// Whether digits before the match belong to it: a prefix of a telephone number.
    let takesPrefix: Bool
  }

  var isEmpty: Bool { self.needles.isEmpty && self.short.isEmpty && self.digits.isEmpty }
  var count: Int { self.needles.count + self.short.count }

  mutating func insert(_ bytes: some Collection<UInt8>, _ placeholder: Int32, reach: Reach = .match)
  {
    let bytes = bytes.map(ASCII.lowercased)
    guard bytes.count >= 2, bytes.count <= Self.longest else { return }
    guard bytes.count >= Self.shortest else {
      let key = ShortKey(length: bytes.count, bytes: Self.key(bytes))
      if self.short[key] == nil { self.short[key] = placeholder }
      return
    }
    let key = Self.key(bytes.prefix(Self.keyLength))
    if let known = self.long[key], known.contains(where: { self.needles[Int($0)].bytes == bytes }) {
      return
    }
    self.long[key, default: []].append(Int32(self.needles.count))
    self.needles.append(Needle(bytes: bytes, placeholder: placeholder, reach: reach))
    let bit = Self.bit(key)
    self.sieve[bit >> 6] |= 1 << UInt64(bit & 63)
  }

  mutating func insert(digits text: some Collection<UInt8>, _ value: Digits) {
    let digits = Array(text.suffix(18))
    guard digits.count >= 8 else { return }
    let key = DigitsKey(length: digits.count, number: Self.number(digits[...]))
    guard self.digits[key] == nil else { return }
    self.digits[key] = value
    if !self.digitLengths.contains(digits.count) { self.digitLengths.append(digits.count) }
  }

  /// The value whose digits the last of `digits` are; the longest one.
  func match(_ digits: ArraySlice<UInt8>) -> (length: Int, Digits)? {
    var found: (Int, Digits)?
    for length in self.digitLengths where length <= digits.count && length > found?.0 ?? 0 {
      let key = DigitsKey(length: length, number: Self.number(digits.suffix(length)))
      if let value = self.digits[key] { found = (length, value) }
    }
    return found
  }

  /// Calls `body` with each place of a text in lower case where a needle lies, the longest one there, until
  /// the text ends; what it returns is where to go on.
  func forEachMatch(
    in text: [UInt8],
    _ body: (_ position: Int, _ length: Int, Needle) -> Int
  ) {
    let span = text.span
    let hasShort = !self.short.isEmpty
    var position = 0
    while position + 2 <= span.count {
      var found: (length: Int, needle: Needle)?
      if position + Self.keyLength <= span.count {
        var key: UInt64 = 0
        for offset in 0..<Self.keyLength { key = key << 8 | UInt64(span[position + offset]) }
        let bit = Self.bit(key)
        if self.sieve[bit >> 6] >> UInt64(bit & 63) & 1 == 1 {
          found = self.long(at: position, key, in: span)
        }
      }
      if found == nil, hasShort { found = self.short(at: position, in: span) }
      guard let found else {
        position += 1
        continue
      }
      position = max(position + 1, body(position, found.length, found.needle))
    }
  }

  private func long(
    at position: Int,
    _ key: UInt64,
    in span: borrowing Span<UInt8>
  ) -> (length: Int, needle: Needle)? {
    var found: (length: Int, needle: Needle)?
    for index in self.long[key] ?? [] {
      let needle = self.needles[Int(index)]
      let length = needle.bytes.count
      guard position + length <= span.count, length > found?.length ?? 0 else { continue }
      let isSame = needle.bytes.indices.allSatisfy { needle.bytes[$0] == span[position + $0] }
      if isSame { found = (length, needle) }
    }
    return found
  }

  /// A short needle that is a whole word here.
  private func short(
    at position: Int,
    in span: borrowing Span<UInt8>
  ) -> (length: Int, needle: Needle)? {
    guard position == 0 || !Self.isWord(span[position - 1]) else { return nil }
    var found: (length: Int, needle: Needle)?
    var key = UInt64(span[position])
    for length in 2..<Self.shortest where position + length <= span.count {
      key = key << 8 | UInt64(span[position + length - 1])
      guard position + length == span.count || !Self.isWord(span[position + length]) else {
        continue
      }
      guard let placeholder = self.short[ShortKey(length: length, bytes: key)] else { continue }
      found = (length, Needle(bytes: [], placeholder: placeholder, reach: .match))
    }
    return found
  }

  /// Whether a byte goes on with a word: a letter, a digit, or part of a scalar beyond ASCII.
  private static func isWord(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 || byte >= 0x80
  }

  private static func key(_ bytes: some Collection<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }

  private static func bit(_ key: UInt64) -> Int {
    Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 46)
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> UInt64 {
    digits.reduce(0) { $0 &* 10 &+ UInt64($1 & 15) }
  }
}
