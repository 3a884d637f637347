public import TideCore

/// Multipart bodies (RFC 2046 §5.1), mostly forms with files (RFC 7578).
///
/// The boundary is the declared one, or what the first line says. A part is a group by its name, or by
/// its place; its content is the leaf in it, decoded if it is in base64 or quoted-printable (RFC 2045
/// §6), its file's name is called `filename`, and its other fields by their names.
public struct MultipartDecoder: LayerDecoder {
  /// The name in the configuration and in `doctor`.
  public static let id = "multipart"

  /// Makes a decoder.
  public init() {}

  /// Whether a boundary is declared, or could stand on the first line.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    guard shape.count >= 8 else { return false }
    return context.boundary != nil
      || (shape.first == 0x2D && shape.classes.isSuperset(of: [.hyphen, .line]))
  }

  /// Opens all parts.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    var boundary = Self.sniffed(bytes)
    if let declared = context.boundary, !declared.isEmpty, declared != boundary {
      let parts = MultipartBoundary(declared).parts(of: bytes)
      if !parts.isEmpty { boundary = declared }
    }
    guard let boundary, budget.goOn(bytes.count) else { return nil }
    let parts = MultipartBoundary(boundary).parts(of: bytes)
    guard !parts.isEmpty,
      boundary == context.boundary
        || parts.contains(where: { MultipartPart($0, of: bytes).isPlausible })
    else { return nil }
    var list = NodeList()
    for (place, range) in parts.enumerated() {
      MultipartPart(range, of: bytes).add(place, bytes, &list, &budget)
      if list.isRefused { return nil }
    }
    guard let nodes = list.settled(&budget) else { return nil }
    return Layer(decoder: Self.id, nodes: nodes, isCertain: true)
  }

  /// Writes contents in their transfer encodings, and a part's `Content-Length` if it has one.
  public func close(_ layer: Layer, over bytes: Bytes, replacing values: [Int: Bytes]) -> Bytes? {
    guard let first = layer.nodes.first(where: \.isGroup), first.range.upperBound <= bytes.count,
      let boundary = Self.boundary(before: first.range.lowerBound, in: bytes)
    else { return values.isEmpty ? bytes : nil }
    var splice = Splice()
    for (index, value) in values {
      guard layer.nodes.indices.contains(index) else { return nil }
      let node = layer.nodes[index]
      guard !node.isGroup, !value.isEmpty, node.range.upperBound <= bytes.count,
        let parent = node.parent, layer.nodes.indices.contains(parent),
        let written = Self.written(value, node, bytes)
      else { return nil }
      if node.key == .none {
        guard !boundary.occurs(in: Bytes(written)) else { return nil }
        let part = MultipartPart(layer.nodes[parent].range, of: bytes)
        if let length = part.lengthField, written.count != node.range.count {
          splice.replace(length, with: Array(String(written.count).utf8))
        }
      }
      splice.replace(node.range, with: written)
    }
    return splice.applied(to: bytes)
  }

  private static func written(_ value: Bytes, _ node: LayerNode, _ bytes: Bytes) -> [UInt8]? {
    let original = bytes.slice(node.range)
    switch (node.key, node.content) {
    case (.none, .verbatim): return value.array
    case (.none, .value):
      return node.form == .bytes
        ? Base64Lines.encoded(value, as: original) : QuotedPrintable.encoded(value)
    case (.text, .value): return PercentText.other.encoded(value, as: original)
    case (.text, .verbatim):
      return value.contains { $0 == 0x22 || $0 == 0x5C || $0 < 0x20 } ? nil : value.array
    case (.name, _):
      let isTrimmed = value.withSpan { Pairs.trimmed($0, 0..<$0.count).count == $0.count }
      return isTrimmed && !value.contains { $0 == 0x0A || $0 == 0x0D } ? value.array : nil
    case (.index, _), (.field, _), (_, .group): return nil
    }
  }

  /// What stands after `--` on the first line.
  private static func sniffed(_ bytes: Bytes) -> Bytes? {
    guard bytes.count > 4, bytes[0] == 0x2D, bytes[1] == 0x2D else { return nil }
    let line = bytes.dropping(first: 2).prefix(72).prefix { $0 != 0x0D && $0 != 0x0A }
    // RFC 2046 §5.1.1: at most 70 characters.
    guard line.count <= 70, line.contains(where: { $0 != 0x2D }), line.count + 4 < bytes.count,
      line.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { return nil }
    return Bytes(Array(line))
  }

  /// The boundary on the line before `start`.
  private static func boundary(before start: Int, in bytes: Bytes) -> MultipartBoundary? {
    var end = start
    while end > 0, JSONScanner.isSpace(bytes[end - 1]) { end -= 1 }
    var first = end
    while first > 0, bytes[first - 1] != 0x0A { first -= 1 }
    guard end - first > 2 else { return nil }
    return MultipartBoundary(bytes.slice(first + 2..<end))
  }
}

/// A boundary, and where it stands.
private struct MultipartBoundary {
  private let text: [UInt8]

  init(_ text: Bytes) { self.text = text.array }

  /// Whether a line of `bytes` begins with it.
  func occurs(in bytes: Bytes) -> Bool {
    bytes.withSpan { span in
      (0..<span.count).contains { ($0 == 0 || span[$0 - 1] == 0x0A) && self.stands(span, at: $0) }
    }
  }

  /// The parts with their fields, without the line ends that belong to boundaries.
  func parts(of bytes: Bytes) -> [Range<Int>] {
    var parts: [Range<Int>] = []
    var open: Int?
    bytes.withSpan { span in
      var index = 0
      while index < span.count {
        if self.stands(span, at: index) {
          if let start = open { parts.append(start..<Self.contentEnd(span, start, index)) }
          var next = index + 2 + self.text.count
          if next + 1 < span.count, span[next] == 0x2D, span[next + 1] == 0x2D {
            open = nil
            return
          }
          while next < span.count, span[next] != 0x0A { next += 1 }
          index = min(next + 1, span.count)
          open = index
          continue
        }
        while index < span.count, span[index] != 0x0A { index += 1 }
        index += 1
      }
      // The body was cut.
      if let start = open, start < span.count { parts.append(start..<span.count) }
    }
    return parts
  }

  private static func contentEnd(_ span: Span<UInt8>, _ start: Int, _ line: Int) -> Int {
    var end = line
    if end > start, span[end - 1] == 0x0A { end -= 1 }
    if end > start, span[end - 1] == 0x0D { end -= 1 }
    return end
  }

  private func stands(_ span: Span<UInt8>, at index: Int) -> Bool {
    let end = index + 2 + self.text.count
    guard end <= span.count, span[index] == 0x2D, span[index + 1] == 0x2D else { return false }
    for offset in self.text.indices where span[index + 2 + offset] != self.text[offset] {
      return false
    }
    // Longer text is another boundary, or none.
    guard end < span.count else { return true }
    return JSONScanner.isSpace(span[end]) || span[end] == 0x2D
  }
}
