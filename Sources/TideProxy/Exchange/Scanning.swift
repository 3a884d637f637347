import TideCore
import TideHTTP
import TideInspect
import TidePolicy

/// Where a message is with the scanners outside the process; confined to its connection.
final class Scanning {
  /// The scanners that have not answered, in order; the first is asked once the message is whole.
  var remaining: [Int]
  /// Whether the message is held for their answers.
  ///
  /// Where nothing may be changed it streams, and only its last bytes wait, so that the flow's end comes
  /// after what was found in it.
  let holds: Bool
  /// The question that is open, and since when.
  var pending: (id: ScanID, since: Instant)?
  /// The content of a message that is not held.
  var copy: [Bytes] = []
  var copyCount = 0
  /// The last bytes of one, that wait.
  var last: Bytes?
  /// What a scanner made of the message.
  var replacement: (head: MessageHead, content: Bytes)?

  init(_ scanners: [Int], holds: Bool) {
    self.remaining = scanners
    self.holds = holds
  }
}

extension MessageRelay {
  /// Whether it is whole and only a scanner's answer is awaited.
  var awaitsScan: Bool { self.scanning?.pending != nil }

  /// Whether the head stays until the message is whole.
  var holdsHead: Bool {
    self.holding == .body || self.scanning != nil && self.declaredSize == 0
  }
}

/// Whole messages are shown to the scanners of their direction, one after the other, after our own
/// inspection and before they go on.
///
/// ```
///  head ─ prepareScan ─► content: held, or copied ─► whole ─ asksScanner ─► awaitsScan
///                               │ over the limit                  ▲             │ scanned
///                               ▼                                 └── next ◄────┤
///                          on_error ◄──────────── failure, too late ────────────┤
///                                                                               ▼
///                                                            judged ─► goes on, changed, stopped
/// ```
extension ConnectionMachine {
  // MARK: Before the content

  /// Settles who is to be asked about a message; false if that is impossible and it was stopped.
  ///
  /// WebSockets and streams of bytes are no HTTP messages: nobody is asked about them.
  func prepareScan(_ relay: MessageRelay, _ exchange: Exchange) -> Bool {
    guard exchange.isRecorded, !self.isOwn, !self.context.scanners.isEmpty else { return true }
    if exchange.kind.isStream { return true }
    // A response that does not agree is like any other.
    if relay.isSocketHandshake || exchange.socket != nil {
      if relay.direction == .response {
        self.note(exchange, "a WebSocket: no scanner is asked about its messages")
      }
      return true
    }
    let scanners = self.context.scanners.indices.filter {
      self.context.scanners[$0].directions.contains(relay.direction)
    }
    guard !scanners.isEmpty else { return true }
    let scanning = Scanning(scanners, holds: self.appliesScans)
    relay.scanning = scanning
    if scanning.holds { relay.holding = .body }
    guard let size = relay.declaredSize, size > UInt64(self.context.limits.holdBytes) else {
      return true
    }
    return self.skipScan(relay, exchange, "content over the hold limit")
  }

  /// Whether what scanners say is carried out.
  private var appliesScans: Bool { self.context.isEnforcing && !self.isSinkhole }

  // MARK: The content

  /// Keeps a copy of content that goes on before it is scanned.
  func copyForScan(_ bytes: Bytes, _ relay: MessageRelay, _ exchange: Exchange) {
    guard let scanning = relay.scanning, !scanning.holds else { return }
    scanning.copy.append(bytes)
    scanning.copyCount += bytes.count
    self.scanCopies += bytes.count
    let limits = self.context.limits
    guard scanning.copyCount > limits.holdBytes || self.scanCopies > limits.heldPerConnection
    else { return }
    _ = self.skipScan(relay, exchange, "content over the hold limit")
  }

  /// Whether these bytes are the last of content that streams while a scanner is to be asked: they wait.
  func waitsForScan(_ bytes: Bytes, _ relay: MessageRelay) -> Bool {
    guard let scanning = relay.scanning, !scanning.holds, let size = relay.declaredSize,
      relay.released + UInt64(bytes.count) >= size
    else { return false }
    scanning.last = bytes
    return true
  }

  /// Nobody can be asked about this message; false if it was stopped for that.
  func skipScan(_ relay: MessageRelay, _ exchange: Exchange, _ why: String) -> Bool {
    guard let scanning = relay.scanning else { return true }
    self.endScanning(relay)
    for index in scanning.remaining {
      guard self.scannerFailed(index, why, relay, exchange) else { return false }
    }
    guard scanning.holds else { return true }
    relay.holding = relay.plan.holding == .unit ? .body : relay.plan.holding
    return true
  }

  /// Sends on what was only held to be scanned, as far as rules allow.
  func releaseUnscanned(_ relay: MessageRelay, _ exchange: Exchange) {
    self.forwardHead(relay, exchange)
    var limit = UInt64.max
    if relay.holding == .window {
      limit = relay.inspection.map { relay.unitStart + $0.releasable } ?? relay.received
    }
    for part in relay.takeHeld(upTo: limit) { self.forwardBody(part, relay, exchange) }
  }

  // MARK: The question

