import Testing
import TideCore

@testable import TideProxy

/// One flow as it was recorded.
struct RecordedFlow {
  let start: FlowStart
  var requestHead = ""
  var sentHead = ""
  var responseHead = ""
  var requestBody = ""
  var sentBody = ""
  var responseBody = ""
  var trailers = ""
  var findings: [Finding] = []
  var notes: [String] = []
  var redactions: [RedactionRecord] = []
  var end: FlowEnd?

  var messages: [(direction: Direction, stage: BodyStage, message: SocketMessage)] = []
  var coverage: [Coverage] = []
  var failure: FlowFailure.Code? { self.end?.failure?.code }
}

extension Playbook {
  /// The flows so far, in order of their start.
  var flows: [RecordedFlow] {
    var flows: [RecordedFlow] = []
    func update(_ flow: FlowID, _ change: (inout RecordedFlow) -> Void) {
      guard let index = flows.firstIndex(where: { $0.start.flow == flow }) else {
        Issue.record("an event of a flow that was not started")
        return
      }
      #expect(flows[index].end == nil, "nothing of a flow comes after its end")
      change(&flows[index])
    }
    for event in self.sink.events {
      switch event {
      case .flowStarted(let start): flows.append(RecordedFlow(start: start))
      case .head(let flow, .request, .original, let bytes):
        update(flow) { $0.requestHead = bytes.text }
      case .head(let flow, .request, .sent, let bytes): update(flow) { $0.sentHead = bytes.text }
      case .head(let flow, .response, _, let bytes): update(flow) { $0.responseHead = bytes.text }
      case .body(let flow, .request, .original, let bytes):
        update(flow) { $0.requestBody += bytes.text }
      case .body(let flow, .request, .sent, let bytes): update(flow) { $0.sentBody += bytes.text }
      case .body(let flow, .response, _, let bytes): update(flow) { $0.responseBody += bytes.text }
      case .trailers(let flow, _, _, let bytes): update(flow) { $0.trailers += bytes.text }
      case .findings(let flow, let found, _, _): update(flow) { $0.findings += found }
      case .note(let flow, let text, _): update(flow) { $0.notes.append(text) }
      case .redacted(let flow, _, let changes, _, _): update(flow) { $0.redactions += changes }
      case .flowEnded(let end): update(end.flow) { $0.end = end }
      case .message(let flow, let direction, let stage, let message, _):
        update(flow) { $0.messages.append((direction, stage, message)) }
      case .coverage(_, let flow, let kind, _, _):
        if let flow { update(flow) { $0.coverage.append(kind) } }
      case .connectionOpened, .lookedUp, .destinationDecided, .hello, .handshake, .secret, .wire,
        .connectionClosed:
        break
      }
    }
    return flows
  }

  /// The only flow.
  func flow() throws -> RecordedFlow {
    let flows = self.flows
    try #require(flows.count == 1, "one flow is recorded, not \(flows.count)")
    return flows[0]
  }

  /// The outcome of the connection's decision, as recorded.
  var decisions: [String] {
    self.sink.events.compactMap {
      if case .destinationDecided(_, _, _, let decision, _, _) = $0 { decision } else { nil }
    }
  }

  /// What was noted of the connection's coverage, in order.
  var coverage: [Coverage] {
    self.sink.events.compactMap {
      if case .coverage(_, _, let kind, _, _) = $0 { kind } else { nil }
    }
  }

  /// The handshakes as recorded, in order.
  var handshakes: [HandshakeFacts] {
    self.sink.events.compactMap {
      if case .handshake(_, let facts, _) = $0 { facts } else { nil }
    }
  }

  /// Why the connection was closed, for each time that it was recorded.
  var closures: [FlowFailure.Code?] {
    self.sink.events.compactMap {
      if case .connectionClosed(_, let failure, _) = $0 { .some(failure?.code) } else { nil }
    }
  }

  /// The device goes away; then everything must be over, once, and stay so.
  func expectCleanEnd(sourceLocation: Testing.SourceLocation = #_sourceLocation) {
    if !self.isFinished { self.deviceCloses(.reset) }
    #expect(
      self.isFinished,
      "the end of the device ends the machine",
      sourceLocation: sourceLocation
    )
    #expect(self.machine.isClosed, sourceLocation: sourceLocation)
    let left = self.legs.filter { self.closed[$0] == nil || self.closed[$0] == .writing }
    #expect(left.isEmpty, "every leg is closed", sourceLocation: sourceLocation)
    let unended = self.flows.filter { $0.end == nil }
    #expect(unended.isEmpty, "every flow has its end", sourceLocation: sourceLocation)
    #expect(self.closures.count == 1, "one close is recorded", sourceLocation: sourceLocation)
    // Late events are nothing to it.
    let before = self.sink.events.count
    self.give(.tick)
    self.give(.roomAvailable)
    self.give(.received(.downstream, "GET / HTTP/1.1\r\n\r\n"))
    self.give(.closed(.downstream, .reset))
    self.give(.shutdown)
    self.give(.shutdown)
    #expect(self.sink.events.count == before, sourceLocation: sourceLocation)
  }
}
