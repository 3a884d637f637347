import TideDecoding

/// Remembers which decoders are worth a try for bytes of some shape.
///
/// A message has hundreds of leaves of a few shapes; to ask thirty decoders about each would cost more
/// than to search them. What a decoder says at a glance depends on the shape, the layers around and the plan
/// alone. One context lends it to one examination at a time.
struct DecoderGlances {
  /// Places of the table, a power of two; a shape that meets another's place takes it over.
  private static let count = 4_096
  /// Longer runs are few.
  private static let longest = 4_095
  /// The most ways of layers around each other that are told apart; beyond it all are forgotten.
  private static let mostWays = 1_000

  private let decoders: [any LayerDecoder]
  /// Empty until something is asked.
  private var known: [Glance] = []
  private var ways: [[String]: UInt64] = [:]

  private struct Glance {
    var key = UInt64.max
    var mask: UInt64 = 0
  }

  init(_ decoders: [any LayerDecoder]) {
    precondition(decoders.count <= 64, "a decoder has a bit")
    self.decoders = decoders
  }

  /// A number for the layers around, to ask with.
  mutating func way(_ around: [String]) -> UInt64 {
    if let known = self.ways[around] { return known }
    if self.ways.count >= Self.mostWays {
      self.ways.removeAll()
      self.known = []
    }
    let new = UInt64(self.ways.count)
    self.ways[around] = new
    return new
  }

  /// One bit for each decoder, in their order, that is worth a try.
  mutating func mask(_ shape: Shape, _ context: LayerContext, way: UInt64?) -> UInt64 {
    guard let way, shape.count <= Self.longest else { return self.ask(shape, context) }
    // 21 bits of classes, 8 and 8 of edges, 12 of length, 10 of way.
    let key =
      UInt64(shape.classes.rawValue) << 38 | UInt64(shape.first) << 30 | UInt64(shape.last) << 22
      | UInt64(shape.count) << 10 | way
    if self.known.isEmpty { self.known = [Glance](repeating: Glance(), count: Self.count) }
    let place = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 52)
    if self.known[place].key == key { return self.known[place].mask }
    let mask = self.ask(shape, context)
    self.known[place] = Glance(key: key, mask: mask)
    return mask
  }

  private func ask(_ shape: Shape, _ context: LayerContext) -> UInt64 {
    var mask: UInt64 = 0
    for index in self.decoders.indices where self.decoders[index].mayOpen(shape, context) {
      mask |= 1 << UInt64(index)
    }
    return mask
  }
}
