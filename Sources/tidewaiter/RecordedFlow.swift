import Foundation
import TideCore
import TideEvidence
import TidePolicy

/// A flow of a case as rules are asked about it.
struct RecordedFlow {
  /// One of its messages.
  struct Message {
    let facts: MessageFacts
    let findings: [Finding]
    /// What rules may ask of it and the case does not have.
    let unknown: Set<MessageFact>
  }

  let record: FlowRecord
  /// The request, or the tunnel as a whole; then the response, if the server sent one.
  let messages: [Message]
  /// Whether what it carried was not read: in the enforcing modes a matter of its own.
  let isUndecrypted: Bool
  /// Whether the case has no head of it.
  let lacksHead: Bool
  /// The names that its names are only other names for.
  let aliases: [Hostname]

  /// Reads a flow's facts; its addresses lie where `policy` says now.
  init(_ detail: FlowDetail, _ policy: PolicySnapshot) {
    let record = detail.record
    self.record = record
    self.aliases = Self.aliases(detail)
    let isUndecrypted = ["tls", "tcp"].contains(record.protocolName)
    self.isUndecrypted = isUndecrypted
    let isRead = record.treatment != FlowTreatment.refused.rawValue && !isUndecrypted
    let isTunnel = ["tls", "tcp", "stream"].contains(record.protocolName)
    self.lacksHead = isRead && !isTunnel && detail.message(.request)?.head.isEmpty != false
    let answered = record.applied != Action.block.rawValue && record.treatment == "intercepted"
    let hasResponse =
      isRead && answered && (record.status != nil || detail.message(.response) != nil)
    let directions: [Direction] = hasResponse ? [.request, .response] : [.request]
    let destination = Self.destination(record, self.aliases, policy)
    self.messages = directions.map { direction in
      var facts = destination
      let head = RecordedHead(detail.message(direction)?.head ?? Bytes())
      facts.direction = direction
      facts.fields = head.fields
      let bytes = direction == .request ? record.requestBytes : record.responseBytes
      facts.size = bytes.map { .exactly($0) } ?? .atLeast(0)
      facts.protocols = Self.protocols(record.protocolName, isHTTP2: head.isHTTP2)
      var unknown: Set<MessageFact> = []
      if !isRead {
        unknown = Set(MessageFact.allCases).subtracting(isUndecrypted ? [.protocolName] : [])
      } else if !isTunnel, detail.message(direction)?.head.isEmpty != false {
        unknown.insert(.fields)
      }
      return Message(
        facts: facts,
        findings: detail.findings.map(Finding.init),
        unknown: unknown
      )
    }
  }

  private static func destination(
    _ record: FlowRecord,
    _ aliases: [Hostname],
    _ policy: PolicySnapshot
  ) -> MessageFacts {
    let target = ExplainedTarget(record.url)
    var hosts: [TideCore.Host] = []
    for host in [TideCore.Host(record.host), record.sni.flatMap { TideCore.Host($0) }]
      + [target?.authority.host]
    {
      if let host, !hosts.contains(host) { hosts.append(host) }
    }
    let addresses = record.candidates.compactMap { IPAddress($0.address) }
    return MessageFacts(
      device: record.device,
      hosts: hosts.isEmpty ? addresses.map { .address($0) } : hosts,
      aliases: aliases,
      port: record.port,
      address: record.address.flatMap { IPAddress($0) },
      candidates: addresses.map(policy.candidate),
      method: Bytes(record.method),
      path: Bytes(record.method.isEmpty ? "" : target?.path ?? "/")
    )
  }

  private static func protocols(_ name: String, isHTTP2: Bool) -> [String] {
    switch name {
    case "grpc": ["h2", name]
    case "websocket": [isHTTP2 ? "h2" : "http/1.1", name]
    default: [name]
    }
  }

  /// The aliases that look-ups on its connection gave.
  private static func aliases(_ detail: FlowDetail) -> [Hostname] {
    var aliases: [Hostname] = []
    for line in detail.connection {
      guard let event = try? JSONDecoder().decode(LookUp.self, from: Data(line)),
        event.type == "dns"
      else { continue }
      for alias in event.aliases ?? [] {
        guard let name = Hostname(alias), !aliases.contains(name) else { continue }
        aliases.append(name)
      }
    }
    return aliases
  }

  private struct LookUp: Decodable {
    let type: String
    let aliases: [String]?
  }
}

/// A head as recorded, read loosely: what it says was decided long ago.
struct RecordedHead {
  let fields: HeaderFields
  let isHTTP2: Bool

  init(_ head: Bytes) {
    let lines = head.split(separator: 0x0A).map { line in
      String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
    }
    self.isHTTP2 = lines.first?.hasPrefix(":") == true
    self.fields = HeaderFields(
      lines.dropFirst(self.isHTTP2 ? 0 : 1).compactMap { line in
        // Pseudo-fields are no fields (RFC 9113 §8.3).
        guard !line.hasPrefix(":"), let colon = line.firstIndex(of: ":") else { return nil }
        let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
        return (String(line[..<colon]), String(value))
      }
    )
  }
}

extension Finding {
  /// A finding as far as rules ask for it.
  fileprivate init(_ record: FindingRecord) {
    self.init(
      kind: FindingKind(record.kind),
      certainty: Certainty(rawValue: record.certainty) ?? .possible,
      location: FindingLocation(rawValue: record.location) ?? .body,
      direction: Direction(rawValue: record.direction) ?? .request,
      path: record.path,
      encoding: record.encoding,
      range: 0..<0,
      value: Bytes(),
      inspector: ""
    )
  }
}
