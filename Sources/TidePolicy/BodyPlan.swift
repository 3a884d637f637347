public import TideCore

/// What is done with a message's content, fixed before its first byte goes on.
public struct BodyPlan: Hashable, Sendable {
  /// How much of the content is kept back.
  public enum Holding: Int, Comparable, Sendable {
    /// Nothing: it streams.
    case none
    /// A window, so that no byte of a match leaves before the match is seen.
    case window
    /// One unit: a WebSocket or gRPC message, an event, a line; of content that has no units, all of it.
    case unit
    /// All of it, up to the hold limit.
    case body

    /// Orders by how much is held.
    public static func < (a: Holding, b: Holding) -> Bool { a.rawValue < b.rawValue }
  }

  /// Whether inspectors see the content.
  public let inspects: Bool
  /// How much is kept back.
  public let holding: Holding
  /// What becomes of content that cannot be inspected or redacted soundly.
  ///
  /// The strictest `otherwise` of the redact and block rules that may fire; `allow` if there are none or
  /// the mode changes nothing.
  public let otherwise: Action
  /// The rule whose `otherwise` that is; nil if there is none.
  public let otherwiseRule: RuleID?
  /// Whether the content may be replaced in part.
  public let mayRedact: Bool

  /// Joins a plan.
  public init(
    inspects: Bool,
    holding: Holding,
    otherwise: Action,
    otherwiseRule: RuleID? = nil,
    mayRedact: Bool
  ) {
    self.inspects = inspects
    self.holding = holding
    self.otherwise = otherwise
    self.otherwiseRule = otherwiseRule
    self.mayRedact = mayRedact
  }
}
