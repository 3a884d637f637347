import TideCore
import TideHTTP

/// What one peer heard on one stream.
struct HTTP2Message: CustomStringConvertible {
  /// Informational heads too.
  var heads: [MessageHead] = []
  var body: [UInt8] = []
  var trailers: HeaderFields?
  var isWhole = false
  var reset: HTTP2ErrorCode?

  /// The last head.
  var head: MessageHead? { self.heads.last }
  var status: Int { self.head?.status ?? 0 }
  var path: String { self.head?.target.text ?? "" }
  var text: String { String(decoding: self.body, as: UTF8.self) }

  /// Short, for a test that fails.
  var description: String {
    let length = self.body.count
    return "\(self.heads.map(\.status)) \(self.path) \(length) bytes \(self.text.prefix(64))"
      + (self.isWhole ? " whole" : "") + (self.reset.map { " reset \($0)" } ?? "")
  }

  func field(_ name: StaticString) -> String? { self.head?.fields.first(name)?.text }
}

/// A device or a server of a playbook that speaks HTTP/2.
final class HTTP2Peer {
  let codec: HTTP2Codec
  private(set) var messages: [StreamID: HTTP2Message] = [:]
  /// Its streams in the order in which something was heard on them first.
  private(set) var order: [StreamID] = []
  /// Streams whose content it does not read: their windows close.
  var unread: Set<StreamID> = []
  /// Whether it reads nothing on any stream.
  var readsNothing = false
  private var unreadCounts: [StreamID: Int] = [:]
  private(set) var goAway: HTTP2ErrorCode?
  private(set) var failure: HTTPFailure?
  private(set) var allowsExtendedConnect = false

  init(_ role: HTTP2Codec.Role, limits: Limits = Limits()) throws {
    self.codec = try HTTP2Codec(role: role, limits: limits)
  }

  subscript(_ stream: StreamID) -> HTTP2Message { self.messages[stream] ?? HTTP2Message() }

  /// What it has to say.
  func take() -> Bytes {
    var output: [UInt8] = []
    var events: [HTTP2Event] = []
    do throws(HTTPFailure) {
      try self.codec.takeOutput(&output, limit: .max, &events)
    } catch {
      self.failure = error
    }
    self.note(events)
    return Bytes(output)
  }

  func receive(_ bytes: Bytes, at now: Instant) {
    var events: [HTTP2Event] = []
    do throws(HTTPFailure) {
      try self.codec.receive(bytes, at: now, &events)
    } catch {
      self.failure = self.failure ?? error
    }
    self.note(events)
  }

  /// Reads on where it did not.
  func readOn(_ stream: StreamID) {
    self.unread.remove(stream)
    guard let count = self.unreadCounts.removeValue(forKey: stream) else { return }
    self.codec.consumed(count, on: stream)
  }

  private func note(_ events: [HTTP2Event]) {
    for event in events { self.note(event) }
  }

  private func note(_ event: HTTP2Event) {
    switch event {
    case .head(let stream, let head, _): self.update(stream) { $0.heads.append(head) }
    case .body(let stream, let bytes):
      self.update(stream) { $0.body += bytes.array }
      if self.readsNothing || self.unread.contains(stream) {
        self.unreadCounts[stream, default: 0] += bytes.count
      } else {
        self.codec.consumed(bytes.count, on: stream)
      }
    case .trailers(let stream, let fields): self.update(stream) { $0.trailers = fields }
    case .end(let stream): self.update(stream) { $0.isWhole = true }
    case .reset(let stream, let code, _): self.update(stream) { $0.reset = code }
    case .goAway(_, let code): self.goAway = code
    case .extendedConnectAllowed: self.allowsExtendedConnect = true
    case .violation(_, let failure), .refusedHead(_, let failure): self.failure = failure
    case .sent, .alternativeService: break
    }
  }

  private func update(_ stream: StreamID, _ change: (inout HTTP2Message) -> Void) {
    if self.messages[stream] == nil { self.order.append(stream) }
    change(&self.messages[stream, default: HTTP2Message()])
  }
}
