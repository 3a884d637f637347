public import TideCore
internal import TideCrypto

/// Base64 in both alphabets (RFC 4648 §4, §5), padded or not, in lines, after `data:…;base64,`.
///
/// Words and names pass for base64 too, so what comes out must show itself: as text, by magic bytes, or,
/// where it may be anything, by how the digits alternate.
public struct Base64Coding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "base64"

  /// Makes one.
  public init() {}

  /// Whether all bytes are digits, padding or line ends, and there are letters of both cases.
  ///
  /// Blanks may stand where `+` stood before a form was read. Twelve digits of anything have letters of both
  /// cases all but once in 500 times; a word has not.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    guard shape.count >= 8, !shape.classes.isDisjoint(with: [.hexUpper, .otherUpper]),
      !shape.classes.isDisjoint(with: [.hexLower, .otherLower])
    else { return false }
    if shape.classes.isSubset(of: [.base64, .line]) { return true }
    if shape.classes.isSubset(of: [.base64, .line, .space]) {
      return shape.classes.contains(.digit)
    }
    // data:image/png;base64,…
    return shape.first == 0x64 && shape.classes.isSuperset(of: [.bracket, .separator])
  }

  /// What the digits stand for.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard budget.goOn(bytes.count), let (written, value) = Base64Text.read(bytes) else {
      return nil
    }
    guard let isCertain = Self.judge(written, value, bytes, context, &budget),
      budget.spend(bytes: value.count)
    else { return nil }
    return Layer(
      decoder: Self.id,
      names: [written.isURL ? "base64url" : "base64"],
      of: bytes,
      value: value,
      isCertain: isCertain
    )
  }

  /// The digits of the new value in the alphabet, padding and lines of the old one.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    guard let (written, _) = Base64Text.read(bytes) else { return nil }
    return written.write(value, after: bytes)
  }

  /// Whether the value is certain; nil if it is none.
  private static func judge(
    _ written: Base64Text,
    _ value: Bytes,
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Bool? {
    if Plausible.hasMagic(value) { return true }
    if let text = Plausible.text(value) {
      if value.count >= 12, text.isCommon(75) { return true }
      if value.count >= 6, text.isCommon(written.isMarked ? 75 : 90) { return false }
      return nil
    }
    guard !written.hasBlanks else { return nil }
    if Plausible.isWide(value) { return false }
    // Numbers and addresses in binary are of 6 to 10 bytes.
    if written.isMarked { return written.digits >= 10 ? false : nil }
    guard written.digits >= 11 else { return nil }
    if Self.looksRandom(bytes.dropping(first: written.prefix)) { return false }
    // Text in a binary message has mostly capitals in base64, as names in camel case have, but behind heads.
    guard written.digits >= 22, value.contains(where: { $0 < 0x09 }) else { return nil }
    return Plausible.isContainer(value, context, &budget) ? false : nil
  }

  /// Whether digits alternate between letters of both cases and numerals as in base64 of anything.
  ///
  /// In a random text two neighbours in three are of different classes; in a name in camel case one in
  /// five; hexadecimal digits and words have only two classes. Signs are passed over, as they stand
  /// between words too.
  private static func looksRandom(_ digits: Bytes) -> Bool {
    var classes: ByteClasses = []
    var changes = 0
    var last: ByteClasses = []
    let seen = digits.prefix(256)
    for digit in seen {
      let kind: ByteClasses
      switch digit {
      case 0x30...0x39: kind = .digit
      case 0x41...0x5A: kind = .otherUpper
      case 0x61...0x7A: kind = .otherLower
      default: continue
      }
      if kind != last { changes += 1 }
      last = kind
      classes.formUnion(kind)
    }
    // Compressed text may lack numerals; it alternates all the more.
    if !classes.contains(.digit) { return seen.count >= 22 && changes * 2 >= seen.count }
    return classes.isSuperset(of: [.digit, .otherUpper, .otherLower])
      && changes * 20 >= seen.count * 7
  }
}

/// How a text in base64 is written.
struct Base64Text {
  /// Bytes before the first digit: those of `data:…;base64,`.
  var prefix = 0
  /// Digits without padding.
  var digits = 0
  /// Whether `-` and `_` are digits, not `+` and `/`.
  var isURL = false
  /// Whether the last group is filled up with `=`.
  var isPadded = false
  /// Whether blanks stand where `+` should.
  var hasBlanks = false
  /// Characters of the first line; 0 if there are no lines.
  var lineLength = 0
  /// Whether lines end with CR LF.
  var hasReturns = false
  /// Whether there is a line end after the last digit.
  var endsLine = false
  /// Whether padding, lines or the prefix say that this is base64.
  var isMarked = false

  private static let none: UInt8 = 0xFF
  private static let values: [UInt8] = (0...UInt8.max).map { byte in
    switch byte {
    case 0x41...0x5A: byte - 0x41
    case 0x61...0x7A: byte - 0x61 + 26
    case 0x30...0x39: byte - 0x30 + 52
    case 0x2B, 0x2D, 0x20: 62
    case 0x2F, 0x5F: 63
    default: Self.none
    }
  }

