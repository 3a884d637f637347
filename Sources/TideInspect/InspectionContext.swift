public import TideCore

/// What one event loop needs to inspect: the shared plan and scratch of its own.
///
/// Confined to one thread; deliberately not Sendable.
public final class InspectionContext {
  let plan: InspectionPlan
  let scanner: NeedleScanner?

  /// Makes the scratch for one loop.
  ///
  /// - Throws: `needles` if there is no memory for it.
  public init(_ plan: InspectionPlan) throws(InspectionFailure) {
    self.plan = plan
    guard let database = plan.needles.database else {
      self.scanner = nil
      return
    }
    self.scanner = try NeedleScanner(database)
  }

  /// Searches a message's target, fields and cookies.
  ///
  /// Ranges count from the start of the target, also for the query, or of the field's value. The path
  /// is the query key, the field's name in lower case, or the cookie's name.
  public func inspect(head: MessageHead, direction: Direction) -> [Finding] {
    let target = self.suspicion(of: head.target, direction)
    let fields = self.suspicion(of: head.fields.buffer, direction)
    let suspicion = Suspicion(
      ofNeedles: target.ofNeedles || fields.ofNeedles,
      ofForms: target.ofForms || fields.ofForms
    )
    if suspicion.isNone { return [] }
    return self.inspect(HeadPart.all(of: head, direction), suspicion)
  }

  /// Searches a trailer section.
  public func inspect(trailers: HeaderFields, direction: Direction) -> [Finding] {
    let suspicion = self.suspicion(of: trailers.buffer, direction)
    if suspicion.isNone { return [] }
    return self.inspect(HeadPart.all(of: trailers, direction, isTrailer: true), suspicion)
  }

  /// Begins the inspection of a message's body; nil if nobody is interested in it.
  ///
  /// Not in a response that is an image, sound, film or font: whatever it holds, it is not the
  /// device's to leak.
  public func makeBodyInspection(head: MessageHead, direction: Direction) -> BodyInspection? {
    self.makeInspection(of: Content(direction: direction, fields: head.fields))
  }

  /// Begins the inspection of some content; nil as for a body.
  public func makeInspection(of content: Content) -> BodyInspection? {
    let readers = self.plan.inspectors(content.direction, content.location)
    guard self.scanner != nil || !readers.isEmpty else { return nil }
    switch content.direction {
    case .request: break
    case .response: if BodyFacts.isMedia(content.fields) { return nil }
    }
    return BodyInspection(self, content)
  }

  /// What a run of bytes may hold.
  private struct Suspicion {
    let ofNeedles: Bool
    /// Of what an inspector finds.
    let ofForms: Bool

    var isNone: Bool { !self.ofNeedles && !self.ofForms }
  }

  /// Looks at a whole section at once.
  ///
  /// Most hold nothing, and to take one apart costs more than to read it. A needle's string in a value is
  /// also in the section, and so is an inspector's trigger.
  private func suspicion(of bytes: Bytes, _ direction: Direction) -> Suspicion {
    bytes.withSpan { span in
      Suspicion(
        ofNeedles: self.scanner?.hasHit(in: span) ?? false,
        ofForms: self.plan.inspectors(direction).contains { $0.mayMatch(span) }
      )
    }
  }

  /// Searches parts that are there as a whole.
  private func inspect(_ parts: [HeadPart], _ suspicion: Suspicion) -> [Finding] {
    let scanner = suspicion.ofNeedles ? self.scanner : nil
    var findings: [Finding] = []
    for piece in parts {
      let groups = self.plan.inspectors(piece.part.direction, piece.part.location)
      let mayMatch = piece.bytes.withSpan { span in groups.contains { $0.mayMatch(span) } }
      guard scanner != nil || mayMatch else { continue }
      var strand = Strand(piece.part, self.plan)
      for match in strand.receive(piece.bytes, isFinal: true, scanner) {
        findings.append(strand.finding(match))
      }
    }
    return findings
  }
}

/// A piece of a head that is searched by itself.
struct HeadPart {
  /// Where the piece is kept in the head.
  enum Place {
    /// This range of the target.
    case target(Range<Int>)
    /// The value of the field at this index.
    case field(Int)
    /// The host that an HTTP/2 request is for.
    case authority
  }

  let place: Place
  let part: Part
  let bytes: Bytes

  /// The target before and after its `?`, and every field but those that frame the message.
  static func all(of head: MessageHead, _ direction: Direction) -> [HeadPart] {
    let target = head.target
    var parts: [HeadPart] = []
    if !target.isEmpty {
      let end = target.firstIndex(of: 0x3F) ?? target.count
      parts.append(
        HeadPart(
          place: .target(0..<end),
          part: Part(location: .path, direction: direction, syntax: .named(Bytes())),
          bytes: target.slice(0..<end)
        )
      )
      if end + 1 < target.count {
        parts.append(
          HeadPart(
            place: .target(end + 1..<target.count),
            part: Part(location: .query, direction: direction, syntax: .form, offset: end + 1),
            bytes: target.dropping(first: end + 1)
          )
        )
      }
    }
    if let authority = head.pseudo?.authority {
      parts.append(
        HeadPart(
          place: .authority,
          part: Part(location: .header, direction: direction, syntax: .named("host")),
          bytes: authority
        )
      )
    }
    return parts + self.all(of: head.fields, direction, isTrailer: false)
  }

  /// Every field but those that frame the message, and the one that is for us alone.
  static func all(
    of fields: HeaderFields,
    _ direction: Direction,
    isTrailer: Bool
  ) -> [HeadPart] {
    var parts: [HeadPart] = []
    parts.reserveCapacity(fields.count)
    for index in 0..<fields.count {
      let value = fields.value(at: index)
      if value.isEmpty || fields.isNamed("content-length", at: index)
        || fields.isNamed("transfer-encoding", at: index)
        || fields.isNamed("proxy-authorization", at: index)
      {
        continue
      }
      let isCookie =
        fields.isNamed("cookie", at: index) || fields.isNamed("set-cookie", at: index)
      parts.append(
        HeadPart(
          place: .field(index),
          part: Part(
            location: isTrailer ? .trailer : isCookie ? .cookie : .header,
            direction: direction,
            syntax: isCookie ? .cookie : .named(fields.name(at: index))
          ),
          bytes: value
        )
      )
    }
    return parts
  }
}
