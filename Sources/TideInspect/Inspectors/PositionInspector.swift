import TideCore
import TideDecoding

/// Finds where the device is: by distance from the profile's positions, not by text.
///
/// A position counts that is within `radius` of one of the profile's, or of where Chinese maps move it. In
/// text as a pair in either order; in leaves that stand together as two numbers, integers of scaled
/// degrees and binary floats included; as a geohash; in degrees, minutes and seconds. Fewer than three
/// places are a town, not a position. Without a position in the profile, two numbers count that are
/// called latitude and longitude.
struct PositionInspector: LeafInspector {
  static let id = "position"
  var interest: Interest { .everything }

  /// How far from the profile's position, in metres, a position is still the device's.
  static let radius = 1_000.0
  /// The most numbers of one layer, or of one leaf, that are looked at.
  private static let most = 4_096
  /// Of leaves that open, what is inside is inspected; longer ones are not read twice.
  private static let longestOpened = 64
  /// How far two numbers of one position may be apart in text.
  private static let farthest = 40

  private let places: KnownPlaces
  private var known: [Position] { self.places.positions }
  private var geohashes: GeohashPrefixes { self.places.geohashes }

  init(_ values: [String]) { self.places = KnownPlaces(values) }

  func mayFind(in span: Span<UInt8>) -> Bool {
    if self.known.isEmpty { return false }
    return !Coordinate.decimals(span, most: 1, where: { self.isNearOne($0) }).isEmpty
      || self.geohashes.mayBe(in: span)
  }

  func inspect(_ leaves: Leaves, _ sink: inout LeafSink) {
    guard !self.known.isEmpty else {
      self.inspectNamed(leaves, &sink)
      return
    }
    var singles: [Single] = []
    for index in leaves.survey.places {
      leaves.withValue(of: index) { span, form in
        if span.count > Self.longestOpened, leaves.isOpened(index) { return }
        if self.geohashes.mayBegin(span) { self.geohash(leaves.leaf(index), &sink) }
        if let number = NumberGlance(span) {
          guard singles.count < Self.most else { return }
          if let degrees = number.degrees, !self.places.mayBegin(degrees) { return }
          let readings = self.readings(span, form) { self.isNearOne($0) }
          if readings.isEmpty { return }
          singles.append(Single(leaf: leaves.leaf(index), readings: readings))
        } else {
          self.pairs(leaves, index, span, &sink)
          if Sexagesimal.mayBe(in: span) { self.angles(leaves.leaf(index), &sink) }
        }
      }
    }
    self.join(singles, leaves, &sink) { self.isNear($0) ? .certain : nil }
  }

  /// Reports numbers that are called latitude and longitude, of whatever place.
  private func inspectNamed(_ leaves: Leaves, _ sink: inout LeafSink) {
    guard leaves.direction == .request else { return }
    var singles: [Single] = []
    for (leaf, topics) in leaves.leaves(about: [.latitude, .longitude]).prefix(Self.most) {
      leaf.value.withSpan { span in
        let numbers = Coordinate.decimals(span, most: 1) { $0 != 0 }
        guard let number = numbers.first, number.range == 0..<span.count else { return }
        singles.append(
          Single(leaf: leaf, readings: [number], isLatitude: topics.contains(.latitude))
        )
      }
    }
    self.join(singles, leaves, &sink) { _ in .likely }
  }

  // MARK: Numbers of their own

  /// A leaf that is one number.
  private struct Single {
    let leaf: Leaves.Leaf
    let readings: [Coordinate]
    /// What its name says, where only that counts.
    var isLatitude: Bool?
  }

  private struct Pair {
    let position: Position
    let first: Coordinate
    let second: Coordinate
    let isLatitudeFirst: Bool
  }

  private func readings(
    _ span: Span<UInt8>,
    _ form: LayerNode.Form,
    where isWanted: (Double) -> Bool
  ) -> [Coordinate] {
    // A number ends in no zero: 35.6600 is 35.66 then. The other one of the pair shows how it is meant.
    let decimals = Coordinate.decimals(span, most: 1, fewest: 2, where: isWanted)
    return decimals.isEmpty ? Coordinate.scaled(span, form, where: isWanted) : decimals
  }

