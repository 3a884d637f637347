internal import TideCore

/// Writes the blocks of a capture (draft-ietf-opsawg-pcapng), little-endian as most are.
struct PcapngBlocks {
  /// How much is gathered before it is written to the file.
  static let flushSize = 1 << 20

  private var bytes: [UInt8] = []
  /// Where the block that is open begins.
  private var start = 0

  /// How many bytes wait.
  var count: Int { self.bytes.count }

  /// Takes what waits.
  mutating func take() -> [UInt8] {
    defer { self.bytes = [] }
    return self.bytes
  }

  /// The section's header; it does not say how long the section is.
  mutating func writeSection(comment: String, application: String) {
    self.begin(0x0A0D_0D0A)
    self.append(UInt32(0x1A2B_3C4D))
    self.append(UInt16(1))
    self.append(UInt16(0))
    self.append(UInt64.max)
    self.option(1, Array(comment.utf8))
    self.option(4, Array(application.utf8))
    self.endOptions()
    self.end()
  }

  /// The one interface: IP packets without a link layer, times in nanoseconds.
  mutating func writeInterface() {
    self.begin(1)
    self.append(UInt16(101))  // LINKTYPE_RAW
    self.append(UInt16(0))
    self.append(UInt32(0))
    self.option(2, Array("devices".utf8))
    self.option(9, [9])  // if_tsresol: 10^-9 s
    self.endOptions()
    self.end()
  }

  /// Lines of a TLS key log.
  mutating func write(secrets: [UInt8]) {
    self.begin(0x0000_000A)
    self.append(UInt32(0x544C_534B))
    self.append(UInt32(clamping: secrets.count))
    self.bytes += secrets
    self.pad()
    self.end()
  }

  /// A packet, inbound if a device sent it; a comment may be empty.
  mutating func write(_ packet: PcapngPacket, at time: WallTime, comment: String) {
    self.begin(6)
    self.append(UInt32(0))
    let stamp = UInt64(bitPattern: time.nanoseconds)
    self.append(UInt32(truncatingIfNeeded: stamp >> 32))
    self.append(UInt32(truncatingIfNeeded: stamp))
    self.append(UInt32(clamping: packet.count))
    self.append(UInt32(clamping: packet.count))
    packet.write(into: &self.bytes)
    self.pad()
    if !comment.isEmpty { self.option(1, Array(comment.utf8)) }
    self.option(2, [packet.isInbound ? 1 : 2, 0, 0, 0])
    self.endOptions()
    self.end()
  }

  private mutating func begin(_ type: UInt32) {
    self.start = self.bytes.count
    self.append(type)
    self.append(UInt32(0))  // its length, known at its end
  }

  private mutating func end() {
    let length = UInt32(clamping: self.bytes.count + 4 - self.start)
    self.append(length)
    for index in 0..<4 {
      self.bytes[self.start + 4 + index] = UInt8(truncatingIfNeeded: length >> (8 * UInt32(index)))
    }
  }

  private mutating func option(_ code: UInt16, _ value: [UInt8]) {
    let value = value.prefix(Int(UInt16.max))
    self.append(code)
    self.append(UInt16(clamping: value.count))
    self.bytes += value
    self.pad()
  }

  private mutating func endOptions() { self.append(UInt32(0)) }

  /// Blocks and all before them are multiples of four bytes, so this counts from the block's start too.
  private mutating func pad() {
    while !self.bytes.count.isMultiple(of: 4) { self.bytes.append(0) }
  }

  private mutating func append(_ number: some FixedWidthInteger) {
    for shift in stride(from: 0, to: number.bitWidth, by: 8) {
      self.bytes.append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }
}
