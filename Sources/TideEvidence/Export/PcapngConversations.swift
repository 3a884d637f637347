internal import TideCore

/// The connections that are open at a place in a capture, and the packets made of them so far.
struct PcapngConversations {
  /// The most that are told apart at once; of one forgotten, what follows begins another conversation.
  ///
  /// A recorder that was killed leaves connections without an end: the longest silent ones go first.
  static let most = 65_536

  /// What is written.
  var blocks: PcapngBlocks
  /// How many packets were made.
  private(set) var packets = 0
  /// How many conversations were begun.
  private(set) var connections = 0
  private var open: [ConnectionID: PcapngConversation] = [:]

  init(blocks: PcapngBlocks) { self.blocks = blocks }

  /// Takes a record; `endpoints` says who a connection's peers are.
  mutating func take(
    _ record: WireRecord,
    _ endpoints: (ConnectionID) throws(EvidenceFailure) -> PcapngEndpoints
  ) throws(EvidenceFailure) {
    let direction: Direction
    switch WireFormat.Kind(rawValue: record.kind) {
    case .received: direction = .request
    case .sent: direction = .response
    case .gap:
      if let gap = WireFormat.gap(record.content) {
        self.open[record.connection]?.skip(gap.count, gap.direction)
      }
      return
    case .keyLog, nil: return
    }
    if self.open[record.connection] == nil {
      // Its end alone is nothing to show.
      guard !record.content.isEmpty else { return }
      if self.open.count >= Self.most { self.forgetOldest() }
      self.connections += 1
      let conversation = PcapngConversation(
        record.connection,
        try endpoints(record.connection),
        at: record.time
      )
      self.open[record.connection] = conversation
      for packet in conversation.handshake {
        let comment = packet.flags == .syn ? "connection \(record.connection)" : ""
        self.write(packet, at: record.time, comment: comment)
      }
    }
    // Taken out while it changes, so that nothing is copied.
    guard var conversation = self.open.removeValue(forKey: record.connection) else { return }
    conversation.last = record.time
    if record.content.isEmpty {
      for packet in conversation.end(direction) { self.write(packet, at: record.time) }
    } else {
      conversation.send(record.content, direction) { self.write($0, at: record.time) }
    }
    if !conversation.isOver { self.open[record.connection] = conversation }
  }

  /// Forgets all: it is not known what is missing of which.
  mutating func forgetAll() { self.open.removeAll() }

  private mutating func forgetOldest() {
    let times = self.open.values.map(\.last).sorted()
    let limit = times[times.count / 8]
    self.open = self.open.filter { $0.value.last > limit }
  }

  private mutating func write(_ packet: PcapngPacket, at time: WallTime, comment: String = "") {
    self.packets += 1
    self.blocks.write(packet, at: time, comment: comment)
  }
}

/// One TCP connection as it might have been: no loss, nothing sent again, and each side acknowledges.
struct PcapngConversation {
  /// How much one side sends before the other says that it has it, by a packet of its own if need be.
  private static let silence: UInt32 = 256 << 10

  private struct Side {
    let address: IPAddress
    let port: UInt16
    /// The sequence number of its next byte.
    var next: UInt32
    /// How much of the other's it has acknowledged.
    var acknowledged: UInt32
    var hasEnded = false
  }

  private var device: Side
  private var server: Side
  /// When it was last heard of.
  var last: WallTime

  init(_ connection: ConnectionID, _ endpoints: PcapngEndpoints, at time: WallTime) {
    var (client, server) = (endpoints.client, endpoints.server)
    if client.bitWidth != server.bitWidth {
      (client, server) = (client.mapped, server.mapped)
    }
    // Different for each, so that a port that is used again is seen to be another's.
    let first = UInt32(truncatingIfNeeded: connection.number &* 0x9E37_79B1)
    let made = 1_024 + UInt16(connection.number % 64_512)
    self.device = Side(
      address: client,
      port: endpoints.clientPort ?? made,
      next: first,
      acknowledged: ~first
    )
    self.server = Side(
      address: server,
      port: endpoints.serverPort,
      next: ~first,
      acknowledged: first
    )
    self.last = time
    self.device.next &+= 1
    self.server.next &+= 1
    self.device.acknowledged = self.server.next
    self.server.acknowledged = self.device.next
  }

