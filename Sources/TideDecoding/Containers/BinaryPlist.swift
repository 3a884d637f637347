import TideCore

/// The frame of a binary property list: where its objects are (CoreFoundation, CFBinaryPList.c).
///
/// `bplist00`, objects, a table of their offsets, and a trailer of 32 bytes. Objects refer to each
/// other by their index in the table.
struct BinaryPlist {
  private static let magic = Array("bplist00".utf8)
  private static let trailerCount = 32

  /// One object.
  struct Object {
    /// Its marker: the kind in the high four bits.
    let marker: UInt8
    /// Where it stands, with its marker.
    let place: Range<Int>
    /// Where its content stands.
    let content: Range<Int>
    /// How many elements an array, a set or a dictionary has.
    let count: Int

    var kind: UInt8 { self.marker >> 4 }
  }

  /// The objects, by index.
  let objects: [Object]
  /// The index of the outermost one.
  let top: Int
  /// How many bytes a reference has.
  let referenceWidth: Int
  /// How many bytes an offset in the table has.
  let offsetWidth: Int
  /// Where the table begins.
  let table: Int

  /// Whether `bytes` begin as one.
  static func isOne(_ span: Span<UInt8>) -> Bool {
    guard span.count >= Self.magic.count + 1 + Self.trailerCount else { return false }
    return Self.magic.indices.allSatisfy { span[$0] == Self.magic[$0] }
  }

  /// Reads the trailer, the table and the extent of each object.
  ///
  /// Nil if anything is out of bounds or overlaps: then references could make one run of bytes stand for
  /// many, and a changed object would change others.
  init?(_ span: Span<UInt8>, _ budget: inout DecodingBudget) {
    guard Self.isOne(span) else { return nil }
    let trailer = span.count - Self.trailerCount
    let offsetWidth = Int(span[trailer + 6])
    let referenceWidth = Int(span[trailer + 7])
    let count = BinaryNumber.bigEndian(span, trailer + 8..<trailer + 16)
    let top = BinaryNumber.bigEndian(span, trailer + 16..<trailer + 24)
    let table = BinaryNumber.bigEndian(span, trailer + 24..<trailer + 32)
    guard (1...8).contains(offsetWidth), (1...8).contains(referenceWidth), top < count,
      table >= UInt64(Self.magic.count), table < UInt64(trailer),
      count == (UInt64(trailer) - table) / UInt64(offsetWidth),
      (UInt64(trailer) - table) % UInt64(offsetWidth) == 0, budget.goOn(span.count)
    else { return nil }
    self.top = Int(top)
    self.offsetWidth = offsetWidth
    self.referenceWidth = referenceWidth
    self.table = Int(table)
    var objects: [Object] = []
    objects.reserveCapacity(Int(count))
    for index in 0..<Int(count) {
      let entry = self.table + index * offsetWidth
      let offset = BinaryNumber.bigEndian(span, entry..<entry + offsetWidth)
      guard offset >= UInt64(Self.magic.count), offset < table,
        let object = Self.object(span, at: Int(offset), before: self.table, referenceWidth)
      else { return nil }
      objects.append(object)
    }
    self.objects = objects
    var end = 0
    for place in objects.map(\.place).sorted(by: { $0.lowerBound < $1.lowerBound }) {
      guard place.lowerBound >= end else { return nil }
      end = place.upperBound
    }
  }

  /// The indices to which an array, a set or a dictionary refers: of the latter first all keys.
  func references(_ span: Span<UInt8>, of object: Object) -> [Int]? {
    var references: [Int] = []
    for start in stride(
      from: object.content.lowerBound,
      to: object.content.upperBound,
      by: self.referenceWidth
    ) {
      let index = BinaryNumber.bigEndian(span, start..<start + self.referenceWidth)
      guard index < UInt64(self.objects.count) else { return nil }
      references.append(Int(index))
    }
    return references
  }

  private static func object(
    _ span: Span<UInt8>,
    at start: Int,
    before end: Int,
    _ referenceWidth: Int
  ) -> Object? {
    let marker = span[start]
    var next = start + 1
    var size: UInt64 = 0
    var count: UInt64 = 0
    switch marker >> 4 {
    case 0x0: size = 0
    case 0x1 where marker & 0x0F <= 4: size = 1 << UInt64(marker & 0x0F)
    case 0x2 where marker == 0x22 || marker == 0x23: size = 1 << UInt64(marker & 0x0F)
    case 0x3 where marker == 0x33: size = 8
    case 0x8: size = UInt64(marker & 0x0F) + 1
    case 0x4, 0x5, 0x6, 0x7, 0xA, 0xB, 0xC, 0xD:
      guard let stated = Self.count(span, &next, marker & 0x0F, before: end) else { return nil }
      count = stated
      // No product overflows: a count is at most that of all bytes.
      switch marker >> 4 {
      case 0x6: size = count * 2
      case 0xA, 0xB, 0xC: size = count * UInt64(referenceWidth)
      case 0xD: size = count * 2 * UInt64(referenceWidth)
      default: size = count
      }
    default: return nil
    }
    guard size <= UInt64(end - next) else { return nil }
    let content = next..<next + Int(size)
    return Object(
      marker: marker,
      place: start..<content.upperBound,
      content: content,
      count: Int(count)
    )
  }

  /// A count in the marker, or in the integer that follows it.
  private static func count(
    _ span: Span<UInt8>,
    _ next: inout Int,
    _ low: UInt8,
    before end: Int
  ) -> UInt64? {
    guard low == 0x0F else { return UInt64(low) }
    guard next < end, span[next] >> 4 == 1, span[next] & 0x0F <= 3 else { return nil }
    let width = 1 << Int(span[next] & 0x0F)
    guard end - next - 1 >= width else { return nil }
    let count = BinaryNumber.bigEndian(span, next + 1..<next + 1 + width)
    next += 1 + width
    return count <= UInt64(end) ? count : nil
  }
}
