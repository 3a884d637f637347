internal import Dispatch
internal import Synchronization
internal import TideCore

/// What waits to be written.
enum RecordedItem: Sendable {
  /// An event of the data plane.
  case event(FlowEvent)
  /// A head or trailer section, which bears no time of its own, and when it was offered.
  case timed(FlowEvent, WallTime)
  /// An event of the recorder's owner: its type and its members.
  case entry(String, [(String, String)], WallTime)
  /// Nothing: it was moved on, or written.
  case taken

  /// Moves it out.
  mutating func take() -> RecordedItem {
    var item = RecordedItem.taken
    swap(&item, &self)
    return item
  }
}

/// One version of one message's content.
struct BodyKey: Hashable, Sendable {
  let flow: FlowID
  let direction: Direction
  let stage: BodyStage
}

/// What could not be taken since the last batch.
struct DroppedCount: Equatable, Sendable {
  /// Whole events.
  var events: UInt64 = 0
  /// Pieces of bodies and of wire/, and payloads of messages.
  var pieces: UInt64 = 0
  /// The bytes of those pieces.
  var bytes: UInt64 = 0

  var isEmpty: Bool { self.events == 0 && self.pieces == 0 }
}

/// What the writer takes at once.
struct RecordedBatch: Sendable {
  var items: [RecordedItem] = []
  /// Records of wire/, as they go into its files: copied, so that a loop has its buffers back at once, and
  /// nothing is freed on another thread than it was made on.
  var wire: [UInt8] = []
  /// Bodies that lack what would have followed their pieces in `items`.
  var cutBodies: Set<BodyKey> = []
  /// Whether more bodies were cut than `cutBodies` tells apart: then all count as cut.
  var cutsAll = false
  /// What of wire/ would have followed its pieces in `items`.
  var wireGaps = WireGaps()
  var dropped = DroppedCount()
  /// Whether nothing follows.
  var isLast = false

  /// Forgets what was written; the memory serves for the next batch.
  fileprivate mutating func clear() {
    self.items.removeAll(keepingCapacity: true)
    // One large read would else stay for good.
    self.wire.removeAll(keepingCapacity: self.wire.capacity <= Self.mostSpareWire)
    self.cutBodies = []
    self.cutsAll = false
    self.wireGaps = WireGaps()
    self.dropped = DroppedCount()
  }

  private static let mostSpareWire = 4 << 20
}

/// Where event loops leave events for the writer: a locked append, no system call until it is half full.
///
/// Two batches take turns, so that in steady state neither their growth nor their end costs anything.
final class EvidenceRing: Sendable {
  /// How many cut bodies a batch tells apart: a disk may stay full for hours.
  static let mostCutBodies = 65_536

  private struct State {
    var batch = RecordedBatch()
    var bytes = 0
    var isDropping = false
    var hasSignalled = false
    var isFailing = false
    var droppedEver: UInt64 = 0
  }

  private let state = Mutex(State())
  private let isRoomy = Atomic(true)
  private let wake = DispatchSemaphore(value: 0)
  private let maxEvents: Int
  private let maxBytes: Int
  private let isRequired: Bool
  private let keepsBodies: Bool
  private let keepsWire: Bool
  private let tick: Int
  private let busyTick: Int
  private let clock: CaseClock

  init(_ settings: RecorderSettings) {
    self.maxEvents = settings.ringEvents
    self.maxBytes = settings.ringBytes
    self.isRequired = settings.isRequired
    self.keepsBodies = settings.keepsBodies
    self.keepsWire = settings.keepsWire
    self.tick = settings.tick
    self.busyTick = min(settings.busyTick, settings.tick)
    self.clock = settings.clock
  }

  /// Whether a sender that was told to pause may go on.
  var hasRoom: Bool { self.isRoomy.load(ordering: .relaxed) }

  /// Events and pieces dropped since the start.
  var droppedEver: UInt64 { self.state.withLock { $0.droppedEver } }

