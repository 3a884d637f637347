internal import TideCore
internal import TideCrypto

/// Looks through a case for the values that its findings are about.
///
/// A finding has a value's HMAC and where its bytes lie. Those bytes are cut out and looked for everywhere;
/// where they are the value itself, which the HMAC tells, so are its other spellings. Where they cannot be
/// cut out, the part that they lie in is withheld.
struct ShareSafeSurvey {
  /// The most values that are looked for.
  private static let mostValues = 50_000
  /// The most values whose encodings and digests are looked for too.
  private static let mostDeepValues = 2_000

  /// The most bytes of `layered`.
  private static let mostLayered = 16 << 20

  private let reader: CaseReader
  private let secret: [UInt8]
  private var safe: ShareSafe
  private var counts: [String: Int] = [:]
  /// Values whose other spellings are looked for already.
  private var spelled: Set<String> = []
  private var lastDevice = 0
  /// Bytes that hold a value in a layer or among other bytes, which may yet prove to be covered by the value's
  /// own spellings: then nothing around it has to go.
  private var layered: Set<Layered> = []
  private var layeredSize = 0
  /// Findings in a WebSocket message whose line is yet to come: it is the next of that direction.
  private var pending: [UInt64: [LogEvent]] = [:]

  private struct Layered: Hashable {
    let bytes: Bytes
    let placeholder: Int32
  }

  init(_ reader: CaseReader) throws(EvidenceFailure) {
    self.reader = reader
    let secret = try reader.secret ?? []
    self.secret = secret
    let key: [UInt8]
    do throws(CryptoFailure) {
      // A case handed on without its secret still gives tags that cannot be guessed back.
      key =
        secret.isEmpty
        ? try RandomBytes.make(32) : HMAC.sha256(key: secret, Array("share-safe tags".utf8))
    } catch {
      throw EvidenceFailure(error)
    }
    self.safe = ShareSafe(scrubber: ShareSafeScrubber(key: key))
  }

  mutating func run(
    known: [ShareSafe.KnownValue],
    progress: ExportProgress?
  ) throws(EvidenceFailure) -> ShareSafe {
    progress?.begin("reading findings")
    self.safe.origin = try ShareSafe.Origin(self.reader)
    var walk = try ExportWalk(self.reader, filter: .all, progress: progress)
    try walk.forEachItem { item throws(EvidenceFailure) in
      switch item {
      case .line(let event): try self.take(event)
      case .flow(let flow): try self.take(flow)
      }
    }
    for value in known { try self.insert(value) }
    let scrubber = self.safe.scrubber
    for layered in self.layered where !scrubber.covers(layered.bytes.array, layered.placeholder) {
      self.safe.scrubber.needles.insert(layered.bytes, layered.placeholder)
    }
    for (address, number) in self.safe.devices where IPAddress(address) != nil {
      let placeholder = self.safe.scrubber.insert(.init(kind: "device", tag: String(number)))
      self.safe.scrubber.needles.insert(address.utf8, placeholder)
    }
    return self.safe
  }

  private mutating func take(_ event: LogEvent) throws(EvidenceFailure) {
    switch event.type {
    case "connection", "flow-start": self.number(event)
    case "tree-head":
      guard self.safe.origin.manifestSHA256 == nil else { return }
      self.safe.origin.treeSize = event.members["size"]?.unsigned ?? 0
      self.safe.origin.treeRoot = event.members["root"]?.string
    case "finding":
      _ = try self.placeholder(
        kind: event.members["kind"]?.string ?? "",
        value: event.members["value"]?.string ?? ""
      )
      if event.members["location"]?.string == FindingLocation.websocket.rawValue,
        let flow = event.flow
      {
        self.pending[flow.number, default: []].append(event)
      }
    case "message": try self.take(message: event)
    case "flow-end":
      // A message that was not kept: its findings have nothing to be cut out of.
      if let flow = event.flow {
        self.withhold(self.pending.removeValue(forKey: flow.number) ?? [])
      }
    default: return
    }
  }

