import TideCore

/// Character references of XML and the few names that HTML pages use in text.
enum Entities {
  /// The longest reference that is read, from `&` to `;`.
  private static let longest = 12

  /// The text that `bytes` stand for; references that nobody knows stay as they are.
  ///
  /// No declaration is followed: an entity that a document type defines is not expanded (XML 1.0 §4.4).
  static func decoded(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    let source = Array(bytes)
    var text: [UInt8] = []
    text.reserveCapacity(source.count)
    var index = 0
    while index < source.count {
      if source[index] == 0x26, let (scalar, next) = Self.reference(source, at: index) {
        text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        index = next
      } else {
        text.append(source[index])
        index += 1
      }
    }
    return text
  }

  /// `value` as character data or an attribute writes it, in the manner of `original`.
  ///
  /// `quote` is what an attribute stands in; nil in character data. Characters that the original wrote
  /// as numbers are written so again, and other than ASCII if it wrote such as numbers.
  static func encoded(_ value: Bytes, as original: Bytes, quote: UInt8? = nil) -> [UInt8] {
    let style = EntityStyle(of: original)
    var text: [UInt8] = []
    text.reserveCapacity(value.count + 8)
    var index = 0
    while index < value.count {
      let byte = value[index]
      if byte >= 0x80 {
        let count = UTF8.length(value, at: index)
        if style.numbersHigh, count > 0, let scalar = UTF8.scalar(value, at: index, count) {
          style.append(scalar.value, &text)
        } else {
          for offset in 0..<max(count, 1) { text.append(value[index + offset]) }
        }
        index += max(count, 1)
        continue
      }
      style.append(byte, quote, &text)
      index += 1
    }
    return text
  }

  /// The character that the reference at `index` stands for, and where it ends.
  static func reference(
    _ source: [UInt8],
    at index: Int
  ) -> (Unicode.Scalar, Int)? {
    let limit = min(source.count, index + Self.longest)
    guard let end = source[index..<limit].firstIndex(of: 0x3B) else { return nil }
    let name = source[(index + 1)..<end]
    guard let first = name.first else { return nil }
    if first == 0x23 { return Self.number(name.dropFirst()).map { ($0, end + 1) } }
    return Self.named(name).map { ($0, end + 1) }
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Unicode.Scalar? {
    guard let first = digits.first else { return nil }
    let isHex = first | 0x20 == 0x78
    let rest = isHex ? digits.dropFirst() : digits
    if rest.isEmpty { return nil }
    var value: UInt32 = 0
    for byte in rest {
      guard let digit = ASCII.hexValue(byte), isHex || digit < 10 else { return nil }
      value = value * (isHex ? 16 : 10) + UInt32(digit)
      if value > 0x10FFFF { return nil }
    }
    return Unicode.Scalar(value)
  }

  private static func named(_ name: ArraySlice<UInt8>) -> Unicode.Scalar? {
    for (known, scalar) in Self.names where known.elementsEqual(name) { return scalar }
    return nil
  }

  private static let names: [([UInt8], Unicode.Scalar)] = [
    (Array("amp".utf8), "&"), (Array("lt".utf8), "<"), (Array("gt".utf8), ">"),
    (Array("quot".utf8), "\""), (Array("apos".utf8), "'"), (Array("nbsp".utf8), "\u{A0}"),
    (Array("plus".utf8), "+"), (Array("colon".utf8), ":"), (Array("commat".utf8), "@"),
    (Array("equals".utf8), "="), (Array("sol".utf8), "/"), (Array("period".utf8), "."),
    (Array("comma".utf8), ","), (Array("lpar".utf8), "("), (Array("rpar".utf8), ")"),
    (Array("lowbar".utf8), "_"), (Array("hyphen".utf8), "\u{2010}"),
  ]
}

/// Which characters a text writes as numbers, and in which notation.
private struct EntityStyle {
  private(set) var numbersHigh = false
  private var isHex = false
  private var isUpper = false
  private var prefix: UInt8 = 0x78
  /// ASCII characters written as references, with the reference of each.
  private var seen: [UInt8: ArraySlice<UInt8>] = [:]
  private var kin: Set<UInt8> = []
  /// Whether it has a `>` as it is, which XML allows.
  private let hasGreater: Bool

  init(of original: Bytes) {
    self.hasGreater = original.contains(0x3E)
    guard original.contains(0x26) else { return }
    let source = original.array
    var index = 0
    while index < source.count {
      guard source[index] == 0x26, let (scalar, next) = Entities.reference(source, at: index) else {
        index += 1
        continue
      }
      let written = source[index..<next]
      if source[index + 1] == 0x23 { self.learn(number: written, scalar) }
      if scalar.isASCII { self.seen[UInt8(scalar.value)] = written }
      index = next
    }
  }

  private mutating func learn(number written: ArraySlice<UInt8>, _ scalar: Unicode.Scalar) {
    let mark = written[written.startIndex + 2]
    self.isHex = mark | 0x20 == 0x78
    if self.isHex {
      self.prefix = mark
      if written.dropFirst(3).contains(where: { $0 &- 0x41 < 6 }) { self.isUpper = true }
    }
    if scalar.isASCII {
      self.kin.formUnion(ByteKin.of(UInt8(scalar.value)))
    } else {
      self.numbersHigh = true
    }
  }

  func append(_ byte: UInt8, _ quote: UInt8?, _ text: inout [UInt8]) {
    if let written = self.seen[byte] {
      text += written
      return
    }
    if self.kin.contains(byte) { return self.append(UInt32(byte), &text) }
    switch byte {
    case 0x26: text += Array("&amp;".utf8)
    case 0x3C: text += Array("&lt;".utf8)
    case 0x3E where !self.hasGreater: text += Array("&gt;".utf8)
    case 0x22 where quote == byte: text += Array("&quot;".utf8)
    // `&apos;` is unknown to HTML 4.
    case 0x27 where quote == byte: text += Array("&#39;".utf8)
    // A reader would turn a raw one into a line feed (XML 1.0 §2.11) or a space (§3.3.3).
    case 0x0D: self.append(UInt32(byte), &text)
    case 0x09, 0x0A: quote == nil ? text.append(byte) : self.append(UInt32(byte), &text)
    default: text.append(byte)
    }
  }

  func append(_ scalar: UInt32, _ text: inout [UInt8]) {
    text += [0x26, 0x23]
    if self.isHex { text.append(self.prefix) }
    text += String(scalar, radix: self.isHex ? 16 : 10, uppercase: self.isUpper).utf8
    text.append(0x3B)
  }
}
