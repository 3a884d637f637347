import TideCore
import TideDecoding

/// Searches one part of a message that is there as a whole, through every layer that opens.
///
/// A part is opened first, so that its places have names; then its bytes are searched as they are, and
/// each leaf that is written differently, or opens again, is a specimen of its own. Where bytes can be read
/// in several ways, the first reading in which something is found counts, else the first.
struct Examination {
  let plan: InspectionPlan
  let scanner: NeedleScanner?
  let part: Part
  private(set) var budget: DecodingBudget
  private let context: InspectionContext
  private var glances: DecoderGlances
  private var isDeep = false

  /// Leaves that are shorter hold no layer.
  private static let shortest = 8

  init(_ context: InspectionContext, _ part: Part, _ budget: DecodingBudget) {
    self.plan = context.plan
    self.scanner = context.scanner
    self.context = context
    // Until it examines something.
    self.glances = DecoderGlances([])
    self.part = part
    self.budget = budget
  }

  /// What ran out, so that something may not have been opened; nil if nothing did.
  var exceeded: DecodingBudget.Limit? { self.budget.exceeded ?? (self.isDeep ? .depth : nil) }

  /// Searches a whole part.
  ///
  /// - Parameters:
  ///   - bytes: the part, its content coding off.
  ///   - searchesPart: whether the part's own bytes are searched, or only what is inside: what streamed
  ///     by was searched then.
  /// - Returns: the part with all that was seen in it.
  mutating func examine(_ bytes: Bytes, searchesPart: Bool = true) -> Specimen {
    self.glances = self.context.takeGlances()
    defer {
      self.context.giveBack(self.glances)
      self.glances = DecoderGlances([])
    }
    let specimen = self.examine(
      bytes,
      self.part.context(keys: self.plan.payloadKeys),
      Surroundings(
        encoding: self.part.layers,
        place: .part(self.part.name),
        searches: searchesPart
      )
    )
    SetMembers.dropLoneMembers(of: specimen)
    return specimen
  }

  /// What is known of a specimen from the layers around it.
  private struct Surroundings {
    let encoding: [String]
    let place: SpecimenPlace
    /// Whether its own bytes are to be searched: of a leaf that is written as it is, they were.
    let searches: Bool
    /// Whether leaf inspectors have seen it as a leaf of the layer around.
    var isInspected = false
  }

  private mutating func examine(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ surroundings: Surroundings,
    _ decoders: UInt64? = nil
  ) -> Specimen {
    let specimen = Specimen(bytes, encoding: surroundings.encoding)
    // A picture is nothing but a picture.
    let isMedia = !surroundings.isInspected && MediaMagic.isMedia(bytes)
    if bytes.count >= Self.shortest, decoders != 0, !isMedia {
      self.open(specimen, context, surroundings, decoders)
    }
    if surroundings.searches { self.search(specimen, surroundings) }
    if isMedia { return specimen }
    self.inspectLeaves(specimen, context, surroundings)
    self.dropShadowed(specimen)
    return specimen
  }

  // MARK: Opening

  private mutating func open(
    _ specimen: Specimen,
    _ context: LayerContext,
    _ surroundings: Surroundings,
    _ decoders: UInt64?
  ) {
    let shape = Shape(specimen.bytes)
    var first: Specimen.OpenedLayer?
    var rest = decoders ?? self.glances.mask(shape, context, way: nil)
    while rest != 0 {
      let decoder = self.plan.decoders[rest.trailingZeroBitCount]
      rest &= rest - 1
      guard !self.budget.isExceeded,
        let layer = decoder.open(specimen.bytes, context, &self.budget)
      else { continue }
      guard context.around.count < self.budget.depth else {
        self.isDeep = true
        return
      }
      let opened = Specimen.OpenedLayer(
        layer,
        decoder,
        LayerPlaces(
          layer,
          specimen.bytes,
          surroundings.place
        ),
        context
      )
      self.examineLeaves(
        opened,
        specimen,
        context,
        surroundings,
        isBinary: shape.classes.contains(.control) || Decoders.isBinary(layer.decoder)
      )
      let isTelling = opened.children.values.contains { $0.hasMatches }
      if layer.isCertain || isTelling {
        specimen.layer = opened
        return
      }
      if first == nil { first = opened }
    }
    specimen.layer = first
  }

