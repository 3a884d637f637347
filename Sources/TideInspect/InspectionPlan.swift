public import TideCore
import TideDecoding

/// What to search for, compiled once per configuration and shared by every loop.
///
/// Immutable. It holds the profiles' values in memory, as the automaton must.
public final class InspectionPlan: Sendable {
  let needles: NeedleSet
  let inspectors: [any Inspector]
  let leafInspectors: [any LeafInspector]
  let decoders: [any LayerDecoder]
  /// The keys of all devices, whose payloads are tried with all of them.
  let payloadKeys: [PayloadKey]
  let limits: Limits
  let pseudonyms: Pseudonymizer
  /// How many bytes must follow a position before it is known whether a match starts there.
  let horizon: Int
  private let interested: [[TriggerGroup]]
  private let interestedInAny: [[TriggerGroup]]
  private let leafReaders: [[Int]]

  /// Compiles a plan.
  ///
  /// - Parameters:
  ///   - profiles: whose values to search for; those of all devices are searched for in all flows.
  ///   - inspectors: the names of inspectors and decoders to use, with `-` before those to leave out, or
  ///     nil for all. `needles` stands for the profiles.
  ///   - additional: inspectors that are not built in, used whatever `inspectors` says.
  ///   - additionalLeaves: leaf inspectors that are not built in, likewise.
  ///   - secret: the case's 32 bytes, from which pseudonyms are derived.
  ///   - limits: how much of a body is decoded and held.
  ///   - cache: where compiled needles are kept; nil to compile them each time.
  /// - Throws: `unknownInspector`, `badSecret`, or `needles`.
  public init(
    profiles: [DeviceProfile],
    inspectors: [String]?,
    additional: [any Inspector] = [],
    additionalLeaves: [any LeafInspector] = [],
    secret: [UInt8],
    limits: Limits,
    cache: (any NeedleCache)? = nil
  ) throws(InspectionFailure) {
    try Self.check(secret)
    let selection = try InspectionSelection(inspectors)
    let material = InspectorMaterial(profiles)
    let chosen =
      Builtins.inspectors(material).filter { selection.has(inspector: $0.name) }
      + additional
    let leafReaders =
      Builtins.leafInspectors(material).filter { selection.has(inspector: $0.name) }
      + additionalLeaves
    self.needles = try NeedleSet(
      selection.has(inspector: Builtins.needles) ? profiles : [],
      cache: cache
    )
    self.inspectors = chosen
    self.leafInspectors = leafReaders
    self.decoders = Decoders.all.filter { selection.has(decoder: $0.name) }
    self.payloadKeys = try Self.payloadKeys(profiles)
    self.limits = limits
    self.pseudonyms = Pseudonymizer(secret: secret, profiles: profiles)
    self.horizon =
      max(self.needles.longestMatch, chosen.map(\.maxMatchLength).max() ?? 0) + Window.contextAfter
    self.leafReaders = Direction.allCases.flatMap { direction in
      FindingLocation.allCases.map { location in
        leafReaders.indices.filter {
          let interest = leafReaders[$0].interest
          return interest.directions.contains(direction) && interest.locations.contains(location)
        }
      }
    }
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

  /// Makes the same plan for another case, without compiling anything again.
  ///
  /// - Parameters:
  ///   - plan: what to search for.
  ///   - profiles: those that it was made for.
  ///   - secret: the case's 32 bytes, from which pseudonyms are derived.
  /// - Throws: `badSecret`.
  public init(
    _ plan: InspectionPlan,
    profiles: [DeviceProfile],
    secret: [UInt8]
  ) throws(InspectionFailure) {
    try Self.check(secret)
    self.needles = plan.needles
    self.inspectors = plan.inspectors
    self.leafInspectors = plan.leafInspectors
    self.decoders = plan.decoders
    self.payloadKeys = plan.payloadKeys
    self.limits = plan.limits
    self.pseudonyms = Pseudonymizer(secret: secret, profiles: profiles)
    self.horizon = plan.horizon
    self.interested = plan.interested
    self.interestedInAny = plan.interestedInAny
    self.leafReaders = plan.leafReaders
  }

  /// The names that a configuration may list: the profiles' needles and the inspectors.
  public static var builtinInspectorNames: [String] {
    let none = InspectorMaterial([])
    return [Builtins.needles] + Builtins.inspectors(none).map(\.name)
      + Builtins.leafInspectors(none).map(\.name)
  }

  /// The names of the decoders, in the order in which they are tried.
  public static var decoderNames: [String] { Decoders.all.map(\.name) }

  /// What an operator should know of the profiles' values, such as that some are searched for in fewer
  /// forms.
  public var notes: [String] { self.needles.notes }

  /// How many byte strings the automaton searches for.
  public var needleCount: Int { self.needles.needles.count }

  /// The bytes that the automaton occupies; once, whatever the number of loops.
  public var automatonSize: Int { self.needles.database?.byteCount ?? 0 }

  /// The inspectors that want to see anything that goes this way, by what triggers them.
  func inspectors(_ direction: Direction) -> [TriggerGroup] {
    self.interestedInAny[Self.row(direction)]
  }

  /// The indices of the leaf inspectors that want to see this part.
  func leafInspectors(_ direction: Direction, _ location: FindingLocation) -> [Int] {
    self.leafReaders[Self.row(direction) * FindingLocation.allCases.count + Self.column(location)]
  }

  /// Whether anything may be found in `bytes`; at once, and without allocation.
  func mayMatch(_ bytes: Bytes, _ part: Part, _ scanner: NeedleScanner?) -> Bool {
    bytes.withSpan { span in
      if scanner?.hasHit(in: span) == true { return true }
      return self.inspectors(part.direction, part.location).contains { $0.mayMatch(span) }
    }
  }

  /// The name of the inspector that saw a match.
  func name(of source: Match.Source) -> String {
    switch source {
    case .needle: Builtins.needles
    case .inspector(let index): self.inspectors[index].name
    case .leafInspector(let index): self.leafInspectors[index].name
    }
  }

  /// The inspectors that want to see this part, by what triggers them.
  func inspectors(_ direction: Direction, _ location: FindingLocation) -> [TriggerGroup] {
    self.interested[Self.row(direction) * FindingLocation.allCases.count + Self.column(location)]
  }

  private static func check(_ secret: [UInt8]) throws(InspectionFailure) {
    guard secret.count == 32 else {
      throw InspectionFailure(.badSecret, "a case secret of \(secret.count) bytes, not 32")
    }
  }

  private static func payloadKeys(
    _ profiles: [DeviceProfile]
  ) throws(InspectionFailure) -> [PayloadKey] {
    var keys: [PayloadKey] = []
    for key in profiles.flatMap(\.sdkKeys) {
      do throws(PayloadCipherFailure) {
        keys.append(
          PayloadKey(
            name: key.name,
            algorithm: try PayloadCipher(
              parsing: key.algorithm,
              keyByteCount: key.key.count
            ),
            key: key.key,
            iv: key.iv
          )
        )
      } catch {
        throw InspectionFailure(.badKey, "sdk_keys: \(key.name): \(error.detail)")
      }
    }
    return keys
  }

  private static func column(_ location: FindingLocation) -> Int {
    switch location {
    case .path: 0
    case .query: 1
    case .header: 2
    case .cookie: 3
    case .body: 4
    case .trailer: 5
    case .websocket: 6
    }
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
