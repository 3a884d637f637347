import TideCore

/// How much the bytes of a message look like one.
struct ProtobufMerit {
  /// How many bits of its structure chance would have had to hit, about.
  var bits = 0
  /// How many fields it has, without those of the messages inside.
  var fields = 0
  /// Whether every tag is a single byte: field numbers up to 15.
  var hasShortTags = true
  /// Whether field numbers never go down, as every encoder writes them.
  var isAscending = true

  /// Whether the content of a field of a message is taken for one itself.
  var isMessage: Bool { self.hasShortTags && self.isAscending || self.bits >= 8 }
}

/// Reads the fields of a message and of those inside it.
struct ProtobufReader {
  /// The deepest message; as deep as the format's own libraries go, about.
  private static let deepest = 64

  /// The fields, in order of place.
  private(set) var nodes: [LayerNode] = []
  /// Whether there were more fields than allowed.
  private(set) var isFull = false
  private let mostNodes: Int

  /// Begins to read a message of so many bytes; more than `mostNodes` fields are refused.
  init(mostNodes: Int, within count: Int) {
    self.mostNodes = mostNodes
    // Growing by doubling would move all nodes of a long one again and again.
    if count >= 16 << 10 { self.nodes.reserveCapacity(min(count / 16, mostNodes)) }
  }

  /// Reads `range` as a message; nil, with no node left behind, if it is none.
  mutating func message(
    _ span: Span<UInt8>,
    _ range: Range<Int>,
    parent: Int?,
    depth: Int,
    _ budget: inout DecodingBudget
  ) -> ProtobufMerit? {
    let before = self.nodes.count
    var position = range.lowerBound
    var merit = ProtobufMerit()
    let isWhole = self.fields(
      span,
      &position,
      range.upperBound,
      within: (parent, depth, nil),
      &merit,
      &budget
    )
    guard isWhole, merit.fields > 0 else {
      self.nodes.removeLast(self.nodes.count - before)
      return nil
    }
    return merit
  }

  /// Reads fields until `end`, or until the end tag of the group numbered `within.group`.
  private mutating func fields(
    _ span: Span<UInt8>,
    _ position: inout Int,
    _ end: Int,
    within: (parent: Int?, depth: Int, group: UInt64?),
    _ merit: inout ProtobufMerit,
    _ budget: inout DecodingBudget
  ) -> Bool {
    guard within.depth < Self.deepest, budget.goOn(end - position) else { return false }
    var last: UInt64 = 0
    while position < end {
      guard self.nodes.count < self.mostNodes else {
        self.isFull = true
        return false
      }
      let start = position
      guard let tag = Varint.read(span, &position, end), Self.isNumber(tag >> 3),
        position - start == Varint.count(of: tag)
      else { return false }
      let number = tag >> 3
      if tag & 7 == 4 { return number == within.group }
      merit.fields += 1
      merit.hasShortTags = merit.hasShortTags && position - start == 1
      merit.isAscending = merit.isAscending && number >= last
      merit.bits += number < 16 ? 2 : number < 128 ? 1 : number < 2_048 ? 0 : -2
      last = number
      let field = Field(number: Int(number), parent: within.parent, depth: within.depth)
      let isRead =
        switch tag & 7 {
        case 0: self.varint(span, &position, end, field, &merit)
        case 1: self.fixed(span, &position, end, field, count: 8, &merit)
        case 2: self.delimited(span, &position, end, field, &merit, &budget)
        case 3: self.group(span, &position, end, field, &merit, &budget)
        case 5: self.fixed(span, &position, end, field, count: 4, &merit)
        default: false
        }
      guard isRead else { return false }
    }
    return within.group == nil
  }

  /// A field's place among others.
  private struct Field {
    let number: Int
    let parent: Int?
    let depth: Int
  }

  /// Field numbers go up to 2^29 - 1, and 19000 to 19999 are the implementation's own.
  private static func isNumber(_ number: UInt64) -> Bool {
    (1..<1 << 29).contains(number) && !(19_000...19_999).contains(number)
  }

  private mutating func varint(
    _ span: Span<UInt8>,
    _ position: inout Int,
    _ end: Int,
    _ field: Field,
    _ merit: inout ProtobufMerit
  ) -> Bool {
    let start = position
    guard let value = Varint.read(span, &position, end) else { return false }
    // Any bytes are varints, but few end one long varint just where the message ends.
    if position == end { merit.bits += position - start }
    self.add(field, start..<position, .value(Bytes(String(value))), .varint)
    return true
  }