  /// Reports two numbers that stand together and are a position of which `certainty` says so.
  private func join(
    _ singles: [Single],
    _ leaves: Leaves,
    _ sink: inout LeafSink,
    _ certainty: (Position) -> Certainty?
  ) {
    var used = Set<Int>()
    for (place, single) in singles.enumerated() where !used.contains(single.leaf.index) {
      for other in singles[(place + 1)...].prefix(8) where !used.contains(other.leaf.index) {
        guard leaves.areTogether(single.leaf, other.leaf),
          let (pair, certainty) = self.pair(single, other, certainty)
        else { continue }
        used.insert(single.leaf.index)
        used.insert(other.leaf.index)
        let value = Bytes(pair.position.text)
        self.report(single.leaf, pair.first, pair.isLatitudeFirst, certainty, value, &sink)
        self.report(other.leaf, pair.second, !pair.isLatitudeFirst, certainty, value, &sink)
        break
      }
    }
  }

  private func pair(
    _ a: Single,
    _ b: Single,
    _ certainty: (Position) -> Certainty?
  ) -> (Pair, Certainty)? {
    for first in a.readings {
      for second in b.readings where first.isWritten(like: second) {
        guard first.isPrecise || second.isPrecise else { continue }
        for isLatitudeFirst in [true, false] {
          guard a.isLatitude ?? isLatitudeFirst == isLatitudeFirst,
            b.isLatitude ?? !isLatitudeFirst != isLatitudeFirst,
            let position = Position(
              latitude: isLatitudeFirst ? first.value : second.value,
              longitude: isLatitudeFirst ? second.value : first.value
            ),
            let certainty = certainty(position)
          else { continue }
          let pair = Pair(
            position: position,
            first: first,
            second: second,
            isLatitudeFirst: isLatitudeFirst
          )
          return (pair, certainty)
        }
      }
    }
    return nil
  }

  private func report(
    _ leaf: Leaves.Leaf,
    _ coordinate: Coordinate,
    _ isLatitude: Bool,
    _ certainty: Certainty,
    _ value: Bytes,
    _ sink: inout LeafSink
  ) {
    let new = self.snapped(coordinate.value, isLatitude)
    sink.report(
      FindingKind("gps"),
      certainty,
      in: leaf,
      at: coordinate.range,
      value: value,
      replacing: .writing { _, _ in
        let written = coordinate.writing(new)
        return (written, Bytes(written))
      }
    )
  }

  // MARK: Text

  /// Reports `25.056367,121.520610` and the like, in either order.
  private func pairs(
    _ leaves: Leaves,
    _ leaf: Int,
    _ span: Span<UInt8>,
    _ sink: inout LeafSink
  ) {
    let numbers = Coordinate.decimals(span, most: Self.most) { self.isNearOne($0) }
    guard numbers.count > 1 else { return }
    let leaf = leaves.leaf(leaf)
    var index = 0
    while index + 1 < numbers.count {
      let first = numbers[index]
      let second = numbers[index + 1]
      index += 1
      guard second.range.lowerBound - first.range.upperBound <= Self.farthest,
        let (position, isReversed) = self.position(first.value, second.value)
      else { continue }
      index += 1
      let start = first.range.lowerBound
      let new = (self.snapped(first.value, !isReversed), self.snapped(second.value, isReversed))
      sink.report(
        FindingKind("gps"),
        .certain,
        in: leaf,
        at: start..<second.range.upperBound,
        value: Bytes(position.text),
        replacing: .writing { _, written in
          let end = second.range.lowerBound - start
          guard first.range.count <= end, end <= written.count else { return nil }
          let head = first.writing(new.0)
          let tail = second.writing(new.1)
          let between = written.slice(first.range.count..<end).array
          return (head + between + tail, Bytes(head + [0x2C] + tail))
        }
      )
    }
  }

  /// A known position of these numbers, in this order or the other.
  private func position(_ first: Double, _ second: Double) -> (Position, isReversed: Bool)? {
    if let position = Position(latitude: first, longitude: second), self.isNear(position) {
      return (position, false)
    }
    if let position = Position(latitude: second, longitude: first), self.isNear(position) {
      return (position, true)
    }
    return nil
  }

  /// Reports degrees with minutes.
  private func angles(_ leaf: Leaves.Leaf, _ sink: inout LeafSink) {
    let angles = Sexagesimal.all(leaf.value)
    guard angles.count >= 2 else { return }
    for (a, b) in zip(angles, angles.dropFirst()) where a.isLatitude != b.isLatitude {
      let position = Position(
        latitude: a.isLatitude ? a.value : b.value,
        longitude: a.isLatitude ? b.value : a.value
      )
      guard let position, self.isNear(position) else { continue }
      sink.report(
        FindingKind("gps"),
        .certain,
        in: leaf,
        at: a.range.lowerBound..<b.range.upperBound,
        value: Bytes(position.text),
        replacing: .writing { _, written in
          let new = Sexagesimal.withoutMinutes(written)
          return (new, Bytes(new))
        }
      )
      return
    }
  }

