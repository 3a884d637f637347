import TideCore
import TideDecoding

/// What one pass over the leaves of a layer shows: which of them are worth another look, and for whom.
///
/// A message has thousands of leaves that are a word, a time or a count. Each inspector that looked at
/// all of them would pay for all of them; those that come with Tidewaiter ask here instead.
struct LeafSurvey {
  /// The leaves' indices in the layer's nodes, in order of place.
  private(set) var leaves: [Int] = []
  /// Those that may be a position or hold one: numbers, and text with a number, a degree sign, or as
  /// many letters and digits as a geohash.
  private(set) var places: [Int] = []
  /// Those with a dot that begin with a small letter, as the name of a package does.
  private(set) var dotted: [Int] = []
  /// Those of `longest` bytes or more.
  private(set) var long: [Int] = []

  /// From how many bytes on a leaf is long.
  static let long = 256
  /// The fewest bytes of a leaf that is anything: `0.123`.
  private static let shortest = 5

  /// The digits of a number and what stands around them.
  private static let number: ByteClasses = [.digit, .dot, .plus, .hyphen]
  private static let decimal: ByteClasses = [.digit, .dot]

  init() {}

  /// Surveys a run of bytes that is a leaf by itself.
  init(only value: Bytes) {
    self.leaves = [0]
    if value.count >= Self.shortest { self.note(Shape(value), 0) }
  }

  /// Makes room for the leaves among so many nodes.
  mutating func reserve(_ count: Int) { self.leaves.reserveCapacity(count) }

  /// Notes the leaf at `index`, a value of its own.
  @inline(__always)
  mutating func add(_ index: Int) { self.leaves.append(index) }

  /// Notes what the leaf at `index`, which was added, looks like.
  @inline(__always)
  mutating func note(_ shape: Shape, _ index: Int) {
    if shape.count >= Self.long { self.long.append(index) }
    guard shape.count >= Self.shortest else { return }
    let classes = shape.classes
    if !shape.isWhole || classes.isSuperset(of: Self.decimal) || classes.contains(.high)
      || classes.isSubset(of: Self.number)
      || Geohash.counts.contains(shape.count) && classes.isSubset(of: .alphanumeric)
    {
      self.places.append(index)
    }
    if !shape.isWhole || classes.contains(.dot), shape.first &- 0x61 < 26 {
      self.dotted.append(index)
    }
  }
}

extension Shape {
  /// Whether its classes are those of all bytes: of more than 8 KiB the middle was not looked at.
  var isWhole: Bool { self.count <= 8 << 10 }
}
