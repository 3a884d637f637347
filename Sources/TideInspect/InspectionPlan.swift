public import TideCore

/// What to search for, compiled once per configuration and shared by every loop.
///
/// Immutable. It holds the profiles' values in memory, as the automaton must.
public final class InspectionPlan: Sendable {
  let needles: NeedleSet
  let inspectors: [any Inspector]
  let limits: Limits
  let pseudonyms: Pseudonymizer
  /// How many bytes must follow a position before it is known whether a match starts there.
  let horizon: Int
  private let interested: [[TriggerGroup]]
  private let interestedInAny: [[TriggerGroup]]

  /// Compiles a plan.
  ///
  /// - Parameters:
  ///   - profiles: whose values to search for; those of all devices are searched for in all flows.
  ///   - inspectors: the names of those to use, or nil for all. `needles` stands for the profiles.
  ///   - additional: inspectors that are not built in, used whatever `inspectors` says.
  ///   - secret: the case's 32 bytes, from which pseudonyms are derived.
  ///   - limits: how much of a body is decoded and held.
  /// - Throws: `unknownInspector`, `badSecret`, or `needles`.
  public init(
    profiles: [DeviceProfile],
    inspectors: [String]?,
    additional: [any Inspector] = [],
    secret: [UInt8],
    limits: Limits
  ) throws(InspectionFailure) {
    guard secret.count == 32 else {
      throw InspectionFailure(.badSecret, "a case secret of \(secret.count) bytes, not 32")
    }
    for name in inspectors ?? [] where !Self.builtinInspectorNames.contains(name) {
      throw InspectionFailure(.unknownInspector, "no inspector is called \(name)")
    }
    let isWanted: (String) -> Bool = { inspectors?.contains($0) ?? true }
    let chosen = Builtins.inspectors.filter { isWanted($0.name) } + additional
    self.needles = try NeedleSet(isWanted(Builtins.needles) ? profiles : [])
    self.inspectors = chosen
    self.limits = limits
    self.pseudonyms = Pseudonymizer(secret: secret)
    self.horizon =
      max(self.needles.longestMatch, chosen.map(\.maxMatchLength).max() ?? 0) + Window.contextAfter
    self.interestedInAny = Direction.allCases.map { direction in
      Self.groups(
        of: chosen,
        chosen.indices.filter { chosen[$0].interest.directions.contains(direction) }
      )
    }
    self.interested = Direction.allCases.flatMap { direction in
      FindingLocation.allCases.map { location in
        Self.groups(
          of: chosen,
          chosen.indices.filter {
            let interest = chosen[$0].interest
            return interest.directions.contains(direction) && interest.locations.contains(location)
          }
        )
      }
    }
  }

  /// The names that a configuration may list: the profiles' needles and the inspectors.
  public static var builtinInspectorNames: [String] {
    [Builtins.needles] + Builtins.inspectors.map(\.name)
  }

  /// How many byte strings the automaton searches for.
  public var needleCount: Int { self.needles.needles.count }

  /// The bytes that the automaton occupies; once, whatever the number of loops.
  public var automatonSize: Int { self.needles.database?.byteCount ?? 0 }

  /// The inspectors that want to see anything that goes this way, by what triggers them.
  func inspectors(_ direction: Direction) -> [TriggerGroup] {
    self.interestedInAny[Self.row(direction)]
  }

  /// The inspectors that want to see this part, by what triggers them.
  func inspectors(_ direction: Direction, _ location: FindingLocation) -> [TriggerGroup] {
    let column: Int =
      switch location {
      case .path: 0
      case .query: 1
      case .header: 2
      case .cookie: 3
      case .body: 4
      case .trailer: 5
      case .websocket: 6
      }
    return self.interested[Self.row(direction) * FindingLocation.allCases.count + column]
  }

  private static func row(_ direction: Direction) -> Int {
    switch direction {
    case .request: 0
    case .response: 1
    }
  }

  private static func groups(of all: [any Inspector], _ wanted: [Int]) -> [TriggerGroup] {
    var triggers: [Trigger?] = []
    for index in wanted where !triggers.contains(all[index].trigger) {
      triggers.append(all[index].trigger)
    }
    return triggers.map { trigger in
      let members = wanted.filter { all[$0].trigger == trigger }
      return TriggerGroup(
        trigger,
        members,
        reach: members.map { all[$0].maxMatchLength }.max() ?? 0
      )
    }
  }
}