  /// Asks the next scanner about a message that is whole; whether there is one to wait for.
  func asksScanner(_ relay: MessageRelay, _ exchange: Exchange) -> Bool {
    guard let scanning = relay.scanning, let scanner = scanning.remaining.first else {
      return false
    }
    self.scanCount &+= 1
    let id = ScanID(self.scanCount)
    scanning.pending = (id, self.now.instant)
    self.scans[id] = (exchange, relay)
    let replaced = scanning.replacement
    let head = replaced?.head ?? HeadRewrite.forwardable(relay.head, direction: relay.direction)
    let isRequest = relay.direction == .request
    self.commands.append(
      .scan(
        id,
        ScanRequest(
          scanner: scanner,
          flow: exchange.flow,
          device: self.device,
          client: self.client,
          direction: relay.direction,
          url: (self.route?.origin ?? "") + exchange.path.text,
          request: isRequest
            ? head : HeadRewrite.forwardable(exchange.request.head, direction: .request),
          response: isRequest ? nil : head,
          content: replaced?.content ?? Self.content(of: relay, scanning)
        )
      )
    )
    return true
  }

  private static func content(of relay: MessageRelay, _ scanning: Scanning) -> Bytes {
    guard scanning.holds else {
      var whole: [UInt8] = []
      whole.reserveCapacity(scanning.copyCount)
      for part in scanning.copy { whole += part.array }
      return Bytes(whole)
    }
    let whole = relay.takeHeld()
    if !whole.isEmpty { relay.hold(whole) }
    return whole
  }

  // MARK: The answer

  /// A scanner answered, or did not.
  func scanned(_ id: ScanID, _ result: Result<ScanAnswer, FlowFailure>) {
    guard let (exchange, relay) = self.scans.removeValue(forKey: id), !exchange.isEnded,
      let scanning = relay.scanning, let index = scanning.remaining.first
    else { return }
    scanning.pending = nil
    scanning.remaining.removeFirst()
    self.lastActivity = self.now.instant
    exchange.lastActivity = self.now.instant
    switch result {
    case .failure(let failure):
      guard self.scannerFailed(index, failure.detail, relay, exchange) else { return }
    case .success(let answer): guard self.take(answer, index, relay, exchange) else { return }
    }
    if self.asksScanner(relay, exchange) { return }
    self.goOn(relay, exchange)
  }

  /// Every scanner has been heard.
  private func goOn(_ relay: MessageRelay, _ exchange: Exchange) {
    if let replacement = relay.scanning?.replacement {
      guard self.replace(relay, exchange, by: replacement.head, replacement.content) else { return }
    }
    let last = relay.scanning?.last
    self.endScanning(relay)
    if relay.outgoing != nil, exchange.response === relay, self.upstream == nil {
      relay.outgoing = self.rewritten(relay, exchange)  // its server is gone: it says so
    }
    if let last { self.forwardBody(last, relay, exchange) }
    self.sendEnd(relay, exchange)
    if self.multiplex != nil { self.settle(relay, exchange) }
    self.endIfDeserted(exchange)
  }

  /// Takes a scanner's findings and verdict into the message's; false if it was stopped.
  private func take(
    _ answer: ScanAnswer,
    _ index: Int,
    _ relay: MessageRelay,
    _ exchange: Exchange
  ) -> Bool {
    let name = self.context.scanners[index].name
    var found = answer.findings.map { self.finding($0, name, relay) }
    var decided = Action.allow
    switch answer.verdict {
    case .pass: break
    case .replace(let head, let content):
      decided = .redact
      if relay.scanning?.holds == true { relay.scanning?.replacement = (head, content) }
      self.note(exchange, "scanner \(name): changed the \(relay.direction)" + self.consequence)
    case .refuse(let reason):
      decided = .block
      self.note(
        exchange,
        "scanner \(name): refused the \(relay.direction): \(reason)" + self.consequence
      )
    }
    if decided != .allow {
      found.append(
        self.finding(ScanFinding(kind: .scanner, certainty: .certain), name, relay)
      )
    }
    guard !found.isEmpty else { return true }
    return self.judge(relay, exchange, found, atLeast: self.verdict(decided, of: name))
  }

  private var consequence: String { self.appliesScans ? "" : "; it passes as it was" }

  /// What a scanner decides, as a verdict: it stands where a rule would.
  private func verdict(_ decided: Action, of name: String) -> Verdict {
    guard decided != .allow else { return .pass }
    return Verdict(
      decided: decided,
      applied: self.appliesScans ? decided : min(decided, .log),
      rule: RuleID("scanner:\(name)")
    )
  }

  private func finding(_ found: ScanFinding, _ name: String, _ relay: MessageRelay) -> Finding {
    Finding(
      kind: found.kind,
      certainty: found.certainty,
      location: .body,
      direction: relay.direction,
      path: found.path,
      encoding: [],
      range: found.range ?? 0..<0,
      value: found.value,
      inspector: name
    )
  }

  /// Follows a scanner's `on_error`; false if the message was stopped.
  private func scannerFailed(
    _ index: Int,
    _ why: String,
    _ relay: MessageRelay,
    _ exchange: Exchange
  ) -> Bool {
    let scanner = self.context.scanners[index]
    self.note(
      exchange,
      "scanner \(scanner.name): \(why); on_error: \(scanner.onError.rawValue)" + self.consequence
    )
    switch scanner.onError {
    case .bypass: return true
    case .block: break
    }
    let verdict = self.verdict(.block, of: scanner.name)
    exchange.merge(verdict)
    guard verdict.applied == .block else { return true }
    exchange.exposure = relay.released
    self.stop(
      relay,
      exchange,
      FlowFailure(.overLimit, origin: .internal, detail: "scanner \(scanner.name): \(why)"),
      rule: verdict.rule
    )
    return false
  }
}
