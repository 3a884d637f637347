public import TideCore
import TideDecoding

/// What one event loop needs to inspect: the shared plan and scratch of its own.
///
/// Confined to one thread; deliberately not Sendable.
public final class InspectionContext {
  let plan: InspectionPlan
  let scanner: NeedleScanner?
  private let clock: (any MonotonicClock)?
  /// What examinations remember; nil while one has it.
  private var glances: DecoderGlances?
  /// Decoded bytes that bodies under way have gathered.
  var gathered = 0
  /// What need not be searched again.
  var quiet = QuietValues()

  /// Makes the scratch for one loop.
  ///
  /// - Parameters:
  ///   - plan: what to search for.
  ///   - clock: who knows the time, for the limit on it; nil for none.
  /// - Throws: `needles` if there is no memory for it.
  public init(
    _ plan: InspectionPlan,
    clock: (any MonotonicClock)? = nil
  ) throws(InspectionFailure) {
    self.plan = plan
    self.clock = clock
    guard let database = plan.needles.database else {
      self.scanner = nil
      return
    }
    self.scanner = try NeedleScanner(database)
  }

  /// The limit that kept a layer closed in the head or trailer section inspected last; nil if none did.
  ///
  /// A rule that enforces goes to its `otherwise`.
  public private(set) var limitMetInHead: String?

  /// Searches a message's target, fields and cookies.
  ///
  /// Ranges count from the start of the target, also for the query, or of the field's value. The path
  /// is the query key, the field's name in lower case, or the cookie's name.
  public func inspect(head: MessageHead, direction: Direction) -> [Finding] {
    var search = HeadSearch()
    if !self.isQuietBeforeFields(head, direction) {
      for piece in HeadPart.beforeFields(of: head, direction) {
        let key = piece.key(direction)
        if !self.quiet.contains(key) { self.search([piece], key, &search) }
      }
    }
    self.search(head.fields, direction, isTrailer: false, &search)
    self.limitMetInHead = search.exceeded
    return search.findings
  }

  /// Whether it is known that nothing is in what comes before the fields.
  private func isQuietBeforeFields(_ head: MessageHead, _ direction: Direction) -> Bool {
    guard HeadPart.method(of: head) == nil,
      self.quiet.contains(target: head.target, direction)
    else { return false }
    guard let authority = head.pseudo?.authority else { return true }
    return self.quiet.contains(
      QuietValues.Key(
        place: .field,
        direction: direction,
        name: HeadPart.host,
        value: authority
      )
    )
  }

  /// Searches a trailer section.
  public func inspect(trailers: HeaderFields, direction: Direction) -> [Finding] {
    var search = HeadSearch()
    self.search(trailers, direction, isTrailer: true, &search)
    self.limitMetInHead = search.exceeded
    return search.findings
  }

  /// Lends what examinations remember of decoders.
  func takeGlances() -> DecoderGlances {
    defer { self.glances = nil }
    return self.glances ?? DecoderGlances(self.plan.decoders)
  }

  /// Takes back what was lent.
  func giveBack(_ glances: consuming DecoderGlances) { self.glances = glances }

  /// What opening the layers of one message may cost.
  func budget() -> DecodingBudget {
    let limits = self.plan.limits
    return DecodingBudget(
      bytes: limits.decodedBytes,
      nodes: limits.decodedNodes,
      depth: limits.decodedDepth,
      ratio: limits.decodedRatio,
      nanoseconds: limits.decodedTime,
      clock: self.clock
    )
  }

  /// Begins the inspection of a message's body; nil if nobody is interested in it.
  ///
  /// Not in a response that is an image, sound, film or font: whatever it holds, it is not the
  /// device's to leak.
  public func makeBodyInspection(
    head: MessageHead,
    direction: Direction,
    isStream: Bool = false
  ) -> BodyInspection? {
    self.makeInspection(
      of: Content(direction: direction, fields: head.fields, isStream: isStream)
    )
  }

  /// Begins the inspection of some content; nil as for a body.
  public func makeInspection(of content: Content) -> BodyInspection? {
    let readers = self.plan.inspectors(content.direction, content.location)
    let leafReaders = self.plan.leafInspectors(content.direction, content.location)
    guard self.scanner != nil || !readers.isEmpty || !leafReaders.isEmpty else { return nil }
    switch content.direction {
    case .request: break
    case .response: if BodyFacts.isMedia(content.fields) { return nil }
    }
    return BodyInspection(self, content)
  }

  /// What the search of one head has come to.
  private struct HeadSearch {
    var findings: [Finding] = []
    /// What is left for the head; nil until something is opened.
    var budget: DecodingBudget?
    /// The limit that was met first.
    var exceeded: String?
  }

  private func search(
    _ fields: HeaderFields,
    _ direction: Direction,
    isTrailer: Bool,
    _ search: inout HeadSearch
  ) {
    let place: QuietValues.Place = isTrailer ? .trailer : .field
    for index in self.quiet.unknown(in: fields, place, direction) {
      let key = QuietValues.Key(
        place: place,
        direction: direction,
        name: fields.name(at: index),
        value: fields.value(at: index)
      )
      let pieces = HeadPart.all(ofFieldAt: index, fields, direction, isTrailer: isTrailer)
      self.search(pieces, key, &search)
    }
  }

  /// Searches pieces that one key stands for; if nothing is in them they are not searched again.
  private func search(_ pieces: [HeadPart], _ key: QuietValues.Key, _ search: inout HeadSearch) {
    var isQuiet = true
    for piece in pieces where self.mayFind(piece) {
      var examination = Examination(self, piece.part, search.budget ?? self.budget())
      let found = examination.examine(piece.bytes).findings(piece.part, self.plan.name(of:))
      search.findings += found
      search.budget = examination.budget
      search.exceeded = search.exceeded ?? examination.exceeded?.rawValue
      isQuiet = isQuiet && found.isEmpty && examination.exceeded == nil
    }
    // What is not searched need not be known either: a password for us is in no table.
    if isQuiet, !pieces.isEmpty { self.quiet.insert(key) }
  }

