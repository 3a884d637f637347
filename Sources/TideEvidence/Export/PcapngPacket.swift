internal import TideCore

/// One packet: IP and TCP headers that we make up, around bytes that are true.
struct PcapngPacket {
  /// The control bits (RFC 9293 §3.1).
  struct Flags: OptionSet {
    let rawValue: UInt8
    static let fin = Flags(rawValue: 0x01)
    static let syn = Flags(rawValue: 0x02)
    static let push = Flags(rawValue: 0x08)
    static let acknowledges = Flags(rawValue: 0x10)
  }

  /// Both of one family; see `PcapngConversation`.
  let source: IPAddress
  let target: IPAddress
  let sourcePort: UInt16
  let targetPort: UInt16
  let sequence: UInt32
  let acknowledgement: UInt32
  let flags: Flags
  let content: Bytes
  let isInbound: Bool

  /// What a SYN offers: segments of the usual size, windows of up to 1 GiB, so that none is ever full
  /// (RFC 9293 §3.7.1, RFC 7323 §2).
  private static func options(_ segment: Int) -> [UInt8] {
    [2, 4, UInt8(segment >> 8), UInt8(segment & 0xFF), 3, 3, 14, 1]
  }

  private var isV4: Bool { self.source.bitWidth == 32 }
  private var headerCount: Int { self.flags.contains(.syn) ? 28 : 20 }

  /// Its size in bytes.
  var count: Int { (self.isV4 ? 20 : 40) + self.headerCount + self.content.count }

  /// The most content of one: what Ethernet takes.
  static func mostContent(_ address: IPAddress) -> Int { address.bitWidth == 32 ? 1_460 : 1_440 }

  func write(into bytes: inout [UInt8]) {
    let length = self.headerCount + self.content.count
    let start = bytes.count
    var sum: UInt64 = UInt64(length) + 6
    if self.isV4 {
      bytes += [0x45, 0]
      Self.append(UInt16(truncatingIfNeeded: 20 + length), into: &bytes)
      bytes += [0, 0, 0x40, 0, 64, 6, 0, 0]  // not fragmented
    } else {
      bytes += [0x60, 0, 0, 0]
      Self.append(UInt16(truncatingIfNeeded: length), into: &bytes)
      bytes += [6, 64]
    }
    let addresses = bytes.count
    Self.append(self.source, into: &bytes)
    Self.append(self.target, into: &bytes)
    sum += Self.sum(bytes, from: addresses)
    if self.isV4 { Self.set(Self.folded(Self.sum(bytes, from: start)), at: start + 10, in: &bytes) }
    let header = bytes.count
    Self.append(self.sourcePort, into: &bytes)
    Self.append(self.targetPort, into: &bytes)
    Self.append(self.sequence, into: &bytes)
    Self.append(self.acknowledgement, into: &bytes)
    bytes += [UInt8(self.headerCount / 4) << 4, self.flags.rawValue, 0xFF, 0xFF, 0, 0, 0, 0]
    if self.flags.contains(.syn) { bytes += Self.options(Self.mostContent(self.source)) }
    bytes.append(contentsOf: self.content)
    sum += Self.sum(bytes, from: header)
    Self.set(Self.folded(sum), at: header + 16, in: &bytes)
  }

  private static func append(_ address: IPAddress, into bytes: inout [UInt8]) {
    switch address {
    case .v4(let number): self.append(number, into: &bytes)
    case .v6(let number): self.append(number, into: &bytes)
    }
  }

  private static func append(_ number: some FixedWidthInteger, into bytes: inout [UInt8]) {
    for shift in stride(from: number.bitWidth - 8, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }

  private static func set(_ number: UInt16, at index: Int, in bytes: inout [UInt8]) {
    bytes[index] = UInt8(number >> 8)
    bytes[index + 1] = UInt8(number & 0xFF)
  }

  /// The sum of 16-bit words that the Internet checksum is made of (RFC 1071); of at most 64 KiB.
  private static func sum(_ bytes: [UInt8], from start: Int) -> UInt64 {
    let span = bytes.span
    var sum: UInt64 = 0
    var index = start
    while index + 1 < span.count {
      sum += UInt64(span[index]) << 8 | UInt64(span[index + 1])
      index += 2
    }
    if index < span.count { sum += UInt64(span[index]) << 8 }
    return sum
  }

  private static func folded(_ sum: UInt64) -> UInt16 {
    var sum = sum
    while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
    return ~UInt16(sum)
  }
}
