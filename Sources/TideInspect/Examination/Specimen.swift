import TideCore
import TideDecoding

/// A run of bytes that was searched: a part of a message, or what was inside a layer of one.
///
/// The specimens of a part are a tree: each knows the layer that its bytes opened as, and the specimens
/// that the leaves of that layer are.
final class Specimen {
  let bytes: Bytes
  /// The codings around it, outermost first.
  let encoding: [String]
  /// What was seen in these bytes as they are, in order of place.
  var matches: [Match] = []
  /// Whether there is a needle in these bytes; nil until the automaton ran over all of them.
  var hasNeedle: Bool?
  /// What the bytes opened as; nil if nothing opened them.
  var layer: OpenedLayer?

  /// A layer, who opened it, and what its leaves are.
  final class OpenedLayer {
    let layer: Layer
    let decoder: any LayerDecoder
    let places: LayerPlaces
    /// In which it was opened.
    let context: LayerContext
    var children: [Int: Specimen]
    /// What its leaves look like.
    var survey = LeafSurvey()

    init(
      _ layer: Layer,
      _ decoder: any LayerDecoder,
      _ places: LayerPlaces,
      _ context: LayerContext
    ) {
      self.context = context
      self.layer = layer
      self.decoder = decoder
      self.places = places
      self.children = [:]
    }
  }

  init(_ bytes: Bytes, encoding: [String]) {
    self.bytes = bytes
    self.encoding = encoding
  }

  /// The leaf that is written as it is at just this range; nil if there is none.
  func leaf(at range: Range<Int>) -> Int? {
    guard let layer = self.layer?.layer, layer.names.isEmpty else { return nil }
    return layer.nodes.firstIndex { node in
      guard case .verbatim = node.content else { return false }
      return node.range == range
    }
  }

  /// Whether anything was seen here or inside.
  var hasMatches: Bool {
    if !self.matches.isEmpty { return true }
    return self.layer?.children.values.contains { $0.hasMatches } ?? false
  }

  /// The kinds and values that were seen here and inside.
  func collect(_ seen: inout Set<Seen>) {
    for match in self.matches { seen.insert(Seen(match)) }
    for child in self.layer?.children.values ?? [:].values { child.collect(&seen) }
  }

  /// Makes a value here and inside at least so certain.
  func raise(_ seen: Seen, to certainty: Certainty) {
    for index in self.matches.indices where Seen(self.matches[index]) == seen {
      self.matches[index].certainty = max(self.matches[index].certainty, certainty)
    }
    for child in self.layer?.children.values ?? [:].values { child.raise(seen, to: certainty) }
  }

  /// Removes matches here and inside.
  func drop(where isUnwanted: (Match) -> Bool) {
    self.matches.removeAll(where: isUnwanted)
    for child in self.layer?.children.values ?? [:].values { child.drop(where: isUnwanted) }
  }
}

/// A value, wherever it is.
struct Seen: Hashable {
  let kind: FindingKind
  let value: Bytes

  init(kind: FindingKind, value: Bytes) {
    self.kind = kind
    self.value = value
  }

  init(_ match: Match) { self.init(kind: match.kind, value: match.value) }

  init(_ finding: Finding) { self.init(kind: finding.kind, value: finding.value) }
}
