import TideCore
import TideDecoding

/// Who knows what the places of a run of bytes are called.
enum Places {
  /// A tracker that follows the bytes as they pass.
  case passing(PathMap)
  /// An opened layer.
  case layer(LayerPlaces)
  /// One place for all, named from the outside.
  case one(SpecimenPlace)
}

extension Places {
  /// The names that a value at `position` goes by, in a buffer that begins at `base`.
  func names(at position: Int, _ buffer: Bytes, _ base: Int) -> [String] {
    switch self {
    case .passing(let map): map.tracker(at: position, buffer, base).key.map { [$0] } ?? []
    case .layer(let places): places.names(at: position)
    case .one(let place): place.names
    }
  }

  /// The path of the place at `position`.
  func path(at position: Int, _ buffer: Bytes, _ base: Int) -> String {
    switch self {
    case .passing(let map): map.tracker(at: position, buffer, base).path
    case .layer(let places): places.path(at: position)
    case .one(let place): place.path
    }
  }

  /// Says that nobody will ask for a place before `position` again.
  func advance(to position: Int, _ buffer: Bytes, _ base: Int, isForced: Bool) {
    switch self {
    case .passing(let map): map.advance(to: position, buffer, base, isForced: isForced)
    case .layer, .one: break
    }
  }
}

/// Where a specimen stands; worked out only where somebody asks.
enum SpecimenPlace {
  /// A whole part, which may have a name.
  case part(String?)
  /// A leaf of a layer.
  case leaf(LayerPlaces, Int)

  var names: [String] {
    switch self {
    case .part(let name): name.map { [$0] } ?? []
    case .leaf(let places, let leaf): places.names(of: leaf)
    }
  }

  var path: String {
    switch self {
    case .part(let name): name ?? ""
    case .leaf(let places, let leaf): places.path(of: leaf)
    }
  }
}

/// Finds the leaf of a layer that a position lies in.
final class LayerPlaces {
  let layer: Layer
  private let bytes: Bytes
  private let outer: SpecimenPlace
  /// Leaves in order of place; worked out where somebody asks for a place.
  ///
  /// A group has a place too: what stands between its leaves is its own.
  private lazy var leaves = self.layer.nodes.indices.filter { !self.layer.nodes[$0].isGroup }

  init(_ layer: Layer, _ bytes: Bytes, _ outer: SpecimenPlace) {
    self.layer = layer
    self.bytes = bytes
    self.outer = outer
  }

  /// The leaf at `position`, or the last one before it.
  private func leaf(at position: Int) -> Int? {
    var low = 0
    var high = self.leaves.count
    while low < high {
      let middle = (low + high) / 2
      if self.layer.nodes[self.leaves[middle]].range.lowerBound <= position {
        low = middle + 1
      } else {
        high = middle
      }
    }
    guard low > 0 else { return nil }
    let leaf = self.leaves[low - 1]
    return position <= self.layer.nodes[leaf].range.upperBound ? leaf : nil
  }

  /// The names that a value at `position` goes by.
  func names(at position: Int) -> [String] {
    guard let leaf = self.leaf(at: position) else { return self.outer.names }
    return self.names(of: leaf)
  }

  /// The names of a node: the nearest in its layer, else those of the layers around.
  func names(of node: Int) -> [String] {
    self.layer.nearestKey(of: node, in: self.bytes).map { [$0] } ?? self.outer.names
  }

  /// The path of the place at `position`.
  func path(at position: Int) -> String {
    guard let leaf = self.leaf(at: position) else { return self.outer.path }
    return self.path(of: leaf)
  }

  /// The path of a node, after that of the layer itself.
  func path(of node: Int) -> String {
    let inner = self.layer.shownPath(of: node, in: self.bytes)
    let outer = self.outer.path
    if outer.isEmpty || inner.isEmpty { return outer + inner }
    return "\(outer) > \(inner)"
  }
}

extension Layer {
  /// The path as findings show it: of a form, a query or a cookie its member's name alone; of a coding
  /// nothing.
  func shownPath(of node: Int, in bytes: Bytes) -> String {
    if !self.names.isEmpty { return "" }
    switch self.decoder {
    case "form", "query", "cookie": return self.key(of: node, in: bytes) ?? ""
    case "path": return ""
    default: return self.path(of: node, in: bytes)
    }
  }
}
