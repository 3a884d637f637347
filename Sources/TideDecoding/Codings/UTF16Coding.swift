public import TideCore

/// UTF-16 in either byte order (RFC 2781), with a byte order mark or without.
///
/// Without one, every unit must be one that phones write: ASCII, Latin, Greek, Cyrillic, kana, Han, Hangul,
/// full-width forms. The value is UTF-8.
public struct UTF16Coding: LayerDecoder {
  /// The name in the configuration; in findings it is `utf16le` or `utf16be`.
  public static let id = "utf16"

  /// It goes by what a value looks like.
  public let reopening = Reopening.ifPlausible

  /// Makes one.
  public init() {}

  /// Whether the count is even and the bytes are no ASCII text, unless digits brought them here.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    guard shape.count >= 6, shape.count & 1 == 0 else { return false }
    // Han in UTF-16 may consist of letters and signs only, so that a text in hexadecimal is asked.
    return !shape.classes.isDisjoint(with: [.control, .high])
      || context.around.last == HexCoding.id
  }

  /// The text in UTF-8.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard budget.goOn(bytes.count), let form = Form(of: bytes),
      let value = form.decode(bytes), budget.spend(bytes: value.count)
    else { return nil }
    return Layer(
      decoder: Self.id,
      names: [form.isBig ? "utf16be" : "utf16le"],
      of: bytes,
      value: Bytes(value),
      isCertain: form.isCertain,
      detail: (form.isBig ? 1 : 0) | (form.hasMark ? 2 : 0)
    )
  }

  /// The new text in the same byte order; nil if it is no UTF-8.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    let isBig = layer.detail & 1 != 0
    var written: [UInt8] = []
    written.reserveCapacity(value.count * 2 + 2)
    func append(_ unit: UInt16) {
      let (high, low) = (UInt8(unit >> 8), UInt8(unit & 0xFF))
      written.append(isBig ? high : low)
      written.append(isBig ? low : high)
    }
    if layer.detail & 2 != 0 { append(0xFEFF) }
    var index = 0
    while index < value.count {
      let count = UTF8.length(value, at: index)
      guard count > 0, let scalar = UTF8.scalar(value, at: index, count) else { return nil }
      for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter { append(unit) }
      index += count
    }
    return Bytes(written)
  }

  /// How a text is written.
  private struct Form {
    let isBig: Bool
    let hasMark: Bool
    let isCertain: Bool

    /// Looks at a text; nil if it is none.
    init?(of bytes: Bytes) {
      switch (bytes[0], bytes[1]) {
      case (0xFE, 0xFF):
        (self.isBig, self.hasMark, self.isCertain) = (true, true, true)
        return
      case (0xFF, 0xFE):
        (self.isBig, self.hasMark, self.isCertain) = (false, true, true)
        return
      default: break
      }
      let big = Units(bytes, isBig: true)
      let little = Units(bytes, isBig: false)
      let isBig: Bool
      switch (big.isText, little.isText) {
      case (false, false): return nil
      case (true, false): isBig = true
      case (false, true): isBig = false
      // Both for short Han text; what SIM cards and short messages have is big-endian.
      case (true, true): isBig = big.ascii >= little.ascii
      }
      let units = isBig ? big : little
      if units.ascii == 0 {
        // Han and Hangul are half of all units: short noise would often be both.
        guard units.count >= (units.hasHangul ? 8 : 4) else { return nil }
        // As 8-bit characters this may be a text too: in one most would be letters and digits.
        let letters = bytes.reduce(0) { $0 + (Self.isLetter($1) ? 1 : 0) }
        if letters * 10 >= bytes.count * 7, Plausible.text(bytes) != nil { return nil }
      }
      self.isBig = isBig
      self.hasMark = false
      self.isCertain = units.ascii >= 4 || units.count >= 12
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
      byte == 0x20 || byte >= 0x80 || ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
    }

    func decode(_ bytes: Bytes) -> [UInt8]? {
      var text: [UInt8] = []
      text.reserveCapacity(bytes.count / 2 * 3)
      var index = self.hasMark ? 2 : 0
      while index < bytes.count {
        let unit = UInt32(Units.unit(bytes, index, isBig: self.isBig))
        index += 2
        var value = unit
        if unit & 0xFC00 == 0xD800 {
          guard index < bytes.count else { return nil }
          let low = UInt32(Units.unit(bytes, index, isBig: self.isBig))
          guard low & 0xFC00 == 0xDC00 else { return nil }
          value = 0x10000 + ((unit & 0x3FF) << 10 | (low & 0x3FF))
          index += 2
        }
        guard let scalar = Unicode.Scalar(value), let encoded = UTF8.encode(scalar) else {
          return nil
        }
        text += encoded
      }
      return text
    }
  }

  /// What the first units in one byte order are.
  private struct Units {
    var count = 0
    var ascii = 0
    var hasHangul = false
    var isText = true

    init(_ bytes: Bytes, isBig: Bool) {
      for index in stride(from: 0, to: min(bytes.count, Plausible.glance) - 1, by: 2) {
        self.count += 1
        switch Self.unit(bytes, index, isBig: isBig) {
        case 0x09, 0x0A, 0x0D, 0x20...0x7E: self.ascii += 1
        case 0xA0...0x52F, 0x1E00...0x1EFF, 0x2010...0x2027, 0x20AC, 0x3000...0x30FF: continue
        case 0xAC00...0xD7A3: self.hasHangul = true
        // Han, emoji, full-width forms.
        case 0x4E00...0x9FFF, 0xD83C...0xD83E, 0xDC00...0xDFFF, 0xFE0F: continue
        case 0xFF01...0xFF5E: continue
        default:
          self.isText = false
          return
        }
      }
      self.isText = self.count >= 3
    }

    static func unit(_ bytes: Bytes, _ index: Int, isBig: Bool) -> UInt16 {
      isBig
        ? UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1])
        : UInt16(bytes[index + 1]) << 8 | UInt16(bytes[index])
    }
  }
}
