public import TideCore

/// Finds values by their form, in windows of one part of a message.
///
/// An inspector never parses a container: the pipeline decodes, splits and names (`Window.names`), so
/// that a new container helps every inspector and a new inspector works in every container.
///
/// An inspector keeps no state. The same bytes come in windows that overlap and are cut anywhere, and
/// the result must not depend on the cut: whether a match starts at a position may depend only on
/// the `Window.contextBefore` bytes before it and the `maxMatchLength + Window.contextAfter` bytes
/// from it. The pipeline calls again when those are there, and reports each match once. Values in which
/// nothing was found are not shown again.
public protocol Inspector: Sendable {
  /// The name in the configuration, in findings and in `doctor`; unique.
  static var id: String { get }
  /// Where it wants to look.
  var interest: Interest { get }
  /// The longest match in bytes; sets how much of a body is held back.
  var maxMatchLength: Int { get }
  /// What every match contains; nil, the default, to be shown everything, which takes its time.
  var trigger: Trigger? { get }
  /// Reports each match that starts in `window.starts`.
  func inspect(_ window: borrowing Window, _ sink: inout FindingSink)
}

extension Inspector {
  /// Nothing that every match contains.
  public var trigger: Trigger? { nil }
}

/// Which parts of which messages an inspector wants to see.
public struct Interest: Hashable, Sendable {
  /// Which way the messages go.
  public let directions: Set<Direction>
  /// Which parts of them.
  public let locations: Set<FindingLocation>

  /// Joins an interest.
  public init(
    directions: Set<Direction> = Set(Direction.allCases),
    locations: Set<FindingLocation> = Set(FindingLocation.allCases)
  ) {
    self.directions = directions
    self.locations = locations
  }

  /// Every part of every message.
  public static let everything = Interest()
}

/// Takes what an inspector finds in one window.
public struct FindingSink {
  /// The position of the window's first byte in its part.
  var base = 0
  var starts = 0..<0
  var inspector = 0
  var matches: [Match] = []

  /// Reports a value that occupies `range`, counted from the window's start.
  ///
  /// - Parameters:
  ///   - kind: what it is.
  ///   - certainty: how sure; `certain` is for values of the device's profile.
  ///   - range: the bytes as they are written, separators included, quotes not.
  ///   - value: the canonical spelling: digits only, lower case.
  public mutating func report(
    _ kind: FindingKind,
    _ certainty: Certainty,
    at range: Range<Int>,
    value: Bytes
  ) {
    // A match that starts earlier was reported when its own window came.
    guard self.starts.contains(range.lowerBound), !range.isEmpty else { return }
    self.matches.append(
      Match(
        range: range.lowerBound + self.base..<range.upperBound + self.base,
        kind: kind,
        certainty: certainty,
        value: value,
        source: .inspector(self.inspector)
      )
    )
  }
}
