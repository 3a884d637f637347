internal import TideCore
internal import TideDecoding
internal import TideEvidence

/// The first occurrence of a kind of value to a host, with all that shows where it comes from.
struct Exhibit {
  /// Bytes with a box in them.
  struct Excerpt {
    let before: Bytes
    let boxed: Bytes
    let after: Bytes
    /// How many bytes are left out in front, in the box and behind.
    let omitted: (before: Int, inside: Int, after: Int)

    static let around = 64
    static let mostInside = 240

    init(_ bytes: Bytes, _ box: Range<Int>) {
      var start = max(0, box.lowerBound - Self.around)
      var end = min(bytes.count, box.upperBound + Self.around)
      // Not in the middle of a character (RFC 3629 §3).
      for _ in 0..<3 where start < box.lowerBound && bytes[start] & 0xC0 == 0x80 { start += 1 }
      for _ in 0..<3 where end < bytes.count && bytes[end] & 0xC0 == 0x80 { end += 1 }
      let shown = box.lowerBound..<min(box.upperBound, box.lowerBound + Self.mostInside)
      self.before = bytes.slice(start..<box.lowerBound)
      self.boxed = bytes.slice(shown)
      self.after = shown == box ? bytes.slice(box.upperBound..<end) : Bytes()
      self.omitted = (
        start, box.count - shown.count, bytes.count - (shown == box ? end : shown.upperBound)
      )
    }
  }

  /// Why there are no bytes to show.
  enum Absence {
    /// The mode keeps none.
    case notKept
    /// They were removed, or are damaged.
    case unreadable
    /// The recorded place is not in them.
    case notFound
  }

  private static let mostContent: UInt64 = 32 << 20

  let group: Tally.Group
  let finding: FindingRecord
  let members: LogMembers?
  let flow: FlowRecord
  let requestLine: String
  /// Numbers of lines of the log: the finding's, the head's, the content's.
  var lines: [(type: String, sequence: UInt64)] = []
  var bodyDigest: String?
  var location: FindingLocation
  /// The part as it stands in the record; nil if there is none to show.
  var outer: Excerpt?
  /// What the layers hold, if there are any.
  var inner: Excerpt?
  var found: ValueTrace.Found?
  /// The content codings that were taken off first.
  var layers: [String] = []
  /// The field that it is in, of a head.
  var partName = ""
  var absence: Absence?
  /// What went on in the value's place; nil if the value did.
  var pseudonym: String?
  /// What databases said of the address dialled.
  var signals: [LogMembers.Signal] = []
  var handshake: String?

  init(_ group: Tally.Group, _ reader: CaseReader, secret: [UInt8]?) throws(EvidenceFailure) {
    let finding = group.example
    let detail = try reader.flow(finding.flow)
    let members = LogMembers(finding.json)
    self.group = group
    self.finding = finding
    self.members = members
    self.flow = detail.record
    self.location = FindingLocation(rawValue: finding.location) ?? .body
    let direction = Direction(rawValue: finding.direction) ?? .request
    let message = detail.message(direction)
    let head = MessageParts(message?.head ?? Bytes())
    let request = MessageParts(detail.message(.request)?.head ?? Bytes())
    self.requestLine = request.requestLine
    self.lines = [("finding", finding.sequence)]
    for line in try reader.messageLines(of: detail.record) {
      guard let members = LogMembers(line.json), members.direction == finding.direction,
        members.stage == BodyStage.original.rawValue
      else { continue }
      self.lines.append((line.type, line.sequence))
    }
    self.signals = Self.signals(detail)
    self.pseudonym =
      detail.redactions.first {
        $0.kind == finding.kind && $0.location == finding.location && $0.path == finding.path
      }?.pseudonym
    self.handshake = detail.handshakes.first { $0.facts.leg == "downstream" }
      .map { "\($0.facts.version) \($0.facts.cipher)" }
    guard let offset = members?.offset, let length = members?.length, offset >= 0, length > 0,
      offset <= 1 << 40, length <= 1 << 40
    else {
      self.absence = .notFound
      return
    }
    let target = ValueTrace.Target(
      path: finding.path,
      encoding: finding.encoding == ["plain"] ? [] : finding.encoding,
      range: offset..<offset + length
    )
    let parts: [ValueTrace.Part]
    do throws(EvidenceFailure) {
      parts = try self.parts(target, head, message, direction, reader)
    } catch {
      guard [.notFound, .malformed].contains(error.code) else { throw error }
      self.absence = .unreadable
      return
    }
    guard !parts.isEmpty else {
      self.absence = .notKept
      return
    }
    self.trace(
      target,
      parts,
      ValueCheck(kind: finding.kind, value: members?.value ?? "", secret: secret)
    )
  }

