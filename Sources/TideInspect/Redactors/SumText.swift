import TideCoding
import TideCore
import TideCrypto

/// A sum that anybody can make, as it is written: 32 bits in decimal or hexadecimal digits, a digest in
/// hexadecimal digits, base64, or its bytes.
struct SumText {
  /// What makes it.
  enum Algorithm: Hashable {
    case check(CheckSum)
    case digest(Digest)

    /// The sum of `bytes`, its highest byte first.
    func sum(_ bytes: Bytes) -> [UInt8] {
      switch self {
      case .check(let check):
        let sum = check.sum(bytes)
        return (0..<4).map { UInt8(truncatingIfNeeded: sum >> UInt32(24 - 8 * $0)) }
      case .digest(let digest): return digest.hash(bytes)
      }
    }
  }

  private enum Form {
    case decimal(isSigned: Bool)
    case hexadecimal(prefix: Bytes, isUpper: Bool, isPadded: Bool)
    case base64(Base64, isPadded: Bool)
    case bytes
  }

  /// The sum itself, its highest byte first.
  let sum: [UInt8]
  private let form: Form

  /// What may have made it, by its length.
  var algorithms: [Algorithm] {
    if self.sum.count == 4 { return CheckSum.allCases.map { .check($0) } }
    return Digest.allCases.filter { $0.byteCount == self.sum.count }.map { .digest($0) }
  }

  /// The longest text of one: SHA-512 in hexadecimal digits, after `0x`.
  static let longest = 130

  /// What a text may stand for: eight digits may be a decimal or a hexadecimal number.
  static func readings(of text: Bytes) -> [SumText] {
    guard (4...self.longest).contains(text.count) else { return [] }
    var readings: [SumText] = []
    if let reading = self.decimal(text) { readings.append(reading) }
    if let reading = self.hexadecimal(text) { readings.append(reading) }
    if let reading = self.base64(text) { readings.append(reading) }
    // As bytes a sum of 32 bits would be any four letters.
    if text.count >= 16, self.isByteCount(text.count) {
      readings.append(SumText(sum: text.array, form: .bytes))
    }
    return readings
  }

  /// Another sum, written like this one.
  func written(_ sum: [UInt8]) -> Bytes {
    switch self.form {
    case .bytes: return Bytes(sum)
    case .decimal(let isSigned):
      let value = sum.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      return Bytes(isSigned ? String(Int32(bitPattern: value)) : String(value))
    case .hexadecimal(let prefix, let isUpper, let isPadded):
      var digits = Array(Hex.encode(sum).utf8)
      if !isPadded { digits = Array(digits.drop { $0 == 0x30 }) }
      if digits.isEmpty { digits = [0x30] }
      if isUpper { digits = digits.map { $0 &- 0x61 < 26 ? $0 - 0x20 : $0 } }
      return Bytes(prefix.array + digits)
    case .base64(let alphabet, let isPadded):
      var digits = Array(alphabet.encode(sum).utf8)
      while digits.last == 0x3D { digits.removeLast() }
      while isPadded, digits.count % 4 != 0 { digits.append(0x3D) }
      return Bytes(digits)
    }
  }

  private static func isByteCount(_ count: Int) -> Bool {
    Digest.allCases.contains { $0.byteCount == count }
  }

  /// Signed too: what a language without unsigned numbers makes of it.
  private static func decimal(_ text: Bytes) -> SumText? {
    guard text.count <= 11, text.first != 0x30, text.first != 0x2B else { return nil }
    let isSigned = text.first == 0x2D
    let value =
      isSigned ? Int32(text.text).map(UInt32.init(bitPattern:)) : UInt32(text.text)
    guard let value else { return nil }
    let sum = (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * $0)) }
    return SumText(sum: sum, form: .decimal(isSigned: isSigned))
  }

  private static func hexadecimal(_ text: Bytes) -> SumText? {
    let hasPrefix = text.count > 2 && text[0] == 0x30 && ASCII.lowercased(text[1]) == 0x78
    let prefix = text.slice(0..<(hasPrefix ? 2 : 0))
    let digits = text.dropping(first: prefix.count)
    // A number of 32 bits may have lost the zeros before it; a digest never does.
    let isNumber = digits.count <= 8
    guard isNumber ? digits.count >= 5 : self.isByteCount(digits.count / 2) else { return nil }
    let padding = [UInt8](repeating: 0x30, count: isNumber ? 8 - digits.count : 0)
    guard let sum = Hex.decode(padding + digits) else { return nil }
    let hasUpper = digits.contains { $0 &- 0x41 < 26 }
    let hasLower = digits.contains { $0 &- 0x61 < 26 }
    guard !hasUpper || !hasLower else { return nil }
    return SumText(
      sum: sum,
      form: .hexadecimal(prefix: prefix, isUpper: hasUpper, isPadded: padding.isEmpty)
    )
  }

  private static func base64(_ text: Bytes) -> SumText? {
    guard text.count >= 22, text.count <= 88 else { return nil }
    for alphabet in [Base64.standard, .url] {
      guard let sum = alphabet.decode(text), self.isByteCount(sum.count) else { continue }
      return SumText(sum: sum, form: .base64(alphabet, isPadded: text.last == 0x3D))
    }
    return nil
  }
}

/// Tells of what run a sum was made, and what the sum of that run is now.
struct SumTable {
  /// Of the whole table; runs after that are not tried.
  private static let mostHashed = 64 << 20
  private static let mostRuns = 1_024

  private let runs: [Alteration]
  private var known: [SumText.Algorithm: [[UInt8]: Int]] = [:]
  private var hashed = 0

  init(_ runs: [Alteration]) { self.runs = Array(runs.prefix(Self.mostRuns)) }

  /// `text` made anew if it is a sum of a run as it was.
  mutating func mended(_ text: Bytes) -> Bytes? {
    for reading in SumText.readings(of: text) {
      for algorithm in reading.algorithms {
        guard let run = self.sums(algorithm)[reading.sum] else { continue }
        return reading.written(algorithm.sum(self.runs[run].after))
      }
    }
    return nil
  }

  private mutating func sums(_ algorithm: SumText.Algorithm) -> [[UInt8]: Int] {
    if let known = self.known[algorithm] { return known }
    var sums: [[UInt8]: Int] = [:]
    for (index, run) in self.runs.enumerated() where self.hashed < Self.mostHashed {
      self.hashed += run.before.count
      let sum = algorithm.sum(run.before)
      if sums[sum] == nil { sums[sum] = index }
    }
    self.known[algorithm] = sums
    return sums
  }
}