  func offer(_ event: consuming FlowEvent) -> Offer {
    // What is not to be kept does not even wait here.
    guard self.keeps(event) else { return .accepted }
    switch event {
    case .body(let flow, let direction, let stage, let content):
      return self.offer(
        .event(event),
        size: content.count,
        body: BodyKey(flow: flow, direction: direction, stage: stage)
      )
    case .head(_, _, _, let content), .trailers(_, _, _, let content):
      return self.offer(.timed(event, self.clock.now), size: content.count, body: nil)
    case .hello(_, let facts, _):
      return self.offer(.event(event), size: facts.raw.count, body: nil)
    case .secret(let connection, let line):
      return self.offer(.keyLog, line, of: connection, at: self.clock.now)
    case .wire(let connection, let direction, let content, let time):
      return self.offer(WireFormat.Kind(direction), content, of: connection, at: time)
    case .message(let flow, let direction, let stage, let message, let time):
      // Where there is no room for the payload, that a message passed is still worth a line.
      return self.offer(
        .event(event),
        size: message.payload.count,
        body: nil,
        without: message.payload.isEmpty
          ? nil : .event(.message(flow, direction, stage, message.withoutPayload, time: time))
      )
    case .connectionOpened, .lookedUp, .destinationDecided, .handshake, .flowStarted, .coverage,
      .findings,
      .note, .redacted, .flowEnded, .connectionClosed:
      return self.offer(.event(event), size: 0, body: nil)
    }
  }

  private func keeps(_ event: FlowEvent) -> Bool {
    switch event {
    case .head, .body, .trailers, .message: self.keepsBodies
    case .secret, .wire: self.keepsWire
    case .connectionOpened, .lookedUp, .destinationDecided, .hello, .handshake, .flowStarted,
      .coverage, .findings, .note, .redacted, .flowEnded, .connectionClosed:
      true
    }
  }

  /// Takes an item, or what `lesser` has of it where its payload finds no room.
  func offer(
    _ item: consuming RecordedItem,
    size: Int,
    body: BodyKey?,
    without lesser: @autoclosure () -> RecordedItem? = nil
  ) -> Offer {
    var item = item
    let (offer, wakes) = self.state.withLock { state -> (Offer, Bool) in
      if state.batch.isLast { return (.accepted, false) }
      let isFull = state.batch.items.count >= self.maxEvents || state.bytes >= self.maxBytes
      var size = size
      if isFull, !self.isRequired, let lesser = lesser() {
        state.batch.dropped.pieces += 1
        state.batch.dropped.bytes += UInt64(size)
        state.droppedEver += 1
        item = lesser
        size = 0
      }
      if isFull, !self.isRequired, self.drop(size: size, body: body, &state) {
        return (.accepted, false)
      }
      // Once a piece of a body is dropped, none is taken before the writer knows of the cut.
      if state.isDropping, let body {
        self.dropPiece(size: size, body: body, &state)
        return (.accepted, false)
      }
      state.batch.items.append(item.take())
      return self.grow(by: size, &state)
    }
    if wakes { self.wake.signal() }
    return offer
  }

  /// Takes a record of wire/, or counts how many of its bytes are lost.
  ///
  /// Once a piece is lost none is taken before the writer knows: what follows would stand in its place.
  private func offer(
    _ kind: WireFormat.Kind,
    _ content: Bytes,
    of connection: ConnectionID,
    at time: WallTime
  ) -> Offer {
    let (offer, wakes) = self.state.withLock { state -> (Offer, Bool) in
      if state.batch.isLast { return (.accepted, false) }
      if !self.isRequired, self.drops(kind, content, of: connection, &state) {
        return (.accepted, false)
      }
      WireFormat.write(pieces: kind, content, of: connection, at: time, into: &state.batch.wire)
      return self.grow(by: content.count + WireFormat.recordHeaderSize, &state)
    }
    if wakes { self.wake.signal() }
    return offer
  }

