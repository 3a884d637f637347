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
    HeadPart.all(of: head, direction).flatMap { self.inspect($0.part, $0.bytes) }
  }

  /// Searches a trailer section.
  public func inspect(trailers: HeaderFields, direction: Direction) -> [Finding] {
    HeadPart.all(of: trailers, direction, isTrailer: true).flatMap {
      self.inspect($0.part, $0.bytes)
    }
  }

  /// Begins the inspection of a message's body; nil if nobody is interested in it.
  ///
  /// Not in a response that is an image, sound, film or font: whatever it holds, it is not the
  /// device's to leak.
  public func makeBodyInspection(head: MessageHead, direction: Direction) -> BodyInspection? {
    let hasReader = self.scanner != nil || !self.plan.inspectors(direction, .body).isEmpty
    guard hasReader else { return nil }
    switch direction {
    case .request: break
    case .response: if BodyFacts.isMedia(head.fields) { return nil }
    }
    return BodyInspection(self, head, direction)
  }

  /// Searches a part that is there as a whole.
  private func inspect(_ part: Part, _ bytes: Bytes) -> [Finding] {
    var strand = Strand(part, self.plan)
    return strand.receive(bytes, isFinal: true, self.scanner).map { strand.finding($0) }
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
    return parts + self.all(of: head.fields, direction, isTrailer: false)
  }

  /// Every field but those that frame the message.
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
