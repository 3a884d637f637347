import TideCore

/// MessagePack's items (msgpack.org, specification).
enum MessagePackFormat: ItemFormat {
  static func isBreak(_ byte: UInt8) -> Bool { false }

  static func item(_ span: Span<UInt8>, _ position: inout Int) -> Item? {
    guard position < span.count else { return nil }
    let start = position
    let head = span[start]
    var next = start + 1
    guard let content = Self.content(head, span, &next) else { return nil }
    position = next
    return Item(start: start, content: content)
  }

  private static func content(
    _ head: UInt8,
    _ span: Span<UInt8>,
    _ next: inout Int
  ) -> Item.Content? {
    switch head {
    case 0x00...0x7F: .integer(Bytes(String(head)))
    case 0x80...0x8F: .map(Int(head & 0x0F))
    case 0x90...0x9F: .array(Int(head & 0x0F))
    case 0xA0...0xBF: Self.string(span, &next, UInt64(head & 0x1F), isText: true)
    case 0xC0, 0xC2, 0xC3: .nothing
    case 0xC4...0xC6: Self.string(span, &next, width: 1 << Int(head - 0xC4), isText: false)
    case 0xC7...0xC9: Self.extension(span, &next, width: 1 << Int(head - 0xC7))
    case 0xCA:
      Self.number(span, &next, 4).map {
        .single(Bytes(Float(bitPattern: UInt32(truncatingIfNeeded: $0)).description))
      }
    case 0xCB:
      Self.number(span, &next, 8).map { .double(Bytes(Double(bitPattern: $0).description)) }
    case 0xCC...0xCF:
      Self.number(span, &next, 1 << Int(head - 0xCC)).map { .integer(Bytes(String($0))) }
    case 0xD0...0xD3:
      Self.signed(span, &next, 1 << Int(head - 0xD0)).map { .integer(Bytes(String($0))) }
    // The type of an extension is the byte before its content.
    case 0xD4...0xD8:
      Self.number(span, &next, 1).flatMap { _ in
        Self.string(span, &next, 1 << UInt64(head - 0xD4), isText: false)
      }
    case 0xD9...0xDB: Self.string(span, &next, width: 1 << Int(head - 0xD9), isText: true)
    case 0xDC, 0xDD:
      Self.number(span, &next, head == 0xDC ? 2 : 4).map { .array(Int(clamping: $0)) }
    case 0xDE, 0xDF:
      Self.number(span, &next, head == 0xDE ? 2 : 4).map { .map(Int(clamping: $0)) }
    case 0xE0...0xFF: .integer(Bytes(String(Int8(bitPattern: head))))
    default: nil
    }
  }

  private static func number(_ span: Span<UInt8>, _ next: inout Int, _ width: Int) -> UInt64? {
    guard span.count - next >= width else { return nil }
    next += width
    return BinaryNumber.bigEndian(span, next - width..<next)
  }

  private static func signed(_ span: Span<UInt8>, _ next: inout Int, _ width: Int) -> Int64? {
    Self.number(span, &next, width).map {
      let unused = Int64(64 - 8 * width)
      return (Int64(bitPattern: $0) << unused) >> unused
    }
  }

  private static func string(
    _ span: Span<UInt8>,
    _ next: inout Int,
    width: Int,
    isText: Bool
  ) -> Item.Content? {
    guard let count = Self.number(span, &next, width) else { return nil }
    return Self.string(span, &next, count, isText: isText)
  }

  private static func string(
    _ span: Span<UInt8>,
    _ next: inout Int,
    _ count: UInt64,
    isText: Bool
  ) -> Item.Content? {
    guard count <= UInt64(span.count - next) else { return nil }
    let range = next..<next + Int(count)
    next = range.upperBound
    return .string(range, isText: isText)
  }

  private static func `extension`(
    _ span: Span<UInt8>,
    _ next: inout Int,
    width: Int
  ) -> Item.Content? {
    guard let count = Self.number(span, &next, width), Self.number(span, &next, 1) != nil else {
      return nil
    }
    return Self.string(span, &next, count, isText: false)
  }
}