  private mutating func trace(
    _ target: ValueTrace.Target,
    _ parts: [ValueTrace.Part],
    _ check: ValueCheck?
  ) {
    var best: (ValueTrace.Found, ValueTrace.Part)?
    for part in parts {
      var trace = ValueTrace(target, check)
      guard let found = trace.find(in: part) else { continue }
      if let other = best, other.0.basis.rawValue >= found.basis.rawValue { continue }
      best = (found, part)
      if found.basis == .checked { break }
    }
    guard let (found, part) = best else {
      self.absence = .notFound
      return
    }
    self.found = found
    self.layers = part.layers
    let range = target.range.lowerBound - part.base..<target.range.upperBound - part.base
    self.outer = Excerpt(part.bytes, range)
    self.partName = part.name
    // Where the value is written as it is, it is in the box already.
    if found.bytes.slice(found.box) != part.bytes.slice(range) {
      self.inner = Excerpt(found.bytes, found.box)
    }
  }

  /// The recorded bytes that the finding may be in.
  private mutating func parts(
    _ target: ValueTrace.Target,
    _ head: MessageParts,
    _ message: FlowDetail.Message?,
    _ direction: Direction,
    _ reader: CaseReader
  ) throws(EvidenceFailure) -> [ValueTrace.Part] {
    switch self.location {
    case .path, .query, .header, .cookie: return head.parts(of: self.location, path: target.path)
    case .trailer:
      // A trailer section has no start line: one is put before it.
      let section = MessageParts(
        Bytes(Array("trailers\r\n".utf8) + (message?.trailers.array ?? []))
      )
      return section.parts(of: .trailer, path: target.path)
    case .websocket:
      let found = try reader.socketMessage(
        of: self.finding.flow,
        direction,
        after: self.finding.sequence
      )
      guard let found, let digest = found.message.sha256 else { return [] }
      self.lines.append(("message", found.line.sequence))
      self.bodyDigest = digest
      return [
        ValueTrace.Part(
          bytes: try reader.body(digest, limit: 16 << 20),
          context: LayerContext(place: .content)
        )
      ]
    case .body:
      guard let message, let body = message.body, body.size > 0 else { return [] }
      self.bodyDigest = body.sha256
      // Nothing was searched further than `inspect.decoded_limit`.
      let isWhole = body.size <= Self.mostContent
      guard isWhole || head.contentLayers.isEmpty else { return [] }
      let content =
        isWhole
        ? try reader.decodedBody(message)
        : try reader.start(ofBody: body.sha256, count: Int(Self.mostContent))
      return ContentParts.parts(content, head, target)
    }
  }

  /// What databases said of the address dialled, or of the first candidate.
  private static func signals(_ detail: FlowDetail) -> [LogMembers.Signal] {
    let candidates =
      detail.connection.lazy.compactMap { LogMembers($0) }
      .filter { $0.type == "decided" }.compactMap(\.candidates).first ?? []
    let dialled = candidates.first { $0.address == detail.record.address }
    return Array(((dialled ?? candidates.first)?.signals ?? []).prefix(8))
  }
}
