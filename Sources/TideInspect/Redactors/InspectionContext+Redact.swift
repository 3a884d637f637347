public import TideCore
import TideCoding

extension InspectionContext {
  /// Replaces findings in a head by pseudonyms of the same length; every other byte stays.
  ///
  /// Nil if it cannot be done soundly: a finding that is not there, two that overlap, one in the name
  /// of the server, or a value that can still be found afterwards.
  public func redact(
    head: MessageHead,
    direction: Direction,
    findings: [Finding]
  ) -> RedactedHead? {
    var order = RedactionOrder(
      findings.filter { $0.direction == direction && Self.isInHead($0.location) }
    )
    var changes: [RedactionRecord] = []
    var target = head.target.array
    var values: [Int: Bytes] = [:]
    let authority = Self.authority(of: head.target)
    for piece in HeadPart.all(of: head, direction) {
      guard let result = self.replace(piece.bytes, piece.part, &order) else { return nil }
      if result.changes.isEmpty { continue }
      switch piece.place {
      case .authority: return nil
      case .field(let index):
        if head.fields.isNamed("host", at: index) { return nil }
        values[index] = result.bytes
      case .target(let range):
        guard !result.changes.contains(where: { $0.range.overlaps(authority) }) else { return nil }
        target.replaceSubrange(range, with: result.bytes)
      }
      changes += result.changes
    }
    guard order.isComplete else { return nil }
    if changes.isEmpty { return RedactedHead(head: head, changes: []) }
    // A new section, not a changed one: the old buffer would keep the values.
    var fields = HeaderFields()
    for index in 0..<head.fields.count {
      fields.append(
        name: head.fields.name(at: index),
        value: values[index] ?? head.fields.value(at: index),
        isNeverIndexed: head.fields.slots[index].isNeverIndexed
      )
    }
    let start: StartLine =
      switch head.start {
      case .request(let method, _): .request(method: method, target: Bytes(target))
      case .response: head.start
      }
    return RedactedHead(
      head: MessageHead(
        start: start,
        version: head.version,
        fields: fields,
        pseudo: head.pseudo
      ),
      changes: changes
    )
  }

  /// Replaces findings in a trailer section; nil as for a head.
  public func redact(
    trailers: HeaderFields,
    direction: Direction,
    findings: [Finding]
  ) -> (fields: HeaderFields, changes: [RedactionRecord])? {
    var order = RedactionOrder(
      findings.filter { $0.direction == direction && $0.location == .trailer }
    )
    var changes: [RedactionRecord] = []
    var values: [Int: Bytes] = [:]
    for piece in HeadPart.all(of: trailers, direction, isTrailer: true) {
      guard let result = self.replace(piece.bytes, piece.part, &order) else { return nil }
      if case .field(let index) = piece.place { values[index] = result.bytes }
      changes += result.changes
    }
    guard order.isComplete else { return nil }
    var fields = HeaderFields()
    for index in 0..<trailers.count {
      fields.append(
        name: trailers.name(at: index),
        value: values[index] ?? trailers.value(at: index)
      )
    }
    return (fields, changes)
  }

  /// Replaces findings in a whole body, inside its content coding, by pseudonyms of the same length.
  ///
  /// Decoded, replaced, encoded again, decoded again and searched again. Nil if any of that fails: an
  /// unknown coding, a limit, a finding that is not there, or a value that can still be found.
  public func redact(
    body: Bytes,
    head: MessageHead,
    direction: Direction,
    findings: [Finding]
  ) -> RedactedBody? {
    self.redact(body, Content(direction: direction, fields: head.fields), findings: findings)
  }