  /// Gives a device the next number, and its address the same.
  private mutating func number(_ event: LogEvent) {
    guard let name = event.members["device"]?.string else { return }
    if self.safe.devices[name] == nil {
      self.lastDevice += 1
      self.safe.devices[name] = self.lastDevice
    }
    if let client = event.members["client"]?.string, self.safe.devices[client] == nil {
      self.safe.devices[client] = self.safe.devices[name]
    }
  }

  /// Cuts the findings of a WebSocket message out of its payload.
  private mutating func take(message event: LogEvent) throws(EvidenceFailure) {
    guard let flow = event.flow, let message = SocketMessageRecord(event),
      message.stage == .original, let all = self.pending[flow.number]
    else { return }
    let found = all.filter { $0.members["direction"]?.string == message.direction.rawValue }
    guard !found.isEmpty else { return }
    self.pending[flow.number] = all.filter {
      $0.members["direction"]?.string != message.direction.rawValue
    }
    let content = ExportContent(
      message.sha256.map {
        FlowDetail.BodyReference(sha256: $0, size: message.size, isComplete: true)
      },
      self.reader
    )
    let bytes = try self.bytes(of: content)
    for event in found { try self.take(finding: event.members, flow, in: bytes) }
  }

  private mutating func withhold(_ events: [LogEvent]) {
    for event in events {
      guard let flow = event.flow,
        let direction = event.members["direction"]?.string.flatMap(Direction.init(rawValue:))
      else { continue }
      self.safe.withheld[flow.number, default: []].insert(.content(direction))
    }
  }

  /// Cuts the findings of a flow out of its heads and contents.
  private mutating func take(_ flow: ExportFlow) throws(EvidenceFailure) {
    guard !flow.findings.isEmpty else { return }
    let id = flow.record.flow
    if flow.leftOut > 0 {
      self.safe.withheld[id.number] = [
        .requestHead, .responseHead, .requestContent, .responseContent,
      ]
    }
    var parts = ShareSafeParts(flow, self.reader)
    for json in flow.findings {
      let members = JSONValue(Bytes(json))?.object ?? JSONObject()
      guard let location = members["location"]?.string.flatMap(FindingLocation.init(rawValue:)),
        let direction = members["direction"]?.string.flatMap(Direction.init(rawValue:))
      else { continue }
      switch location {
      case .websocket: continue
      case .body:
        let bytes = try self.bytes(of: parts.content(direction))
        try self.take(finding: members, id, in: bytes)
      case .path, .query, .header, .cookie, .trailer:
        try self.take(
          finding: members,
          id,
          in: parts.part(location, direction, path: members["path"]?.string ?? "")
        )
      }
    }
  }

  /// A content that is not larger than what is looked through; nil if there is none.
  private func bytes(of content: ExportContent) throws(EvidenceFailure) -> [Bytes] {
    switch try content.survey(limit: ShareSafe.longestContent) {
    case .empty, .missing, .tooLarge: return []
    case .readable(_, _, let kept?): return [kept]
    case .readable(_, _, nil):
      var bytes: [UInt8] = []
      try content.forEachPiece { piece throws(EvidenceFailure) in bytes.append(contentsOf: piece) }
      return [Bytes(bytes)]
    }
  }

