public import TideCore

/// Lines of fields: logs, CSV, `name=value` after `name=value`, `Bearer` and its token.
///
/// The last resort for text that nothing else opens, for the sake of what may be inside a field, and of
/// names. Text of which no field could hold another layer, and none has a telling name, is left alone:
/// ordinary prose. Fields are `$[2]` or `$.imei`, of several lines `$.lines[0].imei`; a first line of
/// names names the fields below it.
public struct DelimitedDecoder: LayerDecoder {
  /// The name in the configuration and in `doctor`.
  public static let id = "delimited"

  /// It goes by what a value looks like.
  public let reopening = Reopening.uncertain

  /// Makes a decoder.
  public init() {}

  /// Whether this is text with something between its words.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    guard shape.count >= 10 else { return false }
    switch context.place {
    case .path, .query, .cookie: return false
    case .content, .field, .leaf: break
    }
    return !shape.classes.isDisjoint(with: Self.marks)
      && !shape.classes.isDisjoint(with: [.digit, .hexLower, .otherLower])
  }

  /// The classes of what stands between fields, or between a name and its value.
  private static let marks: ByteClasses = [
    .space, .line, .separator, .equals, .bracket, .punctuation, .control,
  ]

  /// Opens text in which at least one field is worth it.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard budget.goOn(bytes.count),
      let separator = bytes.withSpan({ Self.separator(of: $0) }),
      separator != 0 || !bytes.withSpan({ Self.areWords($0) })
    else { return nil }
    var scanner = DelimitedScanner(separator: separator)
    let isRead = bytes.withSpan { scanner.read($0, onlyWorthwhile: true, &budget) }
    guard isRead, !scanner.tokens.isEmpty else { return nil }
    let names = bytes.withSpan { Self.header(scanner.tokens, $0) }
    guard names != nil || scanner.tokens.contains(where: \.isWorthwhile) else { return nil }
    // A single field that is all there is would come back for ever.
    if scanner.tokens.count == 1, scanner.tokens[0].range.count + 2 >= bytes.count { return nil }
    guard let nodes = self.nodes(scanner.tokens, names ?? [:], bytes, &budget) else { return nil }
    return Layer(decoder: Self.id, nodes: nodes, isCertain: false, detail: Int(separator))
  }

  /// Whether these are words alone.
  ///
  /// No name, no quote, no bracket, no escape, and nothing so long that a layer could be in it. Most text is,
  /// and is not cut into fields.
  private static func areWords(_ span: Span<UInt8>) -> Bool {
    var run = 0
    for index in 0..<span.count {
      switch span[index] {
      case 0x20, 0x09, 0x0A, 0x0D, 0x2C, 0x3B, 0x7C, 0x28, 0x29, 0x3C, 0x3E: run = 0
      // The B of Basic and Bearer among them.
      case 0x22, 0x25, 0x3A, 0x3D, 0x42, 0x5B, 0x7B: return false
      default:
        run += 1
        if run >= DelimitedToken.shortestLayer { return false }
      }
    }
    return true
  }

  /// What separates the fields, or 0; nil of what is no text: but for separators it has no control characters.
  private static func separator(of span: Span<UInt8>) -> UInt8? {
    var hasControl = false
    for index in 0..<min(span.count, Plausible.glance) where span[index] < 0x20 {
      switch span[index] {
      case 0x09, 0x0A, 0x0D: continue
      default:
        guard DelimitedScanner.isControlSeparator(span[index]) else { return nil }
        hasControl = true
      }
    }
    let separator = DelimitedScanner.separator(of: span)
    return hasControl && !DelimitedScanner.isControlSeparator(separator) ? nil : separator
  }

  /// Quotes fields that were quoted, or must be; nil where the result would be cut elsewhere.
  public func close(_ layer: Layer, over bytes: Bytes, replacing values: [Int: Bytes]) -> Bytes? {
    guard let separator = UInt8(exactly: layer.detail) else { return nil }
    var splice = Splice()
    var expected: [(at: Int, value: Bytes)] = []
    var shift = 0
    for (index, value) in values.sorted(by: { $0.key < $1.key }) {
      guard layer.nodes.indices.contains(index), !layer.nodes[index].isGroup else { return nil }
      let range = layer.nodes[index].range
      guard range.upperBound <= bytes.count, !value.isEmpty else { return nil }
      let isQuoted =
        range.lowerBound > 0 && range.upperBound < bytes.count
        && bytes[range.lowerBound - 1] == 0x22 && bytes[range.upperBound] == 0x22
      var written = isQuoted ? value.flatMap { $0 == 0x22 ? [$0, $0] : [$0] } : value.array
      let isPlain = bytes[range.lowerBound] != 0x7B && bytes[range.lowerBound] != 0x5B
      var start = range.lowerBound + shift
      if !isQuoted, isPlain, separator != 0,
        value.contains(separator) || value.contains(0x22) || value.first == 0x20
          || value.last == 0x20
      {
        written = [0x22] + value.flatMap { $0 == 0x22 ? [$0, $0] : [$0] } + [0x22]
        start += 1
      }
      expected.append((start, value))
      shift += written.count - range.count
      splice.replace(range, with: written)
    }
    guard let closed = splice.applied(to: bytes) else { return nil }
    return Self.has(expected, in: closed, separator) ? closed : nil
  }

  /// Whether each value is a field again, where it should be.
  private static func has(
    _ expected: [(at: Int, value: Bytes)],
    in bytes: Bytes,
    _ separator: UInt8
  ) -> Bool {
    guard bytes.withSpan({ DelimitedScanner.separator(of: $0) }) == separator else { return false }
    var budget = DecodingBudget(bytes: .max, nodes: .max, depth: 1, ratio: 1)
    var scanner = DelimitedScanner(separator: separator)
    _ = bytes.withSpan { scanner.read($0, onlyWorthwhile: false, &budget) }
    let found = Dictionary(
      scanner.tokens.map { ($0.range.lowerBound, $0) },
      uniquingKeysWith: { first, _ in first }
    )
    return expected.allSatisfy { expected in
      guard let token = found[expected.at] else { return false }
      let written = bytes.slice(token.range)
      return (token.hasQuotes ? Bytes(Self.unquoted(written)) : written) == expected.value
    }
  }

  /// The names of columns, if the first line is nothing else and the second has as many fields.
  private static func header(
    _ tokens: [DelimitedToken],
    _ span: Span<UInt8>
  ) -> [Int: Range<Int>]? {
    let first = tokens.prefix { $0.line == tokens[0].line }
    let second = tokens.dropFirst(first.count)
    guard first.count > 1, let line = second.first?.line,
      second.prefix(while: { $0.line == line }).last?.place == first.last?.place,
      first.allSatisfy({ $0.name == nil && Self.isColumn(span, $0.range) })
    else { return nil }
    return Dictionary(first.map { ($0.place, $0.range) }, uniquingKeysWith: { first, _ in first })
  }

  private static func isColumn(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    guard range.count <= 32, ASCII.lowercased(span[range.lowerBound]) &- 0x61 < 26 else {
      return false
    }
    var digits = 0
    for index in range {
      if ASCII.isDigit(span[index]) { digits += 1 }
      let byte = ASCII.lowercased(span[index])
      guard byte &- 0x61 < 26 || ASCII.isDigit(byte) || byte == 0x5F || byte == 0x20 else {
        return false
      }
    }
    return digits <= 2
  }

  private func nodes(
    _ tokens: [DelimitedToken],
    _ names: [Int: Range<Int>],
    _ bytes: Bytes,
    _ budget: inout DecodingBudget
  ) -> [LayerNode]? {
    var list = NodeList()
    let hasLines = bytes.dropLast().contains(0x0A)
    var group: Int?
    if hasLines {
      let all = LayerNode(key: .text("lines"), range: 0..<bytes.count, content: .group)
      list.add(all, &budget)
    }
    var start = tokens.startIndex
    while start < tokens.endIndex, !list.isRefused {
      let line = tokens[start].line
      var end = start
      while end < tokens.endIndex, tokens[end].line == line { end += 1 }
      let fields = tokens[start..<end]
      let isHeader = start == 0 && !names.isEmpty
      start = end
      if isHeader || (names.isEmpty && !fields.contains(where: \.isWorthwhile)) { continue }
      if hasLines, let first = fields.first, let last = fields.last {
        let range = first.range.lowerBound..<last.range.upperBound
        let node = LayerNode(parent: 0, key: .index(line), range: range, content: .group)
        group = list.add(node, &budget)
      }
      for field in fields {
        let name = field.name ?? names[field.place]
        let written = bytes.slice(field.range)
        list.add(
          parent: group,
          key: name.map { .name($0) } ?? .index(field.place),
          range: field.range,
          decoded: field.hasQuotes ? Self.unquoted(written) : nil,
          &budget
        )
      }
    }
    return list.settled(&budget)
  }

  /// `written` with doubled quotes made single (RFC 4180 §2).
  private static func unquoted(_ written: Bytes) -> [UInt8] {
    var value: [UInt8] = []
    var index = 0
    while index < written.count {
      value.append(written[index])
      index += written[index] == 0x22 ? 2 : 1
    }
    return value
  }
}
