public import TideCore

/// JSON (RFC 8259), one value or many, as strictly as apps write it and as loosely as their SDKs do.
///
/// Before the value may stand a byte order mark, a guard against script inclusion or a callback's name;
/// after it, garbage. Commas too many, names without quotes and a missing end do no harm. Several
/// values (NDJSON, RFC 7464, or just one after the other) are `$.lines[0]`, `$.lines[1]`, ….
///
/// Strings and numbers are leaves, and so are names that look like values, such as the numbers in
/// `{"contacts": {"+88690…": 3}}`: they are called `{key}`. `true`, `false` and `null` are none.
public struct JSONDecoder: LayerDecoder {
  /// The name in the configuration and in `doctor`.
  public static let id = "json"

  /// Makes a decoder.
  public init() {}

  /// Whether the first byte could begin a value, or a call around one.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    guard shape.count >= 2, shape.classes.contains(.bracket) else { return false }
    switch shape.first {
    case 0x7B, 0x5B, 0x22, 0x20, 0x09, 0x0A, 0x0D, 0xEF, 0x1E: return true
    case 0x29, 0x26, 0x2F: return true
    case 0x41...0x5A, 0x61...0x7A, 0x5F, 0x24:
      return shape.last == 0x29 || shape.last == 0x3B || shape.last == 0x7D || shape.last == 0x5D
        || shape.last == 0x0A
    default: return false
    }
  }

  /// Opens one value or many.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard let start = JSONPrefix.end(in: bytes), budget.goOn(bytes.count) else { return nil }
    if bytes[start] == 0x22 { return self.openString(bytes, at: start, context, &budget) }
    var scanner = JSONScanner(bytes)
    scanner.scan(from: start, &budget)
    guard scanner.isPlausible, let nodes = scanner.list.settled(&budget) else { return nil }
    return Layer(
      decoder: Self.id,
      nodes: nodes,
      keys: .json,
      isCertain: scanner.looseness == 0
    )
  }

  /// Writes strings with the escapes that the original had, and numbers as numbers.
  public func close(_ layer: Layer, over bytes: Bytes, replacing values: [Int: Bytes]) -> Bytes? {
    var splice = Splice()
    for (index, value) in values {
      guard layer.nodes.indices.contains(index), !layer.nodes[index].isGroup else { return nil }
      let node = layer.nodes[index]
      guard node.range.upperBound <= bytes.count,
        let written = Self.written(value, over: node, in: bytes)
      else { return nil }
      splice.replace(node.range, with: written)
    }
    return splice.applied(to: bytes)
  }

  /// A string alone is worth opening if something is escaped in it: JSON within JSON, mostly.
  private func openString(
    _ bytes: Bytes,
    at start: Int,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    var end = bytes.count
    while end > start + 1, JSONScanner.isSpace(bytes[end - 1]) { end -= 1 }
    let range = start + 1..<max(end - 1, start + 1)
    guard range.count > 1, bytes[end - 1] == 0x22 else { return nil }
    var isEscaped = false
    var escapes = 0
    for byte in bytes.slice(range) {
      if isEscaped {
        isEscaped = false
      } else if byte == 0x5C {
        isEscaped = true
        escapes += 1
      } else if byte == 0x22 {
        return nil
      }
    }
    guard !isEscaped, escapes > 0 else { return nil }
    var list = NodeList()
    let text = JSONText.unescaped(bytes.slice(range))
    list.add(parent: nil, key: .none, range: range, decoded: text, &budget)
    guard let nodes = list.settled(&budget) else { return nil }
    return Layer(decoder: Self.id, nodes: nodes, keys: .json, isCertain: true)
  }

  private static func written(_ value: Bytes, over node: LayerNode, in bytes: Bytes) -> [UInt8]? {
    if node.form == .number { return JSONScanner.isNumber(value) ? value.array : nil }
    let range = node.range
    if range.lowerBound > 0 {
      let quote = bytes[range.lowerBound - 1]
      let isQuote = quote == 0x22 || quote == 0x27
      if isQuote, range.upperBound == bytes.count || bytes[range.upperBound] == quote {
        let text = JSONText.escaped(value, as: bytes.slice(range))
        return quote == 0x22 ? text : text.flatMap { $0 == quote ? Array("\\u0027".utf8) : [$0] }
      }
    }
    // Without quotes it must still end where it ends, and be no word of the grammar.
    if value.isEmpty || JSONScanner.isWord(value) || value.contains(0x27) { return nil }
    let isRest = bytes.slice(range).contains(where: JSONScanner.endsToken)
    guard isRest else {
      return value.contains(where: JSONScanner.endsToken) ? nil : value.array
    }
    guard let first = value.first, !JSONScanner.beginsValue(first) else { return nil }
    return value.contains { $0 == 0x0A || $0 == 0x0D } ? nil : value.array
  }
}
