/// What a rule can ask for, in order of severity: the most severe matching rule wins.
public enum Action: String, CaseIterable, Comparable, Sendable {
  /// Let it pass.
  case allow
  /// Let it pass and mark it.
  case log
  /// Replace what was found.
  case redact
  /// Stop it.
  case block

  private var severity: Int {
    switch self {
    case .allow: 0
    case .log: 1
    case .redact: 2
    case .block: 3
    }
  }

  /// Orders by severity.
  public static func < (a: Action, b: Action) -> Bool { a.severity < b.severity }
}

/// The operator's ceiling on what is applied, and what is kept (PRODUCT.md section 3).
public enum Mode: String, CaseIterable, Sendable {
  /// Metadata and findings only; nothing is changed.
  case observe
  /// Full evidence; nothing is changed.
  case record
  /// A decided block or redact replaces what was found.
  case redact
  /// Rules are enforced as written.
  case block

  /// The most severe action that is applied.
  public var ceiling: Action {
    switch self {
    case .observe, .record: .log
    case .redact: .redact
    case .block: .block
    }
  }

  /// Whether rules change traffic, and failures therefore stop it.
  public var isEnforcing: Bool {
    switch self {
    case .observe, .record: false
    case .redact, .block: true
    }
  }

  /// Whether bodies and heads are kept.
  public var keepsBodies: Bool { self != .observe }
}

/// How a block that is decided before dialling is carried out.
public enum BlockMethod: String, CaseIterable, Sendable {
  /// Finish the handshake alone, read what the device wanted to send, answer `451`.
  case sinkhole
  /// Answer the CONNECT with `403`.
  case refuse
}

/// The name of a rule, unique in a configuration.
public struct RuleID: Hashable, Sendable {
  /// The name as written.
  public let text: String

  /// Makes a name.
  public init(_ text: String) { self.text = text }
}

extension RuleID: CustomStringConvertible {
  /// The name.
  public var description: String { self.text }
}

/// What the rules say of a flow and what is done.
public struct Verdict: Hashable, Sendable {
  /// What the rules say.
  public let decided: Action
  /// What is done: the lesser of `decided` and the mode's ceiling, or a fail-closed `block`.
  public let applied: Action
  /// The rule that decided; nil if none matched.
  public let rule: RuleID?
  /// What becomes of the flow if it cannot be redacted soundly.
  public let otherwise: Action

  /// Joins a decision.
  public init(decided: Action, applied: Action, rule: RuleID?, otherwise: Action = .block) {
    self.decided = decided
    self.applied = applied
    self.rule = rule
    self.otherwise = otherwise
  }

  /// Nothing matched.
  public static let pass = Verdict(decided: .allow, applied: .allow, rule: nil)
}
