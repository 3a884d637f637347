public import TideCore

/// A place in a file of the operator's, for messages.
public struct SourceLocation: Hashable, Sendable {
  /// The file's name as given.
  public let file: String
  /// Counted from 1.
  public let line: Int
  /// Counted from 1.
  public let column: Int

  /// Joins a place.
  public init(file: String, line: Int, column: Int) {
    self.file = file
    self.line = line
    self.column = column
  }
}

extension SourceLocation: CustomStringConvertible {
  /// `file:line:column`.
  public var description: String { "\(self.file):\(self.line):\(self.column)" }
}

/// How a size is compared: `>=256KiB`, `<1MiB`.
public struct SizeCondition: Hashable, Sendable {
  /// The relations that a size condition may use.
  public enum Relation: String, CaseIterable, Sendable {
    /// At least.
    case atLeast = ">="
    /// More than.
    case over = ">"
    /// At most.
    case atMost = "<="
    /// Less than.
    case under = "<"
  }

  /// How.
  public let relation: Relation
  /// Against how many bytes of content.
  public let bytes: UInt64

  /// Joins a comparison.
  public init(relation: Relation, bytes: UInt64) {
    self.relation = relation
    self.bytes = bytes
  }
}

/// A field of the head and the patterns of which its value must match one.
public struct HeaderCondition: Hashable, Sendable {
  /// The field's name, in lower case.
  public let name: String
  /// Patterns in which `*` stands for any run of bytes; case is ignored.
  public let patterns: [String]

  /// Joins a condition.
  public init(name: String, patterns: [String]) {
    self.name = name
    self.patterns = patterns
  }
}

/// What a rule asks of a flow: the keys are joined by AND, the values of one key by OR; empty asks nothing.
public struct Conditions: Hashable, Sendable {
  /// Device names.
  public var device: [String] = []
  /// Host patterns (`Hostname.matches(pattern:)`), or addresses.
  public var host: [String] = []
  /// Blocks that the destination's address lies in.
  public var ip: [CIDR] = []
  /// Ports and ranges of ports.
  public var port: [ClosedRange<UInt16>] = []
  /// Country codes, set names, `watched`, `local`, `unknown`.
  public var region: [String] = []
  /// Autonomous systems.
  public var asn: [UInt32] = []
  /// `http/1.1`, `tls`, `tcp`.
  public var protocolName: [String] = []
  /// Ways.
  public var direction: [Direction] = []
  /// Methods, in upper case.
  public var method: [String] = []
  /// Patterns of the target before `?`, in which `*` stands for any run of bytes.
  public var path: [String] = []
  /// Conditions on fields; every one must hold.
  public var header: [HeaderCondition] = []
  /// Media types, `image/*` too, without parameters, in lower case.
  public var type: [String] = []
  /// Comparisons of the content's size; every one must hold.
  public var size: [SizeCondition] = []
  /// Kinds of findings; a set of findings matches if one of them is of one of these kinds.
  public var finding: [String] = []
  /// Certainties that such a finding must have.
  public var certainty: [Certainty] = []

  /// Asks nothing.
  public init() {}
}

/// Which of a name's addresses a region condition judges.
public enum CandidatePolicy: String, CaseIterable, Sendable {
  /// One address in the region puts the whole name there.
  case any
  /// Addresses in the region are struck out; the name is blocked only if none is left.
  case allowedOnly = "allowed-only"
}

/// One rule of the operator's, typed but not yet checked against regions and other rules.
public struct Rule: Sendable {
  /// Its name.
  public let id: RuleID
  /// For people; may be empty.
  public let description: String
  /// What must hold.
  public let when: Conditions
  /// What must not hold, all keys together; nil if there is no exception.
  public let unless: Conditions?
  /// What then is asked for.
  public let then: Action
  /// How a block before dialling is done; nil if not written.
  public let how: BlockMethod?
  /// Whether the whole body is held so that nothing of it leaves before the verdict (`hold: body`).
  public let holdsBody: Bool
  /// Which candidates count.
  public let candidates: CandidatePolicy
  /// What becomes of what cannot be redacted: `block` or `allow`.
  public let otherwise: Action
  /// For reports: `low`, `medium`, `high`; nil if not written.
  public let severity: String?
  /// Where it is written.
  public let location: SourceLocation
  /// Where each key of it is written, by its dotted name (`when.region`), for messages.
  public let keyLocations: [String: SourceLocation]

  /// Joins a rule.
  public init(
    id: RuleID,
    description: String = "",
    when: Conditions,
    unless: Conditions? = nil,
    then: Action,
    how: BlockMethod? = nil,
    holdsBody: Bool = false,
    candidates: CandidatePolicy = .any,
    otherwise: Action = .block,
    severity: String? = nil,
    location: SourceLocation,
    keyLocations: [String: SourceLocation] = [:]
  ) {
    self.id = id
    self.description = description
    self.when = when
    self.unless = unless
    self.then = then
    self.how = how
    self.holdsBody = holdsBody
    self.candidates = candidates
    self.otherwise = otherwise
    self.severity = severity
    self.location = location
    self.keyLocations = keyLocations
  }
}
