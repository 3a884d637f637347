import TideCore

/// Reads `a=b` members between separators.
struct Pairs {
  /// How values are written.
  let text: PercentText
  /// What stands between members.
  let separator: UInt8

  /// Whether a name could stand in a form that does not say it is one.
  static func isName(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    guard !range.isEmpty, range.count <= 64 else { return false }
    for index in range where !Self.isNameByte(span[index]) { return false }
    return true
  }

  /// Whether `byte` stands in such names.
  static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x80...: true
    // `-` `_` `.` `~` `[` `]` `%` `$` `:` `+` `*` `!` `@`
    case 0x2D, 0x5F, 0x2E, 0x7E, 0x5B, 0x5D, 0x25, 0x24, 0x3A, 0x2B, 0x2A, 0x21, 0x40: true
    default: false
    }
  }

  /// Adds the members within `range` to `list`, under `parent`.
  func add(
    _ range: Range<Int>,
    of bytes: Bytes,
    parent: Int?,
    _ list: inout NodeList,
    _ budget: inout DecodingBudget
  ) {
    var start = range.lowerBound
    var place = 0
    bytes.withSpan { span in
      while start <= range.upperBound, !list.isRefused {
        var end = start
        var equals: Int?
        while end < range.upperBound, span[end] != self.separator {
          if span[end] == 0x3D, equals == nil { equals = end }
          end += 1
        }
        let member = Self.trimmed(span, start..<end)
        if !member.isEmpty {
          self.add(member, equals, span, bytes, place, parent, &list, &budget)
          place += 1
        }
        start = end + 1
      }
    }
  }

  private func add(
    _ member: Range<Int>,
    _ equals: Int?,
    _ span: Span<UInt8>,
    _ bytes: Bytes,
    _ place: Int,
    _ parent: Int?,
    _ list: inout NodeList,
    _ budget: inout DecodingBudget
  ) {
    guard let equals, !Self.isPadded(span, member, equals) else {
      let text = self.text.decoded(bytes.slice(member))
      list.add(parent: parent, key: .index(place), range: member, decoded: text, &budget)
      return
    }
    let name = member.lowerBound..<equals
    if ValueLike.isValue(span, name) {
      let text = self.text.decoded(bytes.slice(name))
      list.add(parent: parent, key: .text("{key}"), range: name, decoded: text, &budget)
    }
    var value = equals + 1..<member.upperBound
    if self.text == .cookie, value.count >= 2, span[value.lowerBound] == 0x22,
      span[value.upperBound - 1] == 0x22
    {
      value = value.lowerBound + 1..<value.upperBound - 1
    }
    if value.isEmpty { return }
    let text = self.text.decoded(bytes.slice(value))
    list.add(parent: parent, key: .name(name), range: value, decoded: text, &budget)
  }

  /// Whether what looks like a name without a value is base64 with its padding.
  fileprivate static func isPadded(_ span: Span<UInt8>, _ member: Range<Int>, _ equals: Int) -> Bool
  {
    guard equals - member.lowerBound >= 16, member.count % 4 == 0 else { return false }
    let rest = member.upperBound - equals
    return rest == 1 || (rest == 2 && span[equals + 1] == 0x3D)
  }

  /// `range` without the white space around it.
  static func trimmed(_ span: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end, JSONScanner.isSpace(span[start]) { start += 1 }
    while end > start, JSONScanner.isSpace(span[end - 1]) { end -= 1 }
    return start..<end
  }
}

extension PercentText {
  /// Writes each of `values` at its leaf's place; nil if one cannot stand there.
  ///
  /// `text` tells how the leaf at an index is written; nil if it cannot be replaced.
  static func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes],
    text: (Int) -> PercentText?
  ) -> Bytes? {
    var splice = Splice()
    for (index, value) in values {
      guard layer.nodes.indices.contains(index), !layer.nodes[index].isGroup else { return nil }
      let range = layer.nodes[index].range
      guard range.upperBound <= bytes.count, let text = text(index),
        var written = text.encoded(value, as: bytes.slice(range)),
        // Without bytes there is no leaf.
        !written.isEmpty
      else { return nil }
      if Self.wouldSplit(written, layer.nodes[index].key, text) {
        if text == .cookie { return nil }
        written = written.flatMap { Pairs.isNameByte($0) ? [$0] : Self.escape($0) }
      }
      if layer.nodes[index].key == .text("{key}"), Self.isPadded(written, before: range, bytes) {
        return nil
      }
      splice.replace(range, with: written)
    }
    return splice.applied(to: bytes)
  }

  /// Whether what is no value would be taken apart, or for something else.
  private static func wouldSplit(_ written: [UInt8], _ key: LayerKey, _ text: PercentText) -> Bool {
    guard text == .form || text == .cookie else { return false }
    switch key {
    case .text: return key == .text("{key}") && !written.allSatisfy(Pairs.isNameByte)
    case .index:
      guard let equals = written.firstIndex(of: 0x3D) else { return false }
      return !Pairs.isPadded(written.span, 0..<written.count, equals)
    case .none, .name, .field: return false
    }
  }

  /// Whether a name would be taken for base64 together with the `=` after it, which ends the member.
  private static func isPadded(_ name: [UInt8], before end: Range<Int>, _ bytes: Bytes) -> Bool {
    let rest = bytes.dropping(first: end.upperBound).prefix { $0 != 0x26 && $0 != 0x3B }
    let mark = rest.prefix { $0 == 0x3D }
    guard !mark.isEmpty, rest.dropFirst(mark.count).allSatisfy(JSONScanner.isSpace) else {
      return false
    }
    let member = name + mark
    return Pairs.isPadded(member.span, 0..<member.count, name.count)
  }

  private static func escape(_ byte: UInt8) -> [UInt8] {
    [0x25, HexDigit.of(byte >> 4, isUpper: true), HexDigit.of(byte & 15, isUpper: true)]
  }
}