  /// Examines the leaves that are written differently, or open again.
  ///
  /// In binary what stands beside a leaf says nothing of it: a tag may be a letter, a length a digit. There
  /// every leaf is searched by itself.
  private mutating func examineLeaves(
    _ opened: Specimen.OpenedLayer,
    _ specimen: Specimen,
    _ context: LayerContext,
    _ surroundings: Surroundings,
    isBinary: Bool
  ) {
    let layer = opened.layer
    var inner = context
    inner.place = .leaf
    inner.mediaType = ""
    inner.boundary = nil
    inner.around.append(layer.decoder)
    let way = self.glances.way(inner.around)
    let encoding = surroundings.encoding + layer.names
    let isCoding = !layer.names.isEmpty
    var survey = LeafSurvey()
    survey.reserve(layer.nodes.count)
    var finder = LeafFinder(
      isCoding ? nil : self.scanner,
      self.plan,
      self.part,
      layer,
      specimen.bytes,
      isBinary: isBinary
    )
    if isBinary, !isCoding { specimen.hasNeedle = !finder.isWithoutNeedles }
    for index in layer.nodes.indices {
      let isVerbatim: Bool
      let shape: Shape
      let isFound: Bool
      switch layer.nodes[index].content {
      case .group: continue
      case .verbatim:
        survey.add(index)
        isVerbatim = true
        let range = layer.nodes[index].range
        // Shorter ones hold nothing, whoever looks.
        guard range.count >= 3 else { continue }
        shape = specimen.bytes.withSpan { Shape($0, range) }
        isFound = isBinary && finder.mayMatch(verbatim: range, specimen.bytes, shape)
      case .value(let value):
        survey.add(index)
        isVerbatim = false
        guard !value.isEmpty else { continue }
        shape = Shape(value)
        isFound = isCoding || finder.mayMatch(value, shape)
      }
      survey.note(shape, index)
      if isVerbatim, !isBinary, shape.count < Self.shortest { continue }
      var decoders: UInt64 = 0
      if shape.count >= Self.shortest {
        switch layer.nodes[index].form {
        case .text, .bytes: decoders = self.glances.mask(shape, inner, way: way)
        case .number, .varint, .fixed32, .fixed64, .float32, .float64: break
        }
      }
      guard decoders != 0 || isFound || isCoding else { continue }
      guard let value = layer.nodes[index].value(in: specimen.bytes) else { continue }
      let around = Surroundings(
        encoding: encoding,
        place: .leaf(opened.places, index),
        searches: isFound,
        isInspected: !isCoding
      )
      guard decoders != 0 || isCoding else {
        // Too short to hold a layer: all that is left to do is to search it.
        let child = Specimen(value, encoding: around.encoding)
        self.search(child, around)
        if !child.matches.isEmpty { opened.children[index] = child }
        continue
      }
      let child = self.examine(value, inner, around, decoders)
      if child.layer != nil || child.hasMatches || isCoding { opened.children[index] = child }
    }
    opened.survey = survey
  }

  // MARK: Searching

  private func search(_ specimen: Specimen, _ surroundings: Surroundings) {
    let hasHit =
      specimen.hasNeedle ?? specimen.bytes.withSpan { self.scanner?.hasHit(in: $0) ?? false }
    let triggers = self.plan.inspectors(self.part.direction, self.part.location)
    guard hasHit || specimen.bytes.withSpan({ span in triggers.contains { $0.mayMatch(span) } })
    else { return }
    let places: Places =
      if let opened = specimen.layer {
        .layer(opened.places)
      } else {
        .one(surroundings.place)
      }
    var strand = Strand(self.part, self.plan, places)
    // Where the automaton saw nothing it need not look again.
    let scanner = hasHit ? self.scanner : nil
    specimen.matches = strand.receive(specimen.bytes, isFinal: true, scanner)
  }

