import TideCore
import TideHTTP
import TideInspect
import TidePolicy

/// A request and its response, one flow; confined to its connection.
final class Exchange {
  let flow: FlowID
  /// Whether it is device traffic; our own pages are not.
  let isRecorded: Bool
  /// Every name that the request is bound for: CONNECT, SNI, Host.
  let hosts: [Host]
  /// The target's path and query.
  let path: Bytes
  let request: MessageRelay
  /// What it is judged and inspected by to its end, whatever is replaced meanwhile: a plan to hold made
  /// under one set of rules means nothing to a verdict under another.
  let policy: PolicySnapshot
  let inspection: InspectionContext
  /// The final response, once its head came.
  var response: MessageRelay?
  /// The strictest verdict so far.
  var verdict = Verdict.pass
  var findings = 0
  /// What the device was or will be told; 0 before that.
  var status = 0
  var exposure: UInt64?
  var responseBytes: UInt64 = 0
  /// When the last byte of the request was handled.
  var requestEndedAt: Instant?
  var responseIsOver = false
  /// Whether a byte of a final response went to the device.
  var hasAnswered = false
  /// Whether the device's version knows no trailers.
  var dropsTrailers = false
  /// Whether the connection may serve another request after this.
  var persists: Bool

  init(
    flow: FlowID,
    isRecorded: Bool,
    hosts: [Host],
    path: Bytes,
    request: MessageRelay,
    context: LoopContext,
    persists: Bool
  ) {
    self.flow = flow
    self.isRecorded = isRecorded
    self.hosts = hosts
    self.path = path
    self.request = request
    self.policy = context.policy
    self.inspection = context.inspection
    self.persists = persists
  }

  var method: Bytes { self.request.head.method }
  var answersHead: Bool { self.method == "HEAD" }

  /// Takes a message's verdict into the flow's: the strictest is the one that is recorded.
  func merge(_ verdict: Verdict) {
    if verdict.decided > self.verdict.decided || verdict.applied > self.verdict.applied {
      self.verdict = verdict
    }
  }
}

/// What makes the head that goes on of the one that came; kept, since redaction may come later.
enum Rewrite {
  case request(RequestDestination, Route)
  case response(BodyFraming)
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
  /// Bytes that are held back, in order.
  var held: [Bytes] = []
  var heldCount = 0
  /// Content bytes that came.
  var received: UInt64 = 0
  /// Content bytes that went on.
  var released: UInt64 = 0
  var trailers: HeaderFields?
  var reportedNotes = 0
  /// Whether `otherwise: allow` let pass what could not be redacted.
  var isExcused = false

  init(direction: Direction, head: MessageHead, declaredSize: UInt64?) {
    self.direction = direction
    self.head = head
    self.effective = head
    self.declaredSize = declaredSize
    self.plan = BodyPlan(inspects: false, holding: .none, otherwise: .block, mayRedact: false)
  }

  /// Whether its last byte has come.
  var isWhole = false

  /// What rules compare with `size`: what was declared, else what has come.
  var size: ContentSize {
    if self.isWhole { return .exactly(self.received) }
    return self.declaredSize.map { .exactly($0) } ?? .atLeast(self.received)
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
