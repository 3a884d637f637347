import TideCore

/// Writes objects of a binary property list, and the table and the trailer for them.
enum BinaryPlistWriter {
  /// The list with some objects written anew, and every other byte of its objects as it was.
  static func list(
    _ plist: BinaryPlist,
    over bytes: Bytes,
    replacing objects: [Int: [UInt8]]
  ) -> Bytes? {
    var splice = Splice()
    for (index, object) in objects { splice.replace(plist.objects[index].place, with: object) }
    guard let body = splice.applied(to: bytes.slice(0..<plist.table)) else { return nil }
    let offsets = Self.offsets(plist, objects)
    // Apple's reader wants an offset that fits; a wider table is as good as a narrow one.
    let width = max(plist.offsetWidth, Self.width(UInt64(body.count)))
    var result = body.array
    result.reserveCapacity(body.count + offsets.count * width + 32)
    for offset in offsets { result += BinaryNumber.bigEndian(UInt64(offset), count: width) }
    let trailer = bytes.dropping(first: bytes.count - 32)
    result.append(contentsOf: trailer.slice(0..<6))
    result.append(UInt8(width))
    result.append(contentsOf: trailer.slice(7..<24))
    result += BinaryNumber.bigEndian(UInt64(body.count), count: 8)
    return Bytes(result)
  }

  /// Where each object stands when those before it have changed their length.
  private static func offsets(_ plist: BinaryPlist, _ objects: [Int: [UInt8]]) -> [Int] {
    var offsets = [Int](repeating: 0, count: plist.objects.count)
    var moved = 0
    let order = plist.objects.indices.sorted {
      plist.objects[$0].place.lowerBound < plist.objects[$1].place.lowerBound
    }
    for index in order {
      let place = plist.objects[index].place
      offsets[index] = place.lowerBound + moved
      if let object = objects[index] { moved += object.count - place.count }
    }
    return offsets
  }

  /// An object of the kind of `object` that holds `value`; nil if it cannot.
  static func object(_ value: Bytes, like object: BinaryPlist.Object) -> [UInt8]? {
    switch object.kind {
    case 0x1: return Self.integer(value, atLeast: object.content.count)
    case 0x2 where object.content.count == 4:
      if let single = BinaryNumber.real(value).flatMap(Float.holding) {
        return [0x22] + BinaryNumber.bigEndian(UInt64(single.bitPattern), count: 4)
      }
      return Self.real(value, marker: 0x23)
    case 0x2, 0x3: return Self.real(value, marker: object.marker)
    case 0x4, 0x7: return Self.head(object, value.count) + value.array
    case 0x5 where value.allSatisfy { $0 < 0x80 }:
      return Self.head(object, value.count) + value.array
    case 0x5, 0x6:
      guard let text = String(validating: value, as: UTF8.self) else { return nil }
      let units = Array(text.utf16)
      return Self.head(object, units.count, kind: 0x6)
        + units.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
    case 0x8:
      guard let number = BinaryNumber.integer(value, as: UInt64.self) else { return nil }
      let width = max(object.content.count, Self.width(number))
      return [0x80 | UInt8(width - 1)] + BinaryNumber.bigEndian(number, count: width)
    default: return nil
    }
  }

  /// A marker with a count, which is as wide as it was if the new one fits.
  private static func head(
    _ object: BinaryPlist.Object,
    _ count: Int,
    kind: UInt8? = nil
  ) -> [UInt8] {
    let kind = (kind ?? object.kind) << 4
    // Behind the marker: nothing, or an integer's marker and the integer.
    let old = object.content.lowerBound - object.place.lowerBound - 2
    guard count >= 15 || old > 0 else { return [kind | UInt8(count)] }
    let needed = count < 1 << 8 ? 1 : count < 1 << 16 ? 2 : count < 1 << 32 ? 4 : 8
    let width = max(needed, old)
    return [kind | 0x0F, 0x10 | UInt8(width.trailingZeroBitCount)]
      + BinaryNumber.bigEndian(UInt64(count), count: width)
  }

  private static func integer(_ digits: Bytes, atLeast width: Int) -> [UInt8]? {
    guard let value = BinaryNumber.integer(digits, as: Int128.self) else { return nil }
    // Only 8 bytes and more have a sign.
    let needed =
      value < 0 || value >= 1 << 32
      ? (Int64(exactly: value) == nil ? 16 : 8) : value < 1 << 8 ? 1 : value < 1 << 16 ? 2 : 4
    let width = max(needed, width)
    let low = BinaryNumber.bigEndian(UInt64(truncatingIfNeeded: value), count: min(width, 8))
    let high =
      width == 16 ? BinaryNumber.bigEndian(UInt64(truncatingIfNeeded: value >> 64), count: 8) : []
    return [0x10 | UInt8(width.trailingZeroBitCount)] + high + low
  }

  private static func real(_ value: Bytes, marker: UInt8) -> [UInt8]? {
    BinaryNumber.real(value).map {
      [marker] + BinaryNumber.bigEndian($0.bitPattern, count: 8)
    }
  }

  /// How many bytes a number takes.
  private static func width(_ value: UInt64) -> Int {
    max((64 - value.leadingZeroBitCount + 7) / 8, 1)
  }
}
