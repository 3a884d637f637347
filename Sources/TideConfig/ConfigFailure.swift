public import TidePolicy

/// One thing that is wrong in a file, or in the environment, of the operator's.
public struct ConfigProblem: Hashable, Sendable {
  /// Where it is written; nil if it is not in a file.
  public let location: SourceLocation?
  /// What is wrong, in one line.
  public let message: String
  /// What was probably meant, as it would be written; nil if nothing is near.
  public let suggestion: String?

  /// Joins a problem.
  public init(location: SourceLocation?, message: String, suggestion: String? = nil) {
    self.location = location
    self.message = message
    self.suggestion = suggestion
  }
}

extension ConfigProblem: CustomStringConvertible {
  /// `file:line:column: message; did you mean "suggestion"?`.
  public var description: String {
    let place = self.location.map { "\($0): " } ?? ""
    let hint = self.suggestion.map { "; did you mean \"\($0)\"?" } ?? ""
    return place + self.message + hint
  }
}

/// Everything that is wrong in a document: the operator mends it in one go.
public struct ConfigFailure: Error, Hashable, Sendable {
  /// The problems in the order in which they are written; never empty.
  public let problems: [ConfigProblem]

  /// Joins the problems of one document or of several.
  public init(problems: [ConfigProblem]) { self.problems = problems }
}

extension ConfigFailure: CustomStringConvertible {
  /// One line for each problem.
  public var description: String {
    self.problems.map(\.description).joined(separator: "\n")
  }
}
