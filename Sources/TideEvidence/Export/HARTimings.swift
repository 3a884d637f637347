internal import TideCore

/// How long each step of a flow took, from the times of the journal's lines.
///
/// ```
/// connected   looked up   decided      hello    secured     flow begins    head    response      end
///     |--- dns ---|          |-- connect ---------|--blocked-----|---send---|--wait---|--receive--|
///                                       |-- ssl --|
/// ```
/// The first flow after a connection was made ready carries `dns`, `connect` (with `ssl` in it, as HAR 1.2
/// has it) and, as `blocked`, what passed between them and it; of the others they are -1: does not apply.
struct HARTimings {
  /// When the entry begins, RFC 3339: with the connection if it was made for this flow.
  let started: String
  private var blocked: Int64?
  private var dns: Int64?
  private var connect: Int64?
  private var ssl: Int64?
  private var send: Int64 = 0
  private var wait: Int64 = 0
  private var receive: Int64 = 0

  init(_ flow: ExportFlow) {
    let record = flow.record
    let began = WallTime(rfc3339: record.started)
    let end = record.ended.flatMap { WallTime(rfc3339: $0) }
    func microseconds(_ from: WallTime?, _ to: WallTime?) -> Int64 {
      guard let from, let to else { return 0 }
      return max(0, to.nanoseconds - from.nanoseconds) / 1_000
    }
    if let setup = flow.setup, let first = setup.connected ?? setup.lookedUp ?? setup.decided {
      self.started = first.rfc3339
      if setup.lookedUp != nil, setup.connected != nil {
        self.dns = microseconds(setup.connected, setup.lookedUp)
      }
      if let decided = setup.decided, record.address != nil {
        self.connect = microseconds(decided, setup.secured ?? began)
      }
      if let greeted = setup.greeted, let secured = setup.secured {
        self.ssl = microseconds(greeted, secured)
      }
      let before = microseconds(first, began)
      self.blocked = max(0, before - (self.dns ?? 0) - (self.connect ?? 0))
    } else {
      self.started = record.started
    }
    let request = flow.message(.request)?.time.flatMap { WallTime(rfc3339: $0) }
    let response = flow.response?.time.flatMap { WallTime(rfc3339: $0) }
    self.send = microseconds(began, request)
    self.wait = microseconds(request ?? began, response ?? end)
    self.receive = response == nil ? 0 : microseconds(response, end)
  }

  /// Writes `time` and `timings`, in milliseconds.
  func write(into json: inout JSONWriter) {
    let parts = [self.blocked, self.dns, self.connect, self.send, self.wait, self.receive]
    json.key("time")
    json.raw(Self.milliseconds(parts.reduce(0) { $0 + ($1 ?? 0) }).utf8)
    json.key("timings")
    json.beginObject()
    let members: [(StaticString, Int64?)] = [
      ("blocked", self.blocked), ("dns", self.dns), ("connect", self.connect), ("ssl", self.ssl),
      ("send", self.send), ("wait", self.wait), ("receive", self.receive),
    ]
    for (name, value) in members {
      json.key(name)
      json.raw((value.map(Self.milliseconds) ?? "-1").utf8)
    }
    json.endObject()
  }

  /// Exact to the microsecond.
  private static func milliseconds(_ microseconds: Int64) -> String {
    let fraction = String(microseconds % 1_000)
    return "\(microseconds / 1_000)."
      + String(repeating: "0", count: 3 - fraction.count) + fraction
  }
}