  private func geohash(_ leaf: Leaves.Leaf, _ sink: inout LeafSink) {
    guard let position = Geohash.position(leaf.value), self.isNear(position) else { return }
    let count = leaf.value.count
    let new = Position(
      latitude: self.snapped(position.latitude, true),
      longitude: self.snapped(position.longitude, false)
    )
    sink.report(
      FindingKind("gps"),
      .certain,
      in: leaf,
      value: Bytes(position.text),
      replacing: .writing { _, written in
        let isUpper = written.contains { $0 &- 0x41 < 26 }
        return new.map { Geohash.text($0, count: count) }.map { text in
          let cased = isUpper ? text.map { $0 &- 0x61 < 26 ? $0 & 0xDF : $0 } : text
          return (cased, Bytes(cased))
        }
      }
    )
  }

  // MARK: Distance

  private func isNear(_ position: Position) -> Bool {
    self.known.contains { $0.distance(to: position) <= Self.radius }
  }

  private func isNearOne(_ value: Double) -> Bool { self.places.mayBeHalf(value) }

  private func snapped(_ value: Double, _ isLatitude: Bool) -> Double {
    let real = [value] + self.known.map { isLatitude ? $0.latitude : $0.longitude }
    return Position.snapped(value, isLatitude: isLatitude, awayFrom: real)
  }
}

/// A number as one glance shows it: digits, dots, a sign in front.
private struct NumberGlance {
  /// What stands before its dot, as far as a position goes; nil if there is not one dot.
  let degrees: Int?

  /// Looks at a leaf; nil if it is no number.
  init?(_ span: Span<UInt8>) {
    guard span.count <= 24 else { return nil }
    var whole = 0
    var dots = 0
    for index in 0..<span.count {
      let byte = span[index]
      if ASCII.isDigit(byte) {
        if dots == 0 { whole = min(whole * 10 + Int(byte &- 0x30), 1_000) }
      } else if byte == 0x2E {
        dots += 1
      } else if index > 0 || byte != 0x2B && byte != 0x2D {
        return nil
      }
    }
    self.degrees = dots == 1 ? whole : nil
  }
}

/// The profile's positions.
///
/// A class, so that it costs nothing to hand round.
private final class KnownPlaces: Sendable {
  let positions: [Position]
  let geohashes: GeohashPrefixes
  /// Whether one of the numbers that may be half of a position begins with so many degrees.
  private let degrees: [Bool]

  init(_ values: [String]) {
    let given = values.compactMap { Position(parsing: $0) }
    self.positions = given + given.flatMap(\.shifted)
    self.geohashes = GeohashPrefixes(around: self.positions)
    var degrees = [Bool](repeating: false, count: 182)
    for position in self.positions {
      for value in [position.latitude, position.longitude] {
        for near in [value - 0.05, value, value + 0.05] {
          degrees[min(Int(near.magnitude), 181)] = true
        }
      }
    }
    self.degrees = degrees
  }

  /// Whether a number of so many degrees and a fraction, of whatever sign, may be half of a position.
  func mayBegin(_ degrees: Int) -> Bool { degrees < self.degrees.count && self.degrees[degrees] }

  /// Whether a number may be one half of a known position: a test that most numbers fail.
  func mayBeHalf(_ value: Double) -> Bool {
    for position in self.positions
    where (position.latitude - value).magnitude < 0.02
      || (position.longitude - value).magnitude < 0.05
    {
      return true
    }
    return false
  }
}

extension Leaves {
  /// Whether two leaves are siblings, or the children of siblings, or written side by side.
  fileprivate func areTogether(_ a: Leaf, _ b: Leaf) -> Bool {
    if a.group == b.group { return true }
    guard let layer = self.layer else { return false }
    let gap = layer.nodes[b.index].range.lowerBound - layer.nodes[a.index].range.upperBound
    if (0...2).contains(gap) { return true }
    guard let one = a.group, let other = b.group else { return false }
    return layer.nodes[one].parent == layer.nodes[other].parent
  }
}
