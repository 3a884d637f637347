public import TideCore

/// A URL as a value: `https://host/p/q?a=b#f`, or the rest of one from its path on.
///
/// The host is one leaf, `$.host`; segments are `$.path[0]`, members `$.query.a`; then `$.fragment`, and
/// `$.user`, should there be one.
public struct URLDecoder: LayerDecoder {
  /// The name in the configuration and in `doctor`.
  public static let id = "url"

  /// Makes a decoder.
  public init() {}

  /// Whether there is a `/` or a query, and no white space or control character.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    switch context.place {
    case .path, .query, .cookie: return false
    case .content, .field, .leaf: break
    }
    guard shape.count >= 8, shape.count <= 64 << 10, shape.classes.contains(.slash) else {
      return false
    }
    return shape.classes.isDisjoint(with: [.space, .line, .control])
      && (shape.first == 0x2F || ASCII.lowercased(shape.first) &- 0x61 < 26)
  }

  /// Opens a URL.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard let parts = URLParts(bytes), budget.goOn(bytes.count) else { return nil }
    var list = NodeList()
    self.add(parts.user, named: "user", .segment, bytes, &list, &budget)
    self.add(parts.host, named: "host", nil, bytes, &list, &budget)
    if !parts.path.isEmpty {
      let group = LayerNode(key: .text("path"), range: parts.path, content: .group)
      let path = list.add(group, &budget)
      PathDecoder.add(parts.path, of: bytes, parent: path, &list, &budget)
    }
    if !parts.query.isEmpty {
      let group = LayerNode(key: .text("query"), range: parts.query, content: .group)
      let query = list.add(group, &budget)
      Pairs(text: .form, separator: 0x26)
        .add(parts.query, of: bytes, parent: query, &list, &budget)
    }
    self.add(parts.fragment, named: "fragment", .other, bytes, &list, &budget)
    guard let nodes = list.settled(&budget) else { return nil }
    return Layer(decoder: Self.id, nodes: nodes, keys: .form, isCertain: true)
  }

  /// Escapes what the original would have escaped; a host must stay one.
  public func close(_ layer: Layer, over bytes: Bytes, replacing values: [Int: Bytes]) -> Bytes? {
    for (index, value) in values where Self.isHost(layer, index) {
      guard value.allSatisfy(Self.isHostByte) else { return nil }
    }
    return PercentText.close(layer, over: bytes, replacing: values) { index in
      let node = layer.nodes[index]
      guard let parent = node.parent, layer.nodes.indices.contains(parent) else {
        return node.key == .text("user") ? .segment : .other
      }
      return layer.nodes[parent].key == .text("path") ? .segment : .form
    }
  }

  private func add(
    _ range: Range<Int>,
    named name: String,
    _ text: PercentText?,
    _ bytes: Bytes,
    _ list: inout NodeList,
    _ budget: inout DecodingBudget
  ) {
    if range.isEmpty { return }
    let decoded = text?.decoded(bytes.slice(range))
    list.add(parent: nil, key: .text(name), range: range, decoded: decoded, &budget)
  }

  private static func isHost(_ layer: Layer, _ index: Int) -> Bool {
    layer.nodes.indices.contains(index) && layer.nodes[index].key == .text("host")
  }

  fileprivate static func isHostByte(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 || byte == 0x2D || byte == 0x2E
      || byte == 0x5F
  }
}

/// Where the parts of a URL stand (RFC 3986 §3), without what separates them.
private struct URLParts {
  private(set) var user = 0..<0
  private(set) var host = 0..<0
  private(set) var path = 0..<0
  private(set) var query = 0..<0
  private(set) var fragment = 0..<0

  /// Finds them; nil if there is neither a scheme nor a path with a query.
  init?(_ bytes: Bytes) {
    var index = 0
    let end = bytes.count
    let scheme = Self.scheme(bytes)
    if let start = scheme ?? Self.bareHost(bytes) {
      index = start
      while index < end, !Self.endsAuthority(bytes[index]) { index += 1 }
      self.split(bytes, start..<index)
    }
    let start = index
    while index < end, bytes[index] != 0x3F, bytes[index] != 0x23 { index += 1 }
    self.path = start..<index
    if index < end, bytes[index] == 0x3F {
      let first = index + 1
      while index < end, bytes[index] != 0x23 { index += 1 }
      self.query = first..<index
    }
    if index < end { self.fragment = index + 1..<end }
    if scheme != nil { return }
    // Without a scheme a query must show what this is.
    guard !self.path.isEmpty, bytes[self.path.lowerBound] == 0x2F,
      bytes.slice(self.path).allSatisfy(Self.isPathByte), bytes.slice(self.query).contains(0x3D)
    else { return nil }
  }

  /// The authority's place after `https://` or whatever else the scheme is.
  private static func scheme(_ bytes: Bytes) -> Int? {
    var index = 0
    let limit = min(bytes.count, 32)
    while index < limit, Self.isSchemeByte(bytes[index]) { index += 1 }
    guard index >= 2, index + 3 < bytes.count, bytes[index] == 0x3A, bytes[index + 1] == 0x2F,
      bytes[index + 2] == 0x2F
    else { return nil }
    return index + 3
  }

  /// Where a host begins that no scheme stands before: `//host/` or `host.example/`.
  private static func bareHost(_ bytes: Bytes) -> Int? {
    if bytes.starts(with: [0x2F, 0x2F]) { return 2 }
    let host = bytes.prefix(256).prefix { $0 != 0x2F }
    guard host.contains(0x2E), host.count < bytes.count,
      host.allSatisfy({ URLDecoder.isHostByte($0) || $0 == 0x3A })
    else { return nil }
    return 0
  }

  /// Takes user, host and port apart (RFC 3986 §3.2).
  private mutating func split(_ bytes: Bytes, _ authority: Range<Int>) {
    var start = authority.lowerBound
    if let at = authority.last(where: { bytes[$0] == 0x40 }) {
      self.user = start..<at
      start = at + 1
    }
    var end = start
    while end < authority.upperBound, bytes[end] != 0x3A || bytes[start] == 0x5B { end += 1 }
    self.host = start..<end
  }

  private static func endsAuthority(_ byte: UInt8) -> Bool {
    byte == 0x2F || byte == 0x3F || byte == 0x23
  }

  private static func isSchemeByte(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 || byte == 0x2B || byte == 0x2D
      || byte == 0x2E
  }

  private static func isPathByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x22, 0x3C, 0x3E, 0x5B...0x5E, 0x60, 0x7B...0x7D, 0x26, 0x3D: false
    default: true
    }
  }
}