  private mutating func fixed(
    _ span: Span<UInt8>,
    _ position: inout Int,
    _ end: Int,
    _ field: Field,
    count: Int,
    _ merit: inout ProtobufMerit
  ) -> Bool {
    guard end - position >= count else { return false }
    let number = Fixed(span, position..<position + count)
    if number.isReal { merit.bits += 3 }
    self.add(field, position..<position + count, .value(number.text), number.form)
    position += count
    return true
  }

  private mutating func group(
    _ span: Span<UInt8>,
    _ position: inout Int,
    _ end: Int,
    _ field: Field,
    _ merit: inout ProtobufMerit,
    _ budget: inout DecodingBudget
  ) -> Bool {
    let index = self.nodes.count
    let start = position
    self.add(field, start..<start, .group, .text)
    var inner = ProtobufMerit()
    let within = (parent: Optional(index), depth: field.depth + 1, group: UInt64(field.number))
    guard self.fields(span, &position, end, within: within, &inner, &budget) else { return false }
    // The end tag is as long as the start tag: the same number.
    let content = start..<position - Varint.count(of: UInt64(field.number) << 3)
    self.nodes[index] = LayerNode(
      parent: field.parent,
      key: .field(field.number),
      range: content,
      content: .group
    )
    merit.bits += inner.bits + 5
    return true
  }

  private mutating func delimited(
    _ span: Span<UInt8>,
    _ position: inout Int,
    _ end: Int,
    _ field: Field,
    _ merit: inout ProtobufMerit,
    _ budget: inout DecodingBudget
  ) -> Bool {
    guard let length = Varint.read(span, &position, end), length <= UInt64(end - position) else {
      return false
    }
    let range = position..<position + Int(length)
    // The shorter the rest, the less likely that chance stays within it.
    merit.bits += max(0, 8 - (Int.bitWidth - (end - position).leadingZeroBitCount))
    position = range.upperBound
    let look = TextLook(span, range)
    let mayBeMessage = Self.isPrintableMessage(span, range) || Self.isShortMessage(span, range)
    if range.isEmpty || look.isText && !mayBeMessage {
      merit.bits += min(range.count, 64)
      self.add(field, range, .verbatim, .text)
      return true
    }
    let index = self.nodes.count
    self.add(field, range, .group, .text)
    if let inner = self.message(span, range, parent: index, depth: field.depth + 1, &budget),
      look.isText ? inner.bits >= 8 : inner.isMessage
    {
      merit.bits += max(inner.bits, 0)
      return true
    }
    if self.isFull || budget.isExceeded { return false }
    self.nodes.removeLast(self.nodes.count - index - 1)
    if !look.isMostlyText, self.packed(span, range, group: index) { return true }
    self.nodes.removeLast(self.nodes.count - index)
    if look.isMostlyText { merit.bits += min(range.count, 64) - look.controls }
    self.add(field, range, .verbatim, look.isMostlyText ? .text : .bytes)
    return true
  }

  /// Whether text may be a message nevertheless: one that begins with a string of 32 bytes or more is
  /// printable throughout, but for a line feed at its very beginning.
  static func isPrintableMessage(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    range.count > 32 && span[range.lowerBound] == 0x0A && span[range.lowerBound + 1] >= 0x20
  }

  /// Whether text inside a message may be one that holds a string of 9, 10 or 13 bytes and nothing else:
  /// those counts are white space.
  private static func isShortMessage(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    guard range.count > 10, span[range.lowerBound] == 0x0A else { return false }
    let count = span[range.lowerBound + 1]
    return [0x09, 0x0A, 0x0D].contains(count) && range.count == 2 + Int(count)
  }

  /// Reads `range` as packed numbers: two or more that are all plausible.
  private mutating func packed(_ span: Span<UInt8>, _ range: Range<Int>, group: Int) -> Bool {
    guard range.count >= 8, range.count <= 64 << 10 else { return false }
    if self.packedVarints(span, range, group: group) { return true }
    self.nodes.removeLast(self.nodes.count - group - 1)
    for count in [8, 4] where range.count % count == 0 && range.count / count >= 2 {
      let isPlausible = stride(from: range.lowerBound, to: range.upperBound, by: count).allSatisfy {
        Fixed(span, $0..<$0 + count).isMeasure
      }
      guard isPlausible, self.nodes.count + range.count / count <= self.mostNodes else { continue }
      for (place, start) in stride(from: range.lowerBound, to: range.upperBound, by: count)
        .enumerated()
      {
        let number = Fixed(span, start..<start + count)
        self.nodes.append(
          LayerNode(
            parent: group,
            key: .index(place),
            range: start..<start + count,
            content: .value(number.text),
            form: number.form
          )
        )
      }
      return true
    }
    return false
  }