  /// Whether a record is dropped, and counted.
  private func drops(
    _ kind: WireFormat.Kind,
    _ content: Bytes,
    of connection: ConnectionID,
    _ state: inout State
  ) -> Bool {
    guard let direction = kind.direction else {
      return self.drop(size: content.count, body: nil, &state)
    }
    let isFull = state.batch.items.count >= self.maxEvents || state.bytes >= self.maxBytes
    guard isFull || !state.batch.wireGaps.isEmpty else { return false }
    state.batch.wireGaps.add(
      content.count,
      of: WireSide(connection: connection, direction: direction)
    )
    state.batch.dropped.pieces += 1
    state.batch.dropped.bytes += UInt64(content.count)
    state.droppedEver += 1
    return true
  }

  /// Counts what was taken; says what its sender is told, and whether the writer is to be woken.
  private func grow(by size: Int, _ state: inout State) -> (Offer, wakes: Bool) {
    state.bytes += size
    let isHalfFull =
      state.batch.items.count >= self.maxEvents / 2 || state.bytes >= self.maxBytes / 8
    let wakes = isHalfFull && !state.hasSignalled
    if wakes { state.hasSignalled = true }
    let isOver = state.batch.items.count >= self.maxEvents || state.bytes >= self.maxBytes
    guard self.isRequired, isOver || state.isFailing else { return (.accepted, wakes) }
    self.isRoomy.store(false, ordering: .relaxed)
    return (.pause, wakes)
  }

  /// Waits until there is much to do or a tick has passed.
  ///
  /// - Parameter isBusy: whether there was something to write last time.
  func wait(isBusy: Bool) {
    _ = self.wake.wait(timeout: .now() + .milliseconds(isBusy ? self.busyTick : self.tick))
  }

  /// Takes all that waits into a batch whose memory is used again for what comes.
  func take(into batch: inout RecordedBatch) {
    batch.clear()
    self.state.withLock { state in
      batch.isLast = state.batch.isLast
      swap(&batch, &state.batch)
      state.bytes = 0
      state.isDropping = false
      state.hasSignalled = false
      if !state.isFailing { self.isRoomy.store(true, ordering: .relaxed) }
    }
  }

  /// Says whether the writer cannot write: in `required`, senders then wait until it can.
  func setFailing(_ isFailing: Bool) {
    self.state.withLock { state in
      state.isFailing = isFailing
      let hasRoom = state.batch.items.count < self.maxEvents && state.bytes < self.maxBytes
      self.isRoomy.store(!self.isRequired || hasRoom && !isFailing, ordering: .relaxed)
    }
  }

  /// Takes nothing more, and wakes the writer for the last time.
  func close() {
    self.state.withLock { $0.batch.isLast = true }
    self.wake.signal()
  }

  /// Drops a piece of a body, or an event when there are twice as many as allowed; false to take it.
  ///
  /// Metadata is small and worth more than bodies, so it has a second allowance.
  private func drop(size: Int, body: BodyKey?, _ state: inout State) -> Bool {
    if let body {
      self.dropPiece(size: size, body: body, &state)
      return true
    }
    guard state.batch.items.count >= 2 * self.maxEvents || state.bytes >= 2 * self.maxBytes else {
      return false
    }
    state.batch.dropped.events += 1
    state.droppedEver += 1
    return true
  }

  private func dropPiece(size: Int, body: BodyKey, _ state: inout State) {
    state.isDropping = true
    state.batch.dropped.pieces += 1
    state.batch.dropped.bytes += UInt64(size)
    state.droppedEver += 1
    if state.batch.cutBodies.count < Self.mostCutBodies {
      state.batch.cutBodies.insert(body)
    } else {
      state.batch.cutsAll = true
    }
  }
}

extension SocketMessage {
  /// What is left of a message whose payload is not kept.
  fileprivate var withoutPayload: SocketMessage {
    SocketMessage(
      kind: self.kind,
      payload: Bytes(),
      size: self.size,
      frames: self.frames,
      isCompressed: self.isCompressed
    )
  }
}
