internal import TideCore

extension XORKey {
  /// Keys under which the bytes begin, and in protobuf end, as a binary container.
  static func packed(_ bytes: Bytes) -> [UInt8] {
    guard bytes.count >= 12 else { return [] }
    return bytes.withSpan { span in
      (UInt8(1)...255).filter { key in
        self.isFrame(span, key) || self.isMap(span, key) || self.isProtobuf(span, key)
      }
    }
  }

  /// Keys under which the first units are ASCII in UTF-16 of either byte order, or a byte order mark stands
  /// first.
  static func utf16(_ bytes: Bytes) -> [UInt8] {
    guard bytes.count >= 12, bytes.count & 1 == 0 else { return [] }
    var keys: [UInt8] = []
    for place in [0, 1] where (1..<6).allSatisfy({ bytes[2 * $0 + place] == bytes[place] }) {
      keys.append(bytes[place])
    }
    if bytes[0] ^ bytes[1] == 1 { keys += [bytes[0] ^ 0xFF, bytes[0] ^ 0xFE] }
    return keys.filter { $0 != 0 }
  }

  /// Whether a message of gRPC is all there is.
  private static func isFrame(_ span: Span<UInt8>, _ key: UInt8) -> Bool {
    guard span[0] ^ key <= 1, span[1] ^ key == 0 else { return false }
    let count = (2...4).reduce(0) { $0 << 8 | Int(span[$1] ^ key) }
    return count > 0 && count <= span.count - 5
  }

  /// Whether a map of MessagePack or CBOR comes first, or a list of maps, and a name of letters first in
  /// that.
  private static func isMap(_ span: Span<UInt8>, _ key: UInt8) -> Bool {
    switch span[0] ^ key {
    // MessagePack's maps of up to 15, and more; CBOR's lists in the same place hold maps, not strings.
    case 0x80...0x8F: self.isName(span, key, 1, 0xA0) || self.isMapOfCBOR(span, key, 1)
    case 0x90...0x9F:
      span[1] ^ key & 0xF0 == 0x80 && self.isName(span, key, 2, 0xA0)
        || self.isMapOfCBOR(span, key, 1)
    case 0xDE: self.isName(span, key, 3, 0xA0)
    // The tag of CBOR itself.
    case 0xD9:
      span[1] ^ key == 0xD9 && span[2] ^ key == 0xF7 && self.isMapOfCBOR(span, key, 3)
    default: self.isMapOfCBOR(span, key, 0)
    }
  }

  private static func isMapOfCBOR(_ span: Span<UInt8>, _ key: UInt8, _ start: Int) -> Bool {
    let head = span[start] ^ key
    if head == 0xB8 { return self.isName(span, key, start + 2, 0x60) }
    return (0xA1...0xB7).contains(head) || head == 0xBF
      ? self.isName(span, key, start + 1, 0x60) : false
  }

  /// Whether a short string stands at `place`, whose head is `base` and its length, with a name in it.
  private static func isName(
    _ span: Span<UInt8>,
    _ key: UInt8,
    _ place: Int,
    _ base: UInt8
  ) -> Bool {
    guard place < span.count else { return false }
    let count = Int((span[place] ^ key) &- base)
    guard (1..<24).contains(count), place + count < span.count else { return false }
    for index in place + 1...place + count {
      let byte = span[index] ^ key
      let isLetter = ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
      guard isLetter || byte == 0x5F || byte == 0x2D || byte == 0x2E else { return false }
    }
    return true
  }

  /// Whether the fields of a message come out even: numbers up to 15 that never go down, as the bodies of apps
  /// have, since others are chance under one of so many keys.
  private static func isProtobuf(_ span: Span<UInt8>, _ key: UInt8) -> Bool {
    var position = 0
    var last: UInt8 = 0
    var fields = 0
    while position < span.count {
      let tag = span[position] ^ key
      position += 1
      guard tag < 0x80, tag >> 3 > 0, tag >> 3 >= last else { return false }
      last = tag >> 3
      fields += 1
      switch tag & 7 {
      case 0: guard self.varint(span, key, &position) != nil else { return false }
      case 1: position += 8
      case 2:
        guard let count = self.varint(span, key, &position), count <= span.count - position
        else { return false }
        position += count
      case 5: position += 4
      default: return false
      }
    }
    return position == span.count && fields >= 2
  }

  /// A varint of at most 63 bits; nil if there is none.
  private static func varint(_ span: Span<UInt8>, _ key: UInt8, _ position: inout Int) -> Int? {
    var value = 0
    var shift = 0
    while position < span.count, shift < 63 {
      let byte = span[position] ^ key
      position += 1
      value |= Int(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }
}