  /// Cuts a finding's bytes out of the first of some parts that can be the one it was made in.
  private mutating func take(
    finding members: JSONObject,
    _ flow: FlowID,
    in parts: [Bytes]
  ) throws(EvidenceFailure) {
    let kind = members["kind"]?.string ?? ""
    let value = members["value"]?.string ?? ""
    let placeholder = try self.placeholder(kind: kind, value: value)
    let isPlain = (members["encoding"]?.array ?? []).last?.string.map {
      ["plain", "gzip", "deflate", "br", "zstd"].contains($0)
    }
    var isFound = false
    if let offset = members["offset"]?.unsigned.flatMap({ Int(exactly: $0) }),
      let length = members["length"]?.unsigned.flatMap({ Int(exactly: $0) }), length >= 2,
      length <= ShareSafeNeedles.longest
    {
      for part in parts where offset <= part.count && length <= part.count - offset {
        let bytes = part.slice(offset..<offset + length)
        let canonical = self.canonical(of: bytes, kind, value)
        // Of several fields of a name, the one that has the value.
        if canonical == nil, isPlain == true, parts.count > 1, !self.secret.isEmpty { continue }
        isFound = true
        if let canonical {
          self.safe.scrubber.needles.insert(bytes, placeholder)
          self.spell(canonical, kind, value, placeholder)
        } else if self.layeredSize < Self.mostLayered {
          let layered = Layered(bytes: Bytes(bytes.array), placeholder: placeholder)
          if self.layered.insert(layered).inserted { self.layeredSize += length }
        } else {
          self.safe.scrubber.needles.insert(bytes, placeholder)
        }
      }
    }
    guard !isFound else { return }
    let direction = members["direction"]?.string.flatMap(Direction.init(rawValue:)) ?? .request
    let location = members["location"]?.string.flatMap(FindingLocation.init(rawValue:)) ?? .body
    let part: ShareSafe.Withheld =
      switch location {
      case .body, .websocket: .content(direction)
      case .path, .query, .header, .cookie, .trailer: .head(direction)
      }
    self.safe.withheld[flow.number, default: []].insert(part)
  }

  /// The value that some bytes spell, if its HMAC is the finding's.
  private func canonical(of bytes: Bytes, _ kind: String, _ value: String) -> Bytes? {
    guard !self.secret.isEmpty else { return nil }
    return Self.readings(of: bytes).first { self.hmac(kind, $0.array) == value }
  }

  /// What some bytes may spell in the canonical form: of digits alone, in lower case.
  private static func readings(of bytes: Bytes) -> [Bytes] {
    var readings: [Bytes] = []
    for text in [bytes, Bytes(PercentText.decoded(bytes.array))] {
      let lower = text.map(ASCII.lowercased)
      let digits = text.filter(ASCII.isDigit)
      readings += [
        text, Bytes(lower), Bytes(digits), Bytes([0x2B] + digits),
        Bytes(lower.filter { ASCII.hexValue($0) != nil }),
      ]
    }
    return readings
  }

  /// The `value` of findings of a value; without the case's secret, something that no finding has.
  private func hmac(_ kind: String, _ value: [UInt8]) -> String {
    guard !self.secret.isEmpty else { return "\(kind) \(Hex.encode(value))" }
    return "hmac:" + Hex.encode(HMAC.sha256(key: self.secret, Array(kind.utf8) + [0] + value))
  }

  /// Takes a value that the caller knows; under the number of the findings of it, if there are any.
  private mutating func insert(_ known: ShareSafe.KnownValue) throws(EvidenceFailure) {
    guard known.value.count >= 2 else { return }
    let found = Self.readings(of: known.value).first { reading in
      self.safe.values[self.hmac(known.kind, reading.array)] != nil
    }
    let canonical = found ?? known.value
    let value = self.hmac(known.kind, canonical.array)
    let placeholder = try self.placeholder(kind: known.kind, value: value)
    self.safe.scrubber.needles.insert(known.value, placeholder)
    self.spell(canonical, known.kind, value, placeholder)
  }

  private mutating func spell(
    _ canonical: Bytes,
    _ kind: String,
    _ value: String,
    _ placeholder: Int32
  ) {
    guard self.spelled.insert(value).inserted else { return }
    ShareSafeSpellings.add(
      canonical,
      kind,
      placeholder,
      isDeep: self.spelled.count <= Self.mostDeepValues,
      to: &self.safe.scrubber.needles
    )
  }

  private mutating func placeholder(
    kind: String,
    value: String
  ) throws(EvidenceFailure) -> Int32 {
    if let known = self.safe.values[value] { return known }
    guard self.safe.values.count < Self.mostValues else {
      throw EvidenceFailure(
        .full,
        detail:
          "\(self.reader.path): more than \(Self.mostValues) values were found, too many to look for"
      )
    }
    self.counts[kind, default: 0] += 1
    let number = self.counts[kind] ?? 1
    let placeholder = self.safe.scrubber.insert(.init(kind: kind, tag: String(number)))
    self.safe.values[value] = placeholder
    return placeholder
  }
}