  /// Whether both sides have ended.
  var isOver: Bool { self.device.hasEnded && self.server.hasEnded }

  /// The three packets that a connection begins with (RFC 9293 §3.5).
  var handshake: [PcapngPacket] {
    [
      self.packet(.request, .syn, sequence: self.device.next &- 1, acknowledgement: 0),
      self.packet(.response, [.syn, .acknowledges], sequence: self.server.next &- 1),
      self.packet(.request, .acknowledges, sequence: self.device.next),
    ]
  }

  /// Cuts content into segments.
  mutating func send(
    _ content: Bytes,
    _ direction: Direction,
    _ emit: (PcapngPacket) -> Void
  ) {
    var rest = content
    let most = PcapngPacket.mostContent(self.device.address)
    while !rest.isEmpty {
      let count = min(most, rest.count)
      let isLast = count == rest.count
      let sequence = self[direction].next
      self[direction].next = sequence &+ UInt32(count)
      self[direction].acknowledged = self[direction.opposite].next
      emit(
        self.packet(
          direction,
          isLast ? [.push, .acknowledges] : .acknowledges,
          sequence: sequence,
          content: rest.slice(0..<count)
        )
      )
      rest = rest.dropping(first: count)
      let waiting = self[direction].next &- self[direction.opposite].acknowledged
      if waiting >= Self.silence { emit(self.acknowledge(direction)) }
    }
  }

  /// Ends a side, once.
  mutating func end(_ direction: Direction) -> [PcapngPacket] {
    guard !self[direction].hasEnded else { return [] }
    let sequence = self[direction].next
    self[direction].hasEnded = true
    self[direction].next = sequence &+ 1
    self[direction].acknowledged = self[direction.opposite].next
    let fin = self.packet(direction, [.fin, .acknowledges], sequence: sequence)
    return [fin, self.acknowledge(direction)]
  }

  /// Leaves out what is missing; of both sides, not knowing which, leaves out nothing.
  mutating func skip(_ count: UInt64, _ direction: Direction?) {
    guard let direction else { return }
    self[direction].next &+= UInt32(truncatingIfNeeded: count)
  }

  /// The other side's word that it has all that `direction` sent.
  private mutating func acknowledge(_ direction: Direction) -> PcapngPacket {
    let other = direction.opposite
    self[other].acknowledged = self[direction].next
    return self.packet(other, .acknowledges, sequence: self[other].next)
  }

  private func packet(
    _ direction: Direction,
    _ flags: PcapngPacket.Flags,
    sequence: UInt32,
    acknowledgement: UInt32? = nil,
    content: Bytes = Bytes()
  ) -> PcapngPacket {
    let (source, target) = (self[direction], self[direction.opposite])
    return PcapngPacket(
      source: source.address,
      target: target.address,
      sourcePort: source.port,
      targetPort: target.port,
      sequence: sequence,
      acknowledgement: acknowledgement ?? target.next,
      flags: flags,
      content: content,
      isInbound: direction == .request
    )
  }

  private subscript(direction: Direction) -> Side {
    get {
      switch direction {
      case .request: self.device
      case .response: self.server
      }
    }
    set {
      switch direction {
      case .request: self.device = newValue
      case .response: self.server = newValue
      }
    }
  }
}

extension Direction {
  /// The other way.
  fileprivate var opposite: Direction {
    switch self {
    case .request: .response
    case .response: .request
    }
  }
}

extension IPAddress {
  /// As an address of IPv6 (RFC 4291 §2.5.5.2).
  fileprivate var mapped: IPAddress {
    switch self {
    case .v4(let number): .v6(0xFFFF_0000_0000 | UInt128(number))
    case .v6: self
    }
  }
}
