internal import TideCore

/// Writes a changed text over one with character references so that all that did not change stays as it is
/// written, also where the text has become longer or shorter.
enum EntityDifference {
  /// The most characters between the first change and the last that are compared; the cost is their square.
  private static let most = 1 << 10

  /// `bytes` with the characters that are others in `value`; nil if too many are, or one is no character.
  static func patched(_ bytes: Bytes, with value: Bytes) -> Bytes? {
    let old = self.units(bytes)
    guard let text = String(validating: value, as: UTF8.self) else { return nil }
    let new = Array(text.unicodeScalars)
    let head = zip(old, new).prefix { $0.scalar == $1 }.count
    let room = min(old.count, new.count) - head
    let tail = zip(old.reversed(), new.reversed()).prefix(room)
      .prefix { $0.scalar == $1 }.count
    // Of a text that is another altogether nothing is to be kept.
    guard head + tail >= 4 else { return nil }
    let middle = (old: old[head..<old.count - tail], new: new[head..<new.count - tail])
    guard middle.old.count <= self.most, middle.new.count <= self.most else { return nil }
    let difference = Array(middle.new).difference(from: middle.old.map(\.scalar))
    var removed = Set<Int>()
    var inserted = Set<Int>()
    for change in difference {
      switch change {
      case .remove(let offset, _, _): removed.insert(offset)
      case .insert(let offset, _, _): inserted.insert(offset)
      }
    }
    var written = bytes.slice(0..<(middle.old.first?.range.lowerBound ?? self.end(old, head)))
      .array
    var place = middle.old.startIndex
    for (offset, scalar) in middle.new.enumerated() {
      if inserted.contains(offset) {
        // In the manner of what it replaces, or else of what stands before it.
        let isReplacing = removed.contains(place - middle.old.startIndex)
        let model = isReplacing ? place : max(place - 1, 0)
        written += self.written(scalar, like: old.indices.contains(model) ? old[model] : nil, bytes)
        continue
      }
      while removed.contains(place - middle.old.startIndex) { place += 1 }
      guard place < middle.old.endIndex else { return nil }
      written.append(contentsOf: bytes.slice(middle.old[place].range))
      place += 1
    }
    written.append(contentsOf: bytes.dropping(first: self.end(old, old.count - tail)))
    let result = Bytes(written)
    let isRight = result.contains(0x26) && Entities.decoded(result).elementsEqual(value)
    return isRight ? result : nil
  }

  private static func written(_ scalar: Unicode.Scalar, like unit: Unit?, _ bytes: Bytes) -> [UInt8]
  {
    let isReference = unit.map { bytes[$0.range.lowerBound] == 0x26 } == true
    let isSign = [0x26, 0x3C, 0x3E].contains(scalar.value)
    return Array((isReference || isSign ? "&#\(scalar.value);" : String(scalar)).utf8)
  }

  /// A character and where it is written.
  private struct Unit {
    let scalar: Unicode.Scalar
    let range: Range<Int>
  }

  /// Where the first `count` units end.
  private static func end(_ units: [Unit], _ count: Int) -> Int {
    count > 0 ? units[count - 1].range.upperBound : 0
  }

  private static func units(_ bytes: Bytes) -> [Unit] {
    let source = bytes.array
    var units: [Unit] = []
    var index = 0
    while index < source.count {
      if source[index] == 0x26, let (scalar, next) = Entities.reference(source, at: index) {
        units.append(Unit(scalar: scalar, range: index..<next))
        index = next
        continue
      }
      let count = max(UTF8.length(bytes, at: index), 1)
      let scalar = UTF8.scalar(bytes, at: index, count) ?? "\u{FFFD}"
      units.append(Unit(scalar: scalar, range: index..<index + count))
      index += count
    }
    return units
  }
}
