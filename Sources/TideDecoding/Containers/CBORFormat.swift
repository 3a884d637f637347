import TideCore

/// CBOR's data items (RFC 8949 §3).
enum CBORFormat: ItemFormat {
  /// The most tags around one item.
  private static let mostTags = 8

  static func isBreak(_ byte: UInt8) -> Bool { byte == 0xFF }

  static func item(_ span: Span<UInt8>, _ position: inout Int) -> Item? {
    var next = position
    for _ in 0...Self.mostTags {
      let start = next
      guard let head = Head(span, &next) else { return nil }
      if head.major == 6 {
        guard head.argument != nil else { return nil }
        continue
      }
      guard let content = Self.content(head, span, &next) else { return nil }
      position = next
      return Item(start: start, content: content)
    }
    return nil
  }

  /// A major type with its argument.
  private struct Head {
    let major: UInt8
    /// The low five bits.
    let info: UInt8
    /// Nil for no stated length, and for a break.
    let argument: UInt64?

    init?(_ span: Span<UInt8>, _ next: inout Int) {
      guard next < span.count else { return nil }
      self.major = span[next] >> 5
      self.info = span[next] & 0x1F
      next += 1
      switch self.info {
      case 0..<24: self.argument = UInt64(self.info)
      case 24...27:
        let width = 1 << Int(self.info - 24)
        guard span.count - next >= width else { return nil }
        self.argument = BinaryNumber.bigEndian(span, next..<next + width)
        next += width
      case 31: self.argument = nil
      default: return nil
      }
    }
  }

  private static func content(
    _ head: Head,
    _ span: Span<UInt8>,
    _ next: inout Int
  ) -> Item.Content? {
    switch head.major {
    case 0: head.argument.map { .integer(Bytes(String($0))) }
    case 1: head.argument.map { .integer(Bytes(String(-1 - Int128($0)))) }
    case 2, 3: Self.string(head, span, &next)
    case 4: .array(head.argument.map { Int(clamping: $0) })
    case 5: .map(head.argument.map { Int(clamping: $0) })
    default: Self.simple(head)
    }
  }

  private static func string(
    _ head: Head,
    _ span: Span<UInt8>,
    _ next: inout Int
  ) -> Item.Content? {
    let isText = head.major == 3
    if let count = head.argument {
      guard count <= UInt64(span.count - next) else { return nil }
      let range = next..<next + Int(count)
      next = range.upperBound
      return .string(range, isText: isText)
    }
    let start = next
    var whole: [UInt8] = []
    while next < span.count {
      if Self.isBreak(span[next]) {
        next += 1
        return .chunks(start..<next - 1, Bytes(whole), isText: isText)
      }
      // Chunks are of the same type and have a length (§3.2.3).
      guard let chunk = Head(span, &next), chunk.major == head.major, let count = chunk.argument,
        count <= UInt64(span.count - next)
      else { return nil }
      for index in next..<next + Int(count) { whole.append(span[index]) }
      next += Int(count)
    }
    return nil
  }

  private static func simple(_ head: Head) -> Item.Content? {
    guard let argument = head.argument else { return nil }
    switch head.info {
    case 25:
      let real = Float(Float16(bitPattern: UInt16(truncatingIfNeeded: argument)))
      return .single(Bytes(real.description))
    case 26:
      return .single(Bytes(Float(bitPattern: UInt32(truncatingIfNeeded: argument)).description))
    case 27: return .double(Bytes(Double(bitPattern: argument).description))
    // §3.3: values below 32 are not written in two bytes.
    case 24: return argument < 32 ? nil : .nothing
    default: return .nothing
    }
  }
}

extension CBORFormat {
  static func written(_ value: Bytes, _ form: LayerNode.Form, like item: Bytes) -> [UInt8]? {
    guard let first = item.first else { return nil }
    let width = Self.width(first & 0x1F)
    switch form {
    case .text, .bytes:
      let major: UInt8 = form == .text ? 3 : 2
      guard first & 0x1F != 31 else {
        // Still of no stated length, now in one chunk.
        return [first] + Self.head(major, UInt64(value.count), atLeast: 0) + value.array + [0xFF]
      }
      return Self.head(major, UInt64(value.count), atLeast: width) + value.array
    case .number:
      guard let integer = BinaryNumber.integer(value, as: Int128.self) else { return nil }
      let argument = UInt64(exactly: integer < 0 ? -1 - integer : integer)
      return argument.map { Self.head(integer < 0 ? 1 : 0, $0, atLeast: width) }
    case .float32, .float64: return BinaryNumber.real(value).map { Self.real($0, atLeast: width) }
    case .varint, .fixed32, .fixed64: return nil
    }
  }

  /// How many bytes an argument takes.
  private static func width(_ info: UInt8) -> Int {
    (24...27).contains(info) ? 1 << Int(info - 24) : 0
  }

  private static func head(_ major: UInt8, _ argument: UInt64, atLeast width: Int) -> [UInt8] {
    let needed =
      argument < 24
      ? 0 : argument < 1 << 8 ? 1 : argument < 1 << 16 ? 2 : argument < 1 << 32 ? 4 : 8
    let width = max(needed, width)
    guard width > 0 else { return [major << 5 | UInt8(argument)] }
    let info = 24 + UInt8(width.trailingZeroBitCount)
    return [major << 5 | info] + BinaryNumber.bigEndian(argument, count: width)
  }

  private static func real(_ real: Double, atLeast width: Int) -> [UInt8] {
    if width == 2, Double(Float16(real)) == real {
      return [0xF9] + BinaryNumber.bigEndian(UInt64(Float16(real).bitPattern), count: 2)
    }
    if width < 8, let single = Float.holding(real) {
      return [0xFA] + BinaryNumber.bigEndian(UInt64(single.bitPattern), count: 4)
    }
    return [0xFB] + BinaryNumber.bigEndian(real.bitPattern, count: 8)
  }
}
