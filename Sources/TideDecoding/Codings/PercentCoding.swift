public import TideCore

/// Percent-encoding (RFC 3986 §2.1) of a whole value: a second layer inside a form, a URL in a field.
///
/// Twice encoded is this coding twice.
public struct PercentCoding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "percent"

  /// Makes one.
  public init() {}

  /// Whether there is a `%`.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    shape.count >= 3 && shape.classes.contains(.percent) && !shape.classes.contains(.control)
  }

  /// The value with each `%XX` taken for its byte.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard budget.goOn(bytes.count), let style = Percent.Style(of: bytes) else { return nil }
    let value = Bytes(Percent.decoded(bytes, plusIsSpace: style.plusIsSpace))
    guard style.isWhole || !Self.isOfFields(bytes, value, context),
      budget.spend(bytes: value.count)
    else { return nil }
    return Layer(
      decoder: Self.id,
      names: [Self.id],
      of: bytes,
      value: value,
      isCertain: style.isWhole
    )
  }

  /// Whether some fields of a text are escaped, each by itself: read as one, what is escaped in a field
  /// would be taken for what separates fields.
  private static func isOfFields(_ bytes: Bytes, _ value: Bytes, _ context: LayerContext) -> Bool {
    switch context.place {
    case .path, .query, .cookie: return false
    case .content, .field, .leaf: break
    }
    // What encodeURI leaves of a document has commas too (ECMA-262 §19.2.6).
    if let first = value.first, [0x7B, 0x5B, 0x3C, 0x22].contains(first) { return false }
    return bytes.withSpan { DelimitedScanner.separator(of: $0) } != 0
  }

  /// The new value, with those bytes escaped that were, in the same case.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    guard let style = Percent.Style(of: bytes) else { return nil }
    return Bytes(style.encode(value, like: bytes))
  }
}

extension Percent {
  /// How a percent-encoded value is written.
  struct Style {
    /// Whether `+` stands for a space: where there are no `%20` and no spaces as they are.
    let plusIsSpace: Bool
    /// Whether nothing but unreserved characters stands there unescaped (RFC 3986 §2.3).
    let isWhole: Bool
    /// Whether digits of escapes are in lower case.
    private let isLower: Bool
    /// Whether even a letter or a numeral was escaped, so that all are.
    private let escapesAll: Bool
    /// The bytes that stand there unescaped.
    private let plain: [Bool]

    /// Looks at what is written; nil if nothing is escaped.
    init?(of bytes: Bytes) {
      var plain = [Bool](repeating: false, count: 256)
      var escapes = 0
      var hasLower = false
      var hasUpper = false
      var escapesAll = false
      var hasEscapedSpace = false
      var isWhole = true
      bytes.withSpan { span in
        var index = 0
        while index < span.count {
          let byte = span[index]
          guard byte == 0x25, index + 2 < span.count, let high = ASCII.hexValue(span[index + 1]),
            let low = ASCII.hexValue(span[index + 2])
          else {
            plain[Int(byte)] = true
            if !Percent.isUnreserved(byte), byte != 0x2B { isWhole = false }
            index += 1
            continue
          }
          let value = high << 4 | low
          escapes += 1
          if span[index + 1] >= 0x61 || span[index + 2] >= 0x61 { hasLower = true }
          if 0x41...0x46 ~= span[index + 1] || 0x41...0x46 ~= span[index + 2] { hasUpper = true }
          if Percent.isAlphanumeric(value) { escapesAll = true }
          if value == 0x20 { hasEscapedSpace = true }
          index += 3
        }
      }
      guard escapes > 0 else { return nil }
      self.plusIsSpace = plain[0x2B] && !hasEscapedSpace && !plain[0x20]
      self.isWhole = isWhole
      self.isLower = hasLower && !hasUpper
      self.escapesAll = escapesAll
      self.plain = plain
    }

    /// Writes `value` as `original` is written: place by place if it is as long, else by kind of byte.
    ///
    /// At least one byte is escaped, so that the result opens again.
    func encode(_ value: Bytes, like original: Bytes) -> [UInt8] {
      let places = self.escapedPlaces(of: original)
      let fits = places.count == value.count
      let digits = Array((self.isLower ? "0123456789abcdef" : "0123456789ABCDEF").utf8)
      var written: [UInt8] = []
      written.reserveCapacity(original.count)
      var escapes = 0
      for (index, byte) in value.enumerated() {
        let isLast = index == value.count - 1
        let isEscaped =
          fits ? places[index] || !self.mayStand(byte) : self.escapesAll || !self.mayStand(byte)
        if self.plusIsSpace, byte == 0x20 {
          written.append(0x2B)
        } else if isEscaped || isLast && escapes == 0 {
          written += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
          escapes += 1
        } else {
          written.append(byte)
        }
      }
      return written
    }

    /// Whether `byte` may stand unescaped.
    private func mayStand(_ byte: UInt8) -> Bool {
      switch byte {
      case 0x25: false
      case 0x2B where self.plusIsSpace: false
      default: Percent.isUnreserved(byte) || self.plain[Int(byte)]
      }
    }

    /// For each byte of the value, whether it is escaped.
    private func escapedPlaces(of bytes: Bytes) -> [Bool] {
      var places: [Bool] = []
      places.reserveCapacity(bytes.count)
      bytes.withSpan { span in
        var index = 0
        while index < span.count {
          let isEscape =
            span[index] == 0x25 && index + 2 < span.count
            && ASCII.hexValue(span[index + 1]) != nil && ASCII.hexValue(span[index + 2]) != nil
          places.append(isEscape)
          index += isEscape ? 3 : 1
        }
      }
      return places
    }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
  }

  /// RFC 3986 §2.3.
  private static func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x2D, 0x2E, 0x5F, 0x7E: true
    default: self.isAlphanumeric(byte)
    }
  }
}