  /// Whether anything may be found in a piece; at once, and without allocation.
  private func mayFind(_ piece: HeadPart) -> Bool {
    piece.bytes.withSpan { span in
      LayerGlance.mayHoldLayer(span) || self.plan.leafInspectors.contains { $0.mayFind(in: span) }
    } || self.plan.mayMatch(piece.bytes, piece.part, self.scanner)
  }
}

/// Tells at a glance that a line of text is nothing but words.
enum LayerGlance {
  /// Shorter runs of letters and digits are words, and hold no identifier in any coding.
  private static let shortestRun = 12
  /// Eight characters in base64, without padding; among so few digits is a numeral.
  private static let shortestMixedRun = 11

  /// Whether a layer may be in `span`: an escape, structure, or a run that may be base64 or hex.
  static func mayHoldLayer(_ span: Span<UInt8>) -> Bool {
    var run = 0
    var hasNumeral = false
    for index in 0..<span.count {
      switch span[index] {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x5F:
        run += 1
        hasNumeral = hasNumeral || span[index] < 0x3A
        if run >= (hasNumeral ? self.shortestMixedRun : self.shortestRun) { return true }
      case 0x25, 0x26, 0x5B, 0x5C, 0x7B, 0x80..., 0x00..<0x09: return true
      default:
        run = 0
        hasNumeral = false
      }
    }
    return false
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
    /// What cannot be changed: the host that an HTTP/2 request is for, a method, a field's name.
    case fixed
  }

  /// What whom an HTTP/2 request is for is called.
  static let host: Bytes = "host"

  let place: Place
  let part: Part
  let bytes: Bytes

  /// The target before and after its `?`, and every field but those that frame the message.
  static func all(of head: MessageHead, _ direction: Direction) -> [HeadPart] {
    self.beforeFields(of: head, direction) + self.all(of: head.fields, direction, isTrailer: false)
  }

  /// The target before and after its `?`, whom an HTTP/2 request is for, and what is asked.
  static func beforeFields(of head: MessageHead, _ direction: Direction) -> [HeadPart] {
    let target = head.target
    var parts: [HeadPart] = []
    if !target.isEmpty {
      parts.reserveCapacity(2)
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
          place: .fixed,
          part: Part(location: .header, direction: direction, syntax: .named(self.host)),
          bytes: authority
        )
      )
    }
    if let method = self.method(of: head) {
      let part = Part(location: .header, direction: direction, syntax: .named("method"))
      parts.append(HeadPart(place: .fixed, part: part, bytes: method))
    }
    return parts
  }

  /// Every field but those that frame the message, and the one that is for us alone.
  static func all(
    of fields: HeaderFields,
    _ direction: Direction,
    isTrailer: Bool
  ) -> [HeadPart] {
    (0..<fields.count).flatMap {
      self.all(ofFieldAt: $0, fields, direction, isTrailer: isTrailer)
    }
  }

  /// A field's value, and its name if that may be a message in itself.
  static func all(
    ofFieldAt index: Int,
    _ fields: HeaderFields,
    _ direction: Direction,
    isTrailer: Bool
  ) -> [HeadPart] {
    var parts: [HeadPart] = []
    let name = fields.name(at: index)
    if self.mayHoldValue(name) {
      let location: FindingLocation = isTrailer ? .trailer : .header
      let part = Part(location: location, direction: direction, syntax: .named(name))
      parts.append(HeadPart(place: .fixed, part: part, bytes: name))
    }
    let value = fields.value(at: index)
    if value.isEmpty || self.isOurs(index, fields) { return parts }
    let isCookie = fields.isNamed("cookie", at: index) || fields.isNamed("set-cookie", at: index)
    parts.append(
      HeadPart(
        place: .field(index),
        part: Part(
          location: isTrailer ? .trailer : isCookie ? .cookie : .header,
          direction: direction,
          syntax: isCookie ? .cookie : .named(name)
        ),
        bytes: value
      )
    )
    return parts
  }

  /// Whether a field frames the message, or is for us alone: nothing is searched for in it.
  static func isOurs(_ index: Int, _ fields: HeaderFields) -> Bool {
    switch fields.slots[index].name.count {
    case 14: fields.isNamed("content-length", at: index)
    case 17: fields.isNamed("transfer-encoding", at: index)
    case 19: fields.isNamed("proxy-authorization", at: index)
    default: false
    }
  }

  /// What is found in a piece that is no field depends on this.
  func key(_ direction: Direction) -> QuietValues.Key {
    let place: QuietValues.Place =
      switch self.part.location {
      case .path: .path
      case .query: .query
      case .header, .cookie, .trailer, .body, .websocket: .field
      }
    let name: Bytes =
      switch self.part.syntax {
      case .named(let name): name
      case .form, .cookie, .json: Bytes()
      }
    return QuietValues.Key(place: place, direction: direction, name: name, value: self.bytes)
  }

  /// A request's method, if it may be a message in itself.
  static func method(of head: MessageHead) -> Bytes? {
    guard case .request(let method, _) = head.start, self.mayHoldValue(method) else { return nil }
    return method
  }

  /// Whether a name or a method may be a message in itself: those that standards define have no digits.
  private static func mayHoldValue(_ name: Bytes) -> Bool {
    name.count >= 8 && name.contains(where: ASCII.isDigit)
  }
}
