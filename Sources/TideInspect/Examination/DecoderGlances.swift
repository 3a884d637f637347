import TideDecoding

/// Remembers which decoders are worth a try for bytes of some shape.
///
/// A message has hundreds of leaves of a few shapes; to ask thirty decoders about each would cost more
/// than to search them. What a decoder says at a glance depends on the shape, the layers around and the plan
/// alone. Confined to its context's thread.
final class DecoderGlances {
  /// Places of the table, a power of two; a shape that meets another's place takes it over.
  private static let count = 4_096
  /// Longer runs are few.
  private static let longest = 4_095
  /// The most ways of layers around each other that are told apart; beyond it all are forgotten.
  private static let mostWays = 1_000

  private let decoders: [any LayerDecoder]
  private var keys = [UInt64](repeating: .max, count: DecoderGlances.count)
  private var masks = [UInt64](repeating: 0, count: DecoderGlances.count)
  private var ways: [[String]: UInt64] = [:]

  init(_ decoders: [any LayerDecoder]) {
    precondition(decoders.count <= 64, "a decoder has a bit")
    self.decoders = decoders
  }

  /// A number for the layers around, to ask with.
  func way(_ around: [String]) -> UInt64 {
    if let known = self.ways[around] { return known }
    if self.ways.count >= Self.mostWays {
      self.ways.removeAll()
      self.keys = [UInt64](repeating: .max, count: Self.count)
    }
    let new = UInt64(self.ways.count)
    self.ways[around] = new
    return new
  }

  /// One bit for each decoder, in their order, that is worth a try.
  func mask(_ shape: Shape, _ context: LayerContext, way: UInt64?) -> UInt64 {
    guard let way, shape.count <= Self.longest else { return self.ask(shape, context) }
    // 21 bits of classes, 8 and 8 of edges, 12 of length, 10 of way.
    let key =
      UInt64(shape.classes.rawValue) << 38 | UInt64(shape.first) << 30 | UInt64(shape.last) << 22
      | UInt64(shape.count) << 10 | way
    let place = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 52)
    if self.keys[place] == key { return self.masks[place] }
    let mask = self.ask(shape, context)
    self.keys[place] = key
    self.masks[place] = mask
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
