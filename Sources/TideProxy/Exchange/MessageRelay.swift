import TideCore
import TideHTTP
import TideInspect
import TidePolicy

/// What makes the head that goes on of the one that came; kept, since redaction may come later.
enum Rewrite {
  case request(RequestDestination, Route)
  case response(BodyFraming)
  case multiplexedResponse
  /// Of a response that makes a WebSocket.
  case upgrade
}

/// One message of an exchange on its way through inspection; confined to its connection.
final class MessageRelay {
  let direction: Direction
  /// As it came.
  let head: MessageHead
  /// As it came, or as redaction left it.
  var effective: MessageHead
  /// How `effective` becomes `outgoing`.
  var rewrite: Rewrite?
  var isHeadRedacted = false
  /// Whether we answered `Expect: 100-continue`, so that it must not go on.
  var hasMetExpectation = false
  /// As it goes on; nil before it is made and once it is gone.
  var outgoing: MessageHead?
  var plan: BodyPlan
  var inspection: BodyInspection?
  /// Every finding of the message so far.
  var findings: [Finding] = []
  var verdict = Verdict.pass
  /// Content-Length, if there is one.
  let declaredSize: UInt64?
  /// How much of the content is held: the plan's, once it is known whether the content has units.
  var holding = BodyPlan.Holding.none
  /// Cuts the content into units, if it has them and they are inspected one by one.
  var units: UnitSplitter?
  /// Where the content of the unit under way begins, counted as `received` is.
  var unitStart: UInt64 = 0
  /// Content that units were cut from so far, counted as `received` is.
  var cut: UInt64 = 0
  /// The findings of the unit under way.
  var unitFindings: [Finding] = []
  /// A gRPC message's prefix, while the message is held.
  var unitPrefix = Bytes()
  /// Whether the unit under way is compressed by itself (gRPC).
  var isUnitCompressed = false
  /// Whether it is not a message but gRPC-Web's trailers.
  var isUnitTrailers = false
  /// Whether its head is all there is (HTTP/2); a declared length of 0 does not say so yet.
  var isHeadLast = false
  /// Whether its end went on already, with its head or its trailers (HTTP/2).
  var hasSentEnd = false
  /// Received content for which its sender has not been given credit (HTTP/2).
  var owed = 0
  /// How much of it the connection as a whole has back already, and only the stream has not.
  var lent = 0
  /// Bytes that are held back, in order.
  var held: [Bytes] = []
  var heldCount = 0
  /// Content bytes that came.
  var received: UInt64 = 0
  /// Content bytes that went on.
  var released: UInt64 = 0
  var trailers: HeaderFields?
  var reportedNotes = 0
  /// Whether it asks for a WebSocket, or agrees to one: what follows is the WebSocket's.
  var isSocketHandshake = false
  /// Whether it carries a WebSocket's messages in one direction.
  var isSocket = false
  /// Whom outside the process it is to be shown to; nil if nobody, or once they have answered.
  var scanning: Scanning?
  /// Whether a scanner's form of it stands in its place.
  var isReplaced = false
  /// Whether `otherwise: allow` let pass what could not be redacted; of a unit, if there are units.
  var isExcused = false

  init(direction: Direction, head: MessageHead, declaredSize: UInt64?) {
    self.direction = direction
    self.head = head
    self.effective = head
    self.declaredSize = declaredSize
    self.plan = BodyPlan(inspects: false, holding: .none, otherwise: .block, mayRedact: false)
  }

  /// Takes in what was found in it since the last time.
  func take(_ found: [Finding]) {
    if found.isEmpty { return }
    self.findings += found
    if self.units != nil { self.unitFindings += found }
  }

  /// Whether its content is made of units that are judged one by one.
  var hasUnits: Bool { self.units != nil || self.isSocket }

  /// Whether units go on with the read that they came in, since nothing that is enforced can hold them.
  var passesWhole: Bool { self.units != nil && self.plan.holding == .none }

  /// Goes on without holding anything back: to the end of the unit under way, or of the content.
  func releaseFromNowOn() {
    self.holding = .none
    if self.hasUnits { return }
    self.plan = BodyPlan(
      inspects: true,
      holding: .none,
      otherwise: self.plan.otherwise,
      otherwiseRule: self.plan.otherwiseRule,
      mayRedact: false
    )
  }

  /// Begins the next unit as the plan says, whatever became of the last.
  func beginUnit() {
    self.holding = self.plan.holding
    self.isExcused = false
  }

  /// Whether its last byte has come.
  var isWhole = false

  /// What rules compare with `size`: what was declared, else what has come.
  var size: ContentSize {
    if self.isWhole { return .exactly(self.received) }
    return self.declaredSize.map { .exactly($0) } ?? .atLeast(self.received)
  }

  /// Forgets what is held.
  func dropHeld() {
    self.held.removeAll()
    self.heldCount = 0
  }

  func hold(_ bytes: Bytes) {
    self.held.append(bytes)
    self.heldCount += bytes.count
  }

  /// Takes what is held out, as one run.
  func takeHeld() -> Bytes {
    var whole = Bytes()
    if self.held.count == 1 {
      whole = self.held[0]
    } else {
      whole = unsafe Bytes(capacity: self.heldCount) { room in
        var position = 0
        for part in self.held {
          unsafe part.withUnsafeBytes { bytes in
            unsafe UnsafeMutableRawBufferPointer(rebasing: room[position...]).copyMemory(
              from: bytes
            )
          }
          position += part.count
        }
        return position
      }
    }
    self.held.removeAll()
    self.heldCount = 0
    return whole
  }

  /// Takes held bytes out, up to `limit` bytes of the content counted from its start.
  func takeHeld(upTo limit: UInt64) -> [Bytes] {
    var free: [Bytes] = []
    var position = self.released
    while let first = self.held.first, position < limit {
      let room = Int(clamping: limit - position)
      let part: Bytes
      if first.count <= room {
        part = first
        self.held.removeFirst()
      } else {
        part = first.slice(0..<room)
        self.held[0] = first.dropping(first: room)
      }
      self.heldCount -= part.count
      position += UInt64(part.count)
      free.append(part)
    }
    return free
  }
}