  private mutating func inspectLeaves(
    _ specimen: Specimen,
    _ context: LayerContext,
    _ surroundings: Surroundings
  ) {
    // A coding's one value was inspected by itself; a leaf, with its siblings.
    if let opened = specimen.layer, !opened.layer.names.isEmpty { return }
    if specimen.layer == nil, surroundings.isInspected { return }
    let inspectors = self.plan.leafInspectors(self.part.direction, self.part.location)
    guard !inspectors.isEmpty else { return }
    let leaves = Leaves(
      self.part,
      context,
      specimen.bytes,
      specimen.layer?.layer,
      encoding: specimen.encoding,
      outerPlace: surroundings.place,
      opened: Set(specimen.layer?.children.filter { $0.value.layer != nil }.keys.map { $0 } ?? []),
      survey: specimen.layer?.survey ?? LeafSurvey(only: specimen.bytes)
    )
    for index in inspectors {
      var sink = LeafSink()
      self.plan.leafInspectors[index].inspect(leaves, &sink)
      for report in sink.reports { self.add(report, of: index, to: specimen) }
    }
  }

  /// Puts what a leaf inspector reported where its bytes are written.
  private func add(_ report: LeafSink.Report, of inspector: Int, to specimen: Specimen) {
    var target = specimen
    var start = 0
    if let layer = specimen.layer?.layer, layer.nodes.indices.contains(report.leaf) {
      let node = layer.nodes[report.leaf]
      switch node.content {
      case .group: return
      case .verbatim: start = node.range.lowerBound
      case .value(let value):
        if let child = specimen.layer?.children[report.leaf] {
          target = child
        } else {
          target = Specimen(value, encoding: specimen.encoding)
          specimen.layer?.children[report.leaf] = target
        }
      }
    }
    let match = Match(
      range: start + report.range.lowerBound..<start + report.range.upperBound,
      kind: report.kind,
      certainty: report.certainty,
      value: report.value,
      source: .leafInspector(inspector),
      replacing: report.replacing
    )
    // Who saw it first, said it: needles before inspectors.
    guard !target.matches.contains(where: { $0.covers(match) }) else { return }
    target.matches.removeAll { match.covers($0) }
    let place = target.matches.firstIndex { Match.isBefore(match, $0) } ?? target.matches.count
    target.matches.insert(match, at: place)
  }

  private func isDigestInBinary(_ match: Match) -> Bool {
    guard case .needle(let index) = match.source else { return false }
    return self.plan.needles.needles[index].layer.digestText == .bytes
  }

  /// Removes what was seen in bytes as they are where it was also seen inside: a leaf in base64 is found
  /// by the base64 of the value and by the value itself.
  private func dropShadowed(_ specimen: Specimen) {
    if specimen.matches.isEmpty { return }
    guard let opened = specimen.layer, !opened.children.isEmpty else { return }
    for (index, child) in opened.children {
      let range = opened.layer.nodes[index].range
      let outside = Set(specimen.matches.filter { $0.range.overlaps(range) }.map { Seen($0) })
      if outside.isEmpty { continue }
      // A digest's bytes alone are what its hexadecimal digits or base64 stand for: their own needles say
      // so, and better.
      child.drop { outside.contains(Seen($0)) && self.isDigestInBinary($0) }
      var seen = Set<Seen>()
      child.collect(&seen)
      if seen.isEmpty { continue }
      for match in specimen.matches where match.range.overlaps(range) && seen.contains(Seen(match))
      {
        // Who is surer of it is right: the profile knows the value, a pattern only its form.
        child.raise(Seen(match), to: match.certainty)
      }
      specimen.matches.removeAll { $0.range.overlaps(range) && seen.contains(Seen($0)) }
    }
  }
}

/// Values that mean something only together: a package alone says nothing, three are a list of what is
/// installed (DETECTION.md section 2).
enum SetMembers {
  /// How many different ones make a set.
  static let fewest = 3

  static func isMember(_ kind: FindingKind) -> Bool { kind.name == "app_list" }

  /// Removes members of which there are too few in the whole part.
  static func dropLoneMembers(of specimen: Specimen) {
    var seen = Set<Seen>()
    specimen.collect(&seen)
    let members = seen.count { Self.isMember($0.kind) }
    if members > 0, members < Self.fewest { specimen.drop { Self.isMember($0.kind) } }
  }
}
