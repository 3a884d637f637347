public import TideCore
public import TideDecoding

/// Finds values that need more than a run of bytes to be seen: numbers in binary, a pair of siblings, a
/// list, a whole body that nothing can read.
///
/// It sees the leaves of one opened layer at a time, decoded, with their names; of what no decoder
/// opened, a single leaf. It never parses containers itself.
public protocol LeafInspector: Sendable {
  /// The name in the configuration, in findings and in `doctor`; unique.
  static var id: String { get }
  /// Where it wants to look.
  var interest: Interest { get }
  /// Whether anything may be found in bytes in which no layer opens; at once, and without allocation.
  ///
  /// Most fields of a head hold nothing, and are not taken apart unless somebody says so here.
  func mayFind(in span: Span<UInt8>) -> Bool
  /// Reports what it finds in `leaves`.
  func inspect(_ leaves: Leaves, _ sink: inout LeafSink)
}

extension LeafInspector {
  /// The inspector's name, where only a value of it is at hand.
  var name: String { Self.id }

  /// Nothing in a run of bytes that is no layer.
  public func mayFind(in span: Span<UInt8>) -> Bool { false }
}

/// The leaves of one layer, or one leaf that is a whole run of bytes.
public struct Leaves {
  /// One leaf.
  public struct Leaf {
    /// Its index in the layer's nodes.
    public let index: Int
    /// Its value, decoded.
    public let value: Bytes
    /// What kind of value.
    public let form: LayerNode.Form
    /// Whether a decoder opened it: what is inside is inspected by itself.
    public let isOpened: Bool
    /// The index of the group that it is in, as its siblings are; nil at the top.
    public let group: Int?
  }

  /// Where they stand.
  public let location: FindingLocation
  /// Which way the message goes.
  public let direction: Direction
  /// Whether they are all of a message's content, or one unit of it, as it was sent but for its coding.
  public let isWholeContent: Bool
  /// The declared media type in lower case without parameters, of a whole content; else empty.
  public let mediaType: String
  /// The codings around them, outermost first.
  public let encoding: [String]
  /// The layer that they are leaves of; nil if there is just one.
  let layer: Layer?
  /// The nodes of the layer, where they are quickly at hand; nil if there is none.
  private let nodes: [LayerNode]?
  let bytes: Bytes
  let outerPlace: SpecimenPlace
  /// Names from the layers around, the nearest last.
  var outerNames: [String] { self.outerPlace.names }
  /// Which leaves a decoder opened.
  private let opened: Set<Int>
  /// Which leaves there are, and what they look like.
  let survey: LeafSurvey
  /// What the leaves' names say; shared by all inspectors.
  let topicTable = TopicTable()

  init(
    _ part: Part,
    _ context: LayerContext,
    _ bytes: Bytes,
    _ layer: Layer?,
    encoding: [String],
    outerPlace: SpecimenPlace,
    opened: Set<Int>,
    survey: LeafSurvey
  ) {
    self.location = part.location
    self.direction = part.direction
    switch context.place {
    case .content: self.isWholeContent = true
    case .path, .query, .field, .cookie, .leaf: self.isWholeContent = false
    }
    self.mediaType = context.mediaType
    self.encoding = encoding
    self.layer = layer
    self.nodes = layer?.nodes
    self.bytes = bytes
    self.outerPlace = outerPlace
    self.opened = opened
    self.survey = survey
  }

  /// How many leaves there are.
  public var count: Int { self.survey.leaves.count }

  /// The leaf at a position from 0 up to `count`, in order of place.
  public subscript(position: Int) -> Leaf { self.leaf(self.survey.leaves[position]) }

  /// The leaf at an index of the layer's nodes.
  func leaf(_ index: Int) -> Leaf {
    guard let nodes = self.nodes else {
      return Leaf(index: 0, value: self.bytes, form: .text, isOpened: false, group: nil)
    }
    let node = nodes[index]
    return Leaf(
      index: index,
      value: node.value(in: self.bytes) ?? Bytes(),
      form: node.form,
      isOpened: self.isOpened(index),
      group: node.parent
    )
  }

  /// Whether a decoder opened the leaf at an index of the layer's nodes.
  func isOpened(_ index: Int) -> Bool { !self.opened.isEmpty && self.opened.contains(index) }

  /// Calls `body` with the value of the leaf at an index of the layer's nodes, and what kind it is.
  @inline(__always)
  func withValue<Result>(
    of index: Int,
    _ body: (Span<UInt8>, LayerNode.Form) -> Result
  ) -> Result {
    guard let nodes = self.nodes else { return self.bytes.withSpan { body($0, .text) } }
    let form = nodes[index].form
    switch nodes[index].content {
    case .group: return Bytes().withSpan { body($0, form) }
    case .verbatim:
      let range = nodes[index].range
      return self.bytes.withSpan { body($0.extracting(range), form) }
    case .value(let value): return value.withSpan { body($0, form) }
    }
  }

  /// What the leaf is called in its own group; nil if it has no name there.
  public func key(of leaf: Leaf) -> String? {
    self.layer?.key(of: leaf.index, in: self.bytes)
  }

  /// The names that the leaf goes by: the nearest in its layer, else those of the layers around.
  public func names(of leaf: Leaf) -> ContextNames {
    let nearest = self.layer?.nearestKey(of: leaf.index, in: self.bytes)
    return ContextNames(nearest.map { [$0] } ?? self.outerNames)
  }

  /// The names of the groups that the leaf is in, the nearest first, and of the layers around.
  public func outerNames(of leaf: Leaf) -> ContextNames {
    var names: [String] = []
    var next = leaf.group
    while let group = next, let layer = self.layer, names.count < 16 {
      if let key = layer.key(of: group, in: self.bytes) { names.append(key) }
      next = layer.nodes[group].parent
    }
    return ContextNames(names + self.outerNames.reversed())
  }
}

/// Takes what a leaf inspector finds.
public struct LeafSink {
  /// How a value is written over by its pseudonym.
  public enum Replacing: Sendable {
    /// As an `Inspector`'s: character by character, separators kept.
    case refilling
    /// By a function of the inspector's own: the bytes for the range, and their canonical spelling.
    ///
    /// It is given the choices that the case's secret makes for this value and the bytes as they are
    /// written; nil if there is no pseudonym for them.
    case writing(@Sendable (inout Choices, Bytes) -> (written: [UInt8], canonical: Bytes)?)
    /// Not at all: the rule's `otherwise` decides.
    case impossible
  }

  struct Report {
    let leaf: Int
    let range: Range<Int>
    let kind: FindingKind
    let certainty: Certainty
    let value: Bytes
    let replacing: Replacing
  }

  var reports: [Report] = []

  /// Reports a value.
  ///
  /// - Parameters:
  ///   - kind: what it is.
  ///   - certainty: how sure.
  ///   - leaf: in which leaf.
  ///   - range: the bytes of the leaf's value; nil for all of it.
  ///   - value: the canonical spelling.
  ///   - replacing: how redaction writes over it.
  public mutating func report(
    _ kind: FindingKind,
    _ certainty: Certainty,
    in leaf: Leaves.Leaf,
    at range: Range<Int>? = nil,
    value: Bytes,
    replacing: Replacing = .refilling
  ) {
    let range = range ?? 0..<leaf.value.count
    guard range.lowerBound >= 0, range.upperBound <= leaf.value.count, !range.isEmpty else {
      return
    }
    self.reports.append(
      Report(
        leaf: leaf.index,
        range: range,
        kind: kind,
        certainty: certainty,
        value: value,
        replacing: replacing
      )
    )
  }
}
