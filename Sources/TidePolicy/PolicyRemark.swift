/// What an author should know of a rule that is sound by itself.
public struct PolicyRemark: Hashable, Sendable {
  /// What is remarkable.
  public enum Kind: String, Sendable {
    /// The rule never decides anything: `rules check` refuses it.
    case unreachable
    /// Nothing here can tell what the rule asks for, so that it will not apply where it should.
    case blind
    /// The rule may not mean what it seems to say.
    case doubtful
  }

  /// What is remarkable.
  public let kind: Kind
  /// Where, and what to do.
  public let problem: PolicyFailure.Problem
}

extension PolicyRemark: CustomStringConvertible {
  /// `file:line:column: message`.
  public var description: String { self.problem.description }
}