  /// Varints of at least four bytes each: those of fewer hold nobody's identifier, and chance makes
  /// them out of any bytes.
  private mutating func packedVarints(
    _ span: Span<UInt8>,
    _ range: Range<Int>,
    group: Int
  ) -> Bool {
    var position = range.lowerBound
    var place = 0
    while position < range.upperBound {
      let start = position
      guard let value = Varint.read(span, &position, range.upperBound), position - start >= 4,
        self.nodes.count < self.mostNodes
      else { return false }
      self.nodes.append(
        LayerNode(
          parent: group,
          key: .index(place),
          range: start..<position,
          content: .value(Bytes(String(value))),
          form: .varint
        )
      )
      place += 1
    }
    return place >= 2
  }

  private mutating func add(
    _ field: Field,
    _ range: Range<Int>,
    _ content: LayerNode.Content,
    _ form: LayerNode.Form
  ) {
    self.nodes.append(
      LayerNode(
        parent: field.parent,
        key: .field(field.number),
        range: range,
        content: content,
        form: form
      )
    )
  }
}

extension ProtobufReader {
  /// Reads a plausible float again as an integer if its neighbour is what a position in 1e-7 degrees is.
  ///
  /// A latitude so written is an impossible float; the longitude beside it, if it is of 90 to 180
  /// degrees, is a possible one.
  mutating func settleIntegers(_ span: Span<UInt8>) {
    guard self.nodes.count > 1 else { return }
    for index in 1..<self.nodes.count {
      let (one, other) = (self.nodes[index - 1], self.nodes[index])
      guard one.parent == other.parent else { continue }
      switch (one.form, other.form) {
      case (.fixed32, .float32) where Self.isLatitude(span, one.range):
        self.nodes[index] = Self.integer(span, other)
      case (.float32, .fixed32) where Self.isLatitude(span, other.range):
        self.nodes[index - 1] = Self.integer(span, one)
      default: continue
      }
    }
  }

  private static func isLatitude(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let bits = UInt32(truncatingIfNeeded: BinaryNumber.littleEndian(span, range))
    return (10_000_000...900_000_000).contains(Int32(bitPattern: bits).magnitude)
  }

  private static func integer(_ span: Span<UInt8>, _ node: LayerNode) -> LayerNode {
    LayerNode(
      parent: node.parent,
      key: node.key,
      range: node.range,
      content: .value(Bytes(String(BinaryNumber.littleEndian(span, node.range)))),
      form: .fixed32
    )
  }
}

/// A number of four or eight bytes: a float if it is a plausible one, else an unsigned integer.
private struct Fixed {
  private let bits: UInt64
  let form: LayerNode.Form
  /// Whether it is a plausible element of packed numbers: of 32 bits, chance makes one float in three
  /// plausible, and eight bytes are more often an identifier.
  let isMeasure: Bool

  init(_ span: Span<UInt8>, _ range: Range<Int>) {
    self.bits = BinaryNumber.littleEndian(span, range)
    if range.count == 8 {
      self.isMeasure = BinaryNumber.isPlausible(Double(bitPattern: self.bits))
      self.form = self.isMeasure ? .float64 : .fixed64
    } else {
      let real = Float(bitPattern: UInt32(truncatingIfNeeded: self.bits))
      self.isMeasure = (1e-3...1e6).contains(real.magnitude)
      self.form = BinaryNumber.isPlausible(Double(real)) ? .float32 : .fixed32
    }
  }

  var isReal: Bool { self.form == .float32 || self.form == .float64 }

  /// The number in decimal digits.
  var text: Bytes {
    switch self.form {
    case .float64: Bytes(Double(bitPattern: self.bits).description)
    case .float32: Bytes(Float(bitPattern: UInt32(truncatingIfNeeded: self.bits)).description)
    case .text, .number, .varint, .fixed32, .fixed64, .bytes: Bytes(String(self.bits))
    }
  }
}