  /// Replaces findings in some content; nil as for a body.
  public func redact(_ body: Bytes, _ content: Content, findings: [Finding]) -> RedactedBody? {
    var order = RedactionOrder(
      findings.filter { $0.direction == content.direction && $0.location == content.location }
    )
    guard let first = body.first else {
      return order.isEmpty ? RedactedBody(body: body, changes: []) : nil
    }
    let limits = DecodingLimits(
      decodedBytes: self.plan.limits.decodedBytes,
      ratio: self.plan.limits.decodedRatio
    )
    switch BodyFacts.coding(content.fields) {
    case .unknown: return nil
    case .identity:
      guard body.count <= limits.decodedBytes else { return nil }
      let part = content.part(firstByte: first, layers: [])
      guard let result = self.replace(body, part, &order), order.isComplete else { return nil }
      return RedactedBody(body: result.bytes, changes: result.changes)
    case .deflate(let name, let stated):
      let format = stated ?? .ofDeflateBody(firstByte: first)
      guard let plain = Self.decode(body, format, limits) else { return nil }
      let part = content.part(firstByte: plain.first ?? 0, layers: [name])
      guard let result = self.replace(plain, part, &order), order.isComplete else { return nil }
      if result.changes.isEmpty { return RedactedBody(body: body, changes: []) }
      let encoded = Gzip.encode(result.bytes, format: format)
      guard Self.decode(encoded, format, limits) == result.bytes else { return nil }
      return RedactedBody(body: encoded, changes: result.changes)
    }
  }

  /// Replaces what `order` asks for in one part, and looks whether any of those values is left.
  private func replace(
    _ bytes: Bytes,
    _ part: Part,
    _ order: inout RedactionOrder
  ) -> (bytes: Bytes, changes: [RedactionRecord])? {
    var strand = Strand(part, self.plan)
    let matches = strand.receive(bytes, isFinal: true, self.scanner)
    var result = bytes.array
    var changes: [RedactionRecord] = []
    var replaced = Set<Seen>()
    var end = 0
    for match in matches {
      let finding = strand.finding(match)
      guard order.takes(finding) else { continue }
      guard let pseudonym = self.pseudonym(for: match) else { return nil }
      replaced.insert(Seen(match))
      // The longer comes first: what lies inside it is gone with it; what only overlaps is not.
      if match.range.upperBound <= end { continue }
      guard match.range.lowerBound >= end,
        let new = Replacement.bytes(for: match, in: bytes, with: pseudonym, self.plan.needles)
      else { return nil }
      result.replaceSubrange(match.range, with: new)
      end = match.range.upperBound
      changes.append(
        RedactionRecord(
          kind: match.kind,
          location: part.location,
          path: finding.path,
          range: finding.range,
          pseudonym: pseudonym.canonical
        )
      )
    }
    if changes.isEmpty { return (bytes, []) }
    var again = Strand(part, self.plan)
    let rest = again.receive(Bytes(result), isFinal: true, self.scanner)
    guard !rest.contains(where: { replaced.contains(Seen($0)) }) else { return nil }
    return (Bytes(result), changes)
  }

  /// A value, wherever it is.
  private struct Seen: Hashable {
    let kind: FindingKind
    let value: Bytes

    init(_ match: Match) {
      self.kind = match.kind
      self.value = match.value
    }
  }

  private func pseudonym(for match: Match) -> Subject? {
    let subject: Subject?
    switch match.source {
    case .needle(let index):
      let needles = self.plan.needles
      subject = needles.values[needles.needles[index].value].subject
    case .inspector: subject = Subject(match.kind, match.value.text)
    }
    return subject.flatMap { self.plan.pseudonyms.pseudonym(match.kind, $0) }
  }

  private static func decode(
    _ bytes: Bytes,
    _ format: DeflateFormat,
    _ limits: DecodingLimits
  ) -> Bytes? {
    do throws(CodingFailure) {
      return try Gzip.decode(bytes, format: format, limits: limits)
    } catch {
      return nil
    }
  }

  private static func isInHead(_ location: FindingLocation) -> Bool {
    switch location {
    case .path, .query, .header, .cookie: true
    case .body, .trailer, .websocket: false
    }
  }

  /// Where an absolute-form target (RFC 9112 §3.2.2) names the server; empty in the other forms.
  private static func authority(of target: Bytes) -> Range<Int> {
    guard target.first != 0x2F else { return 0..<0 }
    let isAbsolute = target.count > 3 && target.contains(0x3A)
    guard isAbsolute else { return 0..<target.count }
    // RFC 3986 §3.2: it begins after `//` and ends at the next `/` or `?`.
    var slashes = 0
    for (index, byte) in target.enumerated() {
      if byte == 0x2F { slashes += 1 }
      if slashes == 3 || slashes == 2 && byte == 0x3F { return 0..<index }
    }
    return 0..<target.count
  }
}
