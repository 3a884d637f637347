public import TideCore

/// `a=b&c=d`: a form (WHATWG URL §5), as a body or as a value within something else.
///
/// Bytes that are declared a form are read as one whatever they look like otherwise; others only where
/// each name looks like one. Without a `&`, `;` separates members. Escapes and `+` are undone, but for
/// the `+` of a telephone number that its sender forgot to escape.
public struct FormDecoder: LayerDecoder {
  /// The name in the configuration and in `doctor`.
  public static let id = "form"

  /// Makes a decoder.
  public init() {}

  /// Whether there is a `=`, and it is not the beginning of other structured text.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    guard context.place != .query, context.place != .path, context.place != .cookie,
      shape.count >= 3, shape.classes.contains(.equals)
    else { return false }
    if Self.isDeclared(context) { return shape.first != 0x7B && shape.first != 0x3C }
    if shape.classes.contains(.control) { return false }
    return switch shape.first {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x24, 0x25, 0x26, 0x2D, 0x2E, 0x80...: true
    default: false
    }
  }

  /// Opens a form.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    let isDeclared = Self.isDeclared(context)
    let shape = bytes.withSpan { Self.separator(of: $0, isDeclared: isDeclared) }
    guard let (separator, isCertain) = shape, budget.goOn(bytes.count) else { return nil }
    var list = NodeList()
    Pairs(text: .form, separator: separator)
      .add(0..<bytes.count, of: bytes, parent: nil, &list, &budget)
    guard let nodes = list.settled(&budget) else { return nil }
    return Layer(decoder: Self.id, nodes: nodes, keys: .form, isCertain: isCertain)
  }

  /// Escapes what the original would have escaped.
  public func close(_ layer: Layer, over bytes: Bytes, replacing values: [Int: Bytes]) -> Bytes? {
    PercentText.close(layer, over: bytes, replacing: values) { _ in .form }
  }

  private static func isDeclared(_ context: LayerContext) -> Bool {
    context.place == .content && context.mediaType == "application/x-www-form-urlencoded"
  }

  /// What separates members, and whether nothing else looks so; nil if this is no form.
  private static func separator(of span: Span<UInt8>, isDeclared: Bool) -> (UInt8, Bool)? {
    var end = span.count
    while end > 0, JSONScanner.isSpace(span[end - 1]) { end -= 1 }
    guard Self.beginsWithName(span) || isDeclared else { return nil }
    var ampersands = 0
    var semicolons = 0
    var spaces = 0
    for index in 0..<end {
      switch span[index] {
      case 0x26: ampersands += 1
      case 0x3B: semicolons += 1
      case 0x20: spaces += 1
      case ..<0x20 where !isDeclared: return nil
      default: break
      }
    }
    if isDeclared { return (0x26, true) }
    let separator: UInt8 = ampersands == 0 && semicolons > 0 ? 0x3B : 0x26
    guard let (pairs, bare, filled) = Self.members(span, end, separator), filled > 0 else {
      return nil
    }
    if pairs == 1, bare == 0 { return spaces == 0 ? (separator, false) : nil }
    if separator == 0x3B { return bare == 0 ? (separator, false) : nil }
    return bare * 4 <= pairs ? (separator, spaces == 0 && bare == 0) : nil
  }

  /// How many members there are with a name, without, and with a value; nil if a name looks like none.
  private static func members(
    _ span: Span<UInt8>,
    _ end: Int,
    _ separator: UInt8
  ) -> (pairs: Int, bare: Int, filled: Int)? {
    var (pairs, bare, filled) = (0, 0, 0)
    var start = 0
    while start < end {
      var index = start
      var equals: Int?
      while index < end, span[index] != separator {
        if span[index] == 0x3D, equals == nil { equals = index }
        index += 1
      }
      let member = Pairs.trimmed(span, start..<index)
      if let equals, equals >= member.lowerBound {
        guard Pairs.isName(span, member.lowerBound..<equals) else { return nil }
        pairs += 1
        // A `=` and nothing, or only another, is the end of base64.
        if equals + 1 < member.upperBound, span[equals + 1] != 0x3D { filled += 1 }
      } else if !member.isEmpty {
        bare += 1
      }
      start = index + 1
    }
    return (pairs, bare, filled)
  }

  /// Whether a name and a `=` stand near the beginning: a glance that most text fails.
  private static func beginsWithName(_ span: Span<UInt8>) -> Bool {
    var index = 0
    let limit = min(span.count, 65)
    if index < limit, span[index] == 0x26 { index += 1 }
    let start = index
    while index < limit, span[index] != 0x3D, span[index] != 0x26 { index += 1 }
    return index < limit && Pairs.isName(span, start..<index)
  }
}