extension MessagePackFormat {
  static func written(_ value: Bytes, _ form: LayerNode.Form, like item: Bytes) -> [UInt8]? {
    guard let head = item.first else { return nil }
    switch form {
    case .text: return Self.head(text: value.count, like: head) + value.array
    case .bytes: return Self.head(bytes: value.count, like: item) + value.array
    case .number: return Self.integer(value, like: head)
    case .float32, .float64:
      guard let real = BinaryNumber.real(value) else { return nil }
      if form == .float32, let single = Float.holding(real) {
        return [0xCA] + BinaryNumber.bigEndian(UInt64(single.bitPattern), count: 4)
      }
      return [0xCB] + BinaryNumber.bigEndian(real.bitPattern, count: 8)
    case .varint, .fixed32, .fixed64: return nil
    }
  }

  private static func head(text count: Int, like head: UInt8) -> [UInt8] {
    let isFixed = (0xA0...0xBF).contains(head)
    if isFixed, count < 32 { return [0xA0 | UInt8(count)] }
    return Self.head(0xD9, count, atLeast: isFixed ? 0 : Int(head) - 0xD9)
  }

  private static func head(bytes count: Int, like item: Bytes) -> [UInt8] {
    let head = item[0]
    switch head {
    case 0xC7...0xC9:
      let type = item[1 + 1 << Int(head - 0xC7)]
      return Self.head(0xC7, count, atLeast: Int(head) - 0xC7) + [type]
    case 0xD4...0xD8:
      let isSame = count == 1 << Int(head - 0xD4)
      return isSame ? [head, item[1]] : Self.head(0xC7, count, atLeast: 0) + [item[1]]
    default: return Self.head(0xC4, count, atLeast: Int(head) - 0xC4)
    }
  }

  /// A head of the family that begins at `base`, whose lengths have 1, 2 and 4 bytes.
  private static func head(_ base: UInt8, _ count: Int, atLeast step: Int) -> [UInt8] {
    let needed = count < 1 << 8 ? 0 : count < 1 << 16 ? 1 : 2
    let step = max(needed, min(max(step, 0), 2))
    return [base + UInt8(step)] + BinaryNumber.bigEndian(UInt64(count), count: 1 << step)
  }

  private static func integer(_ digits: Bytes, like head: UInt8) -> [UInt8]? {
    if let value = BinaryNumber.integer(digits, as: UInt64.self) {
      let isSigned = (0xD0...0xD3).contains(head) && value <= Int64.max
      if isSigned { return Self.signed(Int64(value), atLeast: Int(head) - 0xD0) }
      let isFixed = head < 0x80 || head >= 0xE0
      if isFixed, value < 0x80 { return [UInt8(value)] }
      let needed = value < 1 << 8 ? 0 : value < 1 << 16 ? 1 : value < 1 << 32 ? 2 : 3
      let isUnsigned = (0xCC...0xCF).contains(head)
      let step = max(needed, isUnsigned ? Int(head) - 0xCC : 0)
      return [0xCC + UInt8(step)] + BinaryNumber.bigEndian(value, count: 1 << step)
    }
    guard let value = BinaryNumber.integer(digits, as: Int64.self) else { return nil }
    if head < 0x80 || head >= 0xE0, value >= -32 { return [UInt8(truncatingIfNeeded: value)] }
    return Self.signed(value, atLeast: (0xD0...0xD3).contains(head) ? Int(head) - 0xD0 : 0)
  }

  private static func signed(_ value: Int64, atLeast step: Int) -> [UInt8] {
    let bits = 65 - (value < 0 ? ~value : value).leadingZeroBitCount
    let needed = bits <= 8 ? 0 : bits <= 16 ? 1 : bits <= 32 ? 2 : 3
    let step = max(needed, step)
    return [0xD0 + UInt8(step)]
      + BinaryNumber.bigEndian(UInt64(bitPattern: value), count: 1 << step)
  }
}
