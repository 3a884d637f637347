import TideCoding
public import TideCore

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
    var isSignatureBroken = false
    let authority = Self.authority(of: head.target)
    for piece in HeadPart.all(of: head, direction) {
      guard let result = self.replace(piece.bytes, piece.part, &order) else { return nil }
      if result.changes.isEmpty { continue }
      switch piece.place {
      case .fixed: return nil
      case .field(let index):
        if head.fields.isNamed("host", at: index) { return nil }
        values[index] = result.bytes
      case .target(let range):
        guard !result.changes.contains(where: { $0.range.overlaps(authority) }),
          Self.keepsSegments(piece.bytes, result.bytes, piece.part.location)
        else { return nil }
        target.replaceSubrange(range, with: result.bytes)
      }
      changes += result.changes
      isSignatureBroken = isSignatureBroken || result.isSignatureBroken
    }
    guard order.isComplete else { return nil }
    if changes.isEmpty { return RedactedHead(head: head, changes: []) }
    isSignatureBroken =
      isSignatureBroken
      || Self.signsChanges(
        head,
        hasNewTarget: !head.target.elementsEqual(target),
        fields: Array(values.keys)
      )
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
      changes: changes,
      isSignatureBroken: isSignatureBroken
    )
  }

  /// Whether a path still has its segments: what is in base64 (RFC 4648 §4) may have gained a slash.
  private static func keepsSegments(
    _ before: Bytes,
    _ after: Bytes,
    _ location: FindingLocation
  ) -> Bool {
    guard location == .path else { return true }
    // RFC 3986 §3.3: what ends a segment, and what ends the path.
    func ends(_ path: Bytes) -> [UInt8] { path.filter { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 } }
    return ends(before) == ends(after)
  }

  /// Whether a signature stands over what was changed in a head.
  ///
  /// One in the query is taken to stand over the target, one in a field over the target and the fields,
  /// but for those that belong to the client or the session and that no signer knows.
  private static func signsChanges(
    _ head: MessageHead,
    hasNewTarget: Bool,
    fields: [Int]
  ) -> Bool {
    if hasNewTarget, !Signatures.signedFields(in: head).isEmpty { return true }
    let signed = fields.contains { index in
      !head.fields.isNamed("cookie", at: index) && !head.fields.isNamed("user-agent", at: index)
        && !head.fields.isNamed("referer", at: index)
        && !head.fields.isNamed("authorization", at: index)
    }
    return signed && !Signatures.fields(head.fields).isEmpty
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
      if result.changes.isEmpty { continue }
      guard case .field(let index) = piece.place else { return nil }
      values[index] = result.bytes
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
    let codings: [ContentCoding]
    switch BodyFacts.coding(content.fields) {
    case .unknown: return nil
    case .identity: codings = []
    case .coded(let stated): codings = stated
    }
    guard let plain = Self.decode(body, codings, limits) else { return nil }
    guard plain.count <= limits.decodedBytes else { return nil }
    let names = codings.reversed().map(\.rawValue)
    let part = content.part(firstByte: plain.first ?? first, layers: names)
    guard let result = self.replace(plain, part, &order), order.isComplete else { return nil }
    if result.changes.isEmpty { return RedactedBody(body: body, changes: []) }
    let encoded = ContentEncoder.encode(result.bytes, codings, like: body)
    guard Self.decode(encoded, codings, limits) == result.bytes else { return nil }
    // Once more as a body that passes is searched: a value that overlaps another leaf may have stayed.
    guard !self.finds(order.taken, in: encoded, content) else { return nil }
    var alterations = result.alterations
    if !codings.isEmpty { alterations.insert(Alteration(before: body, after: encoded), at: 0) }
    return RedactedBody(
      body: encoded,
      changes: result.changes,
      isSignatureBroken: result.isSignatureBroken,
      alterations: alterations
    )
  }

  private func finds(_ values: Set<Seen>, in body: Bytes, _ content: Content) -> Bool {
    guard let inspection = self.makeInspection(of: content) else { return false }
    var found: [Finding] = []
    inspection.receive(body, &found)
    inspection.finish(&found)
    return found.contains { values.contains(Seen($0)) }
  }

  /// What replacing gave.
  private struct Replaced {
    let bytes: Bytes
    let changes: [RedactionRecord]
    var isSignatureBroken = false
    var alterations: [Alteration] = []
  }

  /// Replaces what `order` asks for in one part, and looks whether any of those values is left.
  private func replace(
    _ bytes: Bytes,
    _ part: Part,
    _ order: inout RedactionOrder
  ) -> Replaced? {
    var examination = Examination(self, part, self.budget())
    let specimen = examination.examine(bytes)
    guard examination.exceeded == nil else { return nil }
    var rewriting = Rewriting(self.plan, part, order)
    guard let result = rewriting.rewrite(specimen) else { return nil }
    order = rewriting.order
    if rewriting.changes.isEmpty { return Replaced(bytes: bytes, changes: []) }
    var again = Examination(self, part, self.budget())
    var left = Set<Seen>()
    again.examine(result).collect(&left)
    guard again.exceeded == nil, left.isDisjoint(with: order.taken) else { return nil }
    return Replaced(
      bytes: result,
      changes: rewriting.changes,
      isSignatureBroken: rewriting.isSignatureBroken,
      alterations: rewriting.alterations
    )
  }

  private static func decode(
    _ bytes: Bytes,
    _ codings: [ContentCoding],
    _ limits: DecodingLimits
  ) -> Bytes? {
    if codings.isEmpty { return bytes }
    var decoder = ContentDecoder(codings, limits: limits)
    var pieces: [Bytes] = []
    do throws(CodingFailure) {
      try decoder.decode(bytes, &pieces)
      try decoder.finish()
    } catch {
      return nil
    }
    var whole = Bytes()
    for piece in pieces { whole.append(piece) }
    return whole
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