  /// Reads a text and what it stands for; nil if it is no base64.
  ///
  /// Unused bits must be 0 where no padding says that the text is whole (RFC 4648 §3.5): every encoder
  /// writes them so, and three of four words fail it.
  static func read(_ bytes: Bytes) -> (Base64Text, Bytes)? {
    var text = Base64Text()
    text.prefix = Self.prefixLength(bytes)
    text.isMarked = text.prefix > 0
    var value: [UInt8] = []
    value.reserveCapacity((bytes.count - text.prefix) / 4 * 3 + 3)
    var pads = 0
    var isStandard = false
    var lineEnds = 0
    var group: UInt32 = 0
    let isWhole = bytes.withSpan { span in
      let table = Self.values.span
      var index = text.prefix
      while index < span.count {
        // Most groups are four letters or numerals, which need no more looking at than this.
        while text.digits & 3 == 0, pads == 0, !text.endsLine, index + 4 <= span.count {
          let (a, b) = (table[Int(span[index])], table[Int(span[index + 1])])
          let (c, d) = (table[Int(span[index + 2])], table[Int(span[index + 3])])
          guard a < 62, b < 62, c < 62, d < 62 else { break }
          value.append(a << 2 | b >> 4)
          value.append(b << 4 | c >> 2)
          value.append(c << 6 | d)
          text.digits += 4
          index += 4
        }
        guard index < span.count else { break }
        let byte = span[index]
        index += 1
        let digit = table[Int(byte)]
        guard digit != Self.none else {
          switch byte {
          case 0x3D where text.digits > 0 && !text.endsLine: pads += 1
          case 0x0D, 0x0A:
            if lineEnds == 0 { text.lineLength = text.digits + pads }
            if byte == 0x0D { text.hasReturns = true }
            lineEnds += 1
            text.endsLine = true
          default: return false
          }
          continue
        }
        guard pads == 0 else { return false }
        switch byte {
        case 0x2B, 0x2F: isStandard = true
        case 0x2D, 0x5F: text.isURL = true
        case 0x20: text.hasBlanks = true
        default: break
        }
        text.endsLine = false
        group = group << 6 | UInt32(digit)
        text.digits += 1
        guard text.digits & 3 == 0 else { continue }
        value.append(UInt8(truncatingIfNeeded: group >> 16))
        value.append(UInt8(truncatingIfNeeded: group >> 8))
        value.append(UInt8(truncatingIfNeeded: group))
        group = 0
      }
      return true
    }
    guard isWhole, !(text.isURL && (isStandard || text.hasBlanks)), text.digits >= 8 else {
      return nil
    }
    guard pads == 0 || pads < 3 && (text.digits + pads) & 3 == 0 else { return nil }
    switch text.digits & 3 {
    case 0: break
    case 2:
      guard pads > 0 || group & 0x0F == 0 else { return nil }
      value.append(UInt8(truncatingIfNeeded: group >> 4))
    case 3:
      guard pads > 0 || group & 0x03 == 0 else { return nil }
      value.append(UInt8(truncatingIfNeeded: group >> 10))
      value.append(UInt8(truncatingIfNeeded: group >> 2))
    default: return nil
    }
    // Neither alphabet shows: the one without padding is the likelier without padding (RFC 4648 §5).
    if pads == 0, text.digits & 3 != 0, !isStandard, !text.hasBlanks, text.prefix == 0 {
      text.isURL = true
    }
    text.isPadded = pads > 0 || text.digits & 3 == 0 && !text.isURL
    text.isMarked = text.isMarked || pads > 0 || lineEnds > 0
    if text.endsLine, text.lineLength >= text.digits { text.lineLength = 76 }
    return (text, Bytes(value))
  }

  /// Writes `value` in this manner; `original` has the prefix.
  func write(_ value: Bytes, after original: Bytes) -> Bytes {
    var digits: [UInt8] = []
    value.withSpan { (self.isURL ? Base64.url : .standard).encode($0, into: &digits) }
    if self.isPadded {
      while digits.count & 3 != 0 { digits.append(0x3D) }
    } else {
      while digits.last == 0x3D { digits.removeLast() }
    }
    if self.hasBlanks { digits = digits.map { $0 == 0x2B ? 0x20 : $0 } }
    var written: [UInt8] = []
    written.reserveCapacity(self.prefix + digits.count + digits.count / 32 + 2)
    written.append(contentsOf: original.slice(0..<self.prefix))
    let length = self.lineLength > 0 ? self.lineLength : Swift.max(digits.count, 1)
    var start = 0
    while start < digits.count {
      let end = Swift.min(start + length, digits.count)
      written += digits[start..<end]
      if end < digits.count || self.endsLine { written += self.hasReturns ? [0x0D, 0x0A] : [0x0A] }
      start = end
    }
    return Bytes(written)
  }

  /// The length of `data:…;base64,` at the start (RFC 2397 §3), or 0.
  private static func prefixLength(_ bytes: Bytes) -> Int {
    guard bytes.starts(with: "data:".utf8),
      let comma = bytes.prefix(128).firstIndex(of: 0x2C),
      ASCII.equalsIgnoringCase(bytes.prefix(comma).suffix(7), ";base64".utf8)
    else { return 0 }
    return comma + 1
  }
}
