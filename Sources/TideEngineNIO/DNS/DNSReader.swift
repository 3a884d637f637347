import TideCore

/// Reads the parts of a DNS message (RFC 1035 §4.1); every step is checked against the message's end.
struct DNSReader {
  private let bytes: [UInt8]
  private(set) var position = 0

  init(_ bytes: Bytes) { self.bytes = bytes.array }

  mutating func byte() throws(DNSFailure) -> UInt8 {
    guard self.position < self.bytes.count else { throw DNSFailure("the message is cut") }
    defer { self.position += 1 }
    return self.bytes[self.position]
  }

  mutating func number16() throws(DNSFailure) -> UInt16 {
    let high = try self.byte()
    return UInt16(high) << 8 | UInt16(try self.byte())
  }

  mutating func number32() throws(DNSFailure) -> UInt32 {
    let high = try self.number16()
    return UInt32(high) << 16 | UInt32(try self.number16())
  }

  mutating func take(_ count: Int) throws(DNSFailure) -> ArraySlice<UInt8> {
    guard count <= self.bytes.count - self.position else { throw DNSFailure("the message is cut") }
    defer { self.position += count }
    return self.bytes[self.position..<self.position + count]
  }

  /// Reads a name in the spelling that it was sent in, its compression undone (RFC 1035 §4.1.4).
  ///
  /// A pointer has to lead to before whatever led to it, so that there is no going round.
  mutating func spelling() throws(DNSFailure) -> [UInt8] {
    var name: [UInt8] = []
    var at = self.position
    var earliest = at
    var end: Int?
    while true {
      guard at < self.bytes.count else { throw DNSFailure("a name is cut") }
      let length = Int(self.bytes[at])
      switch length {
      case 0:
        name.append(0)
        self.position = end ?? at + 1
        return name
      case 1..<0x40:
        guard at + length < self.bytes.count else { throw DNSFailure("a name is cut") }
        guard name.count + 1 + length < DNSName.longest else {
          throw DNSFailure("a name of more than 255 bytes")
        }
        name += self.bytes[at...at + length]
        at += 1 + length
      case 0xC0...:
        guard at + 1 < self.bytes.count else { throw DNSFailure("a name is cut") }
        let target = (length & 0x3F) << 8 | Int(self.bytes[at + 1])
        guard target < earliest else { throw DNSFailure("a name that points forward or at itself") }
        end = end ?? at + 2
        earliest = target
        at = target
      default: throw DNSFailure("a label of an unknown kind")
      }
    }
  }

  mutating func name() throws(DNSFailure) -> DNSName { DNSName(spelling: try self.spelling()) }
}
