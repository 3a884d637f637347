import Testing

/// A capture as a stranger reads it: blocks by the draft, packets by RFC 791, 8200 and 9293.
struct Capture {
  struct Packet {
    let time: UInt64
    let source: [UInt8]
    let target: [UInt8]
    let sourcePort: Int
    let targetPort: Int
    let sequence: UInt32
    let acknowledgement: UInt32
    let flags: UInt8
    let content: [UInt8]
    let options: [Int: [UInt8]]
  }

  var comment = ""
  var application = ""
  var secrets: [String] = []
  var packets: [Packet] = []
  /// The types of the blocks, in order, runs of one as one.
  var order: [UInt32] = []

  init(_ bytes: [UInt8]) throws {
    var index = 0
    while index < bytes.count {
      let type = Self.number(bytes, index, 4)
      let length = Int(Self.number(bytes, index + 4, 4))
      try #require(length >= 12 && length.isMultiple(of: 4) && index + length <= bytes.count)
      #expect(Self.number(bytes, index + length - 4, 4) == UInt64(length), "at both ends")
      let body = Array(bytes[index + 8..<index + length - 4])
      if self.order.last != UInt32(type) { self.order.append(UInt32(type)) }
      switch type {
      case 0x0A0D_0D0A:
        #expect(Array(body.prefix(8)) == [0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0])
        let options = Self.options(body, 16)
        self.comment = String(decoding: options[1] ?? [], as: UTF8.self)
        self.application = String(decoding: options[4] ?? [], as: UTF8.self)
      case 1:
        #expect(Self.number(body, 0, 2) == 101)
        #expect(Self.options(body, 8)[9] == [9])
      case 0xA:
        #expect(Self.number(body, 0, 4) == 0x544C_534B)
        let count = Int(Self.number(body, 4, 4))
        self.secrets += String(decoding: body[8..<8 + count], as: UTF8.self)
          .split(separator: "\n").map(String.init)
      case 6: self.packets.append(try Self.packet(body))
      default: Issue.record("a block of type \(type)")
      }
      index += length
    }
  }

  /// What one side of a conversation sent, by sequence numbers; nil where bytes are missing.
  func stream(from port: Int) -> [UInt8?] {
    var bytes: [UInt8?] = []
    var first: UInt32?
    for packet in self.packets where packet.sourcePort == port {
      if packet.flags & 2 != 0 { first = packet.sequence &+ 1 }
      guard let first, !packet.content.isEmpty else { continue }
      let start = Int(packet.sequence &- first)
      if bytes.count < start { bytes += [UInt8?](repeating: nil, count: start - bytes.count) }
      bytes += packet.content.map { $0 }
    }
    return bytes
  }

  private static func packet(_ body: [UInt8]) throws -> Packet {
    let count = Int(self.number(body, 12, 4))
    #expect(self.number(body, 16, 4) == UInt64(count))
    let bytes = Array(body[20..<20 + count])
    let isV4 = bytes[0] >> 4 == 4
    let header = isV4 ? 20 : 40
    let addresses = isV4 ? 12 : 8
    let size = isV4 ? 4 : 16
    if isV4 {
      #expect(Self.checksum(Array(bytes[..<20])) == 0xFFFF)
      #expect(Int(bytes[2]) << 8 | Int(bytes[3]) == count)
    } else {
      #expect(Int(bytes[4]) << 8 | Int(bytes[5]) == count - 40)
    }
    #expect(bytes[isV4 ? 9 : 6] == 6)
    let segment = Array(bytes[header...])
    let both = Array(bytes[addresses..<addresses + 2 * size])
    let pseudo = both + [0, 6, UInt8(segment.count >> 8), UInt8(segment.count & 0xFF)]
    #expect(Self.checksum(pseudo + segment) == 0xFFFF)
    func big(_ index: Int, _ size: Int) -> Int {
      segment[index..<index + size].reduce(0) { $0 << 8 | Int($1) }
    }
    #expect(count <= 1_500)
    return Packet(
      time: self.number(body, 4, 4) << 32 | self.number(body, 8, 4),
      source: Array(both[..<size]),
      target: Array(both[size...]),
      sourcePort: big(0, 2),
      targetPort: big(2, 2),
      sequence: UInt32(big(4, 4)),
      acknowledgement: UInt32(big(8, 4)),
      flags: segment[13],
      content: Array(segment[Int(segment[12] >> 4) * 4..<segment.count]),
      options: self.options(body, 20 + (count + 3) / 4 * 4)
    )
  }

  private static func number(_ bytes: [UInt8], _ index: Int, _ size: Int) -> UInt64 {
    (0..<size).reduce(0) { $0 | UInt64(bytes[index + $1]) << (8 * UInt64($1)) }
  }

  private static func options(_ bytes: [UInt8], _ start: Int) -> [Int: [UInt8]] {
    var options: [Int: [UInt8]] = [:]
    var index = start
    while index + 4 <= bytes.count {
      let code = Int(self.number(bytes, index, 2))
      let count = Int(self.number(bytes, index + 2, 2))
      guard code != 0 else { break }
      options[code] = Array(bytes[index + 4..<index + 4 + count])
      index += 4 + (count + 3) / 4 * 4
    }
    return options
  }

  private static func checksum(_ bytes: [UInt8]) -> Int {
    var sum = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
      sum += Int(bytes[index]) << 8 | (index + 1 < bytes.count ? Int(bytes[index + 1]) : 0)
    }
    while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
    return sum
  }
}
