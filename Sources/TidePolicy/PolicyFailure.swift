/// Why rules and settings do not make a policy: every problem there is, not only the first.
public struct PolicyFailure: Error, Hashable, Sendable {
  /// One problem and where it is written.
  public struct Problem: Hashable, Sendable {
    /// The place; nil if the problem is not in a file of rules.
    public let location: SourceLocation?
    /// One clause, for people.
    public let message: String

    /// Joins a problem.
    public init(location: SourceLocation?, message: String) {
      self.location = location
      self.message = message
    }
  }

  /// The problems, in the order of the rules.
  public let problems: [Problem]

  /// Joins problems.
  public init(problems: [Problem]) { self.problems = problems }
}

extension PolicyFailure: CustomStringConvertible {
  /// One line for each problem, `file:line:column: message`.
  public var description: String {
    self.problems.map(\.description).joined(separator: "\n")
  }
}

extension PolicyFailure.Problem: CustomStringConvertible {
  /// `file:line:column: message`.
  public var description: String {
    self.location.map { "\($0): \(self.message)" } ?? self.message
  }
}
