/// Everything that is wrong with a file of proxy users: the operator mends it in one go.
public struct UserFileFailure: Error, Hashable, Sendable {
  /// One thing that is wrong.
  public struct Problem: Hashable, Sendable {
    /// The line, counted from 1; 0 if it is the file as a whole.
    public let line: Int
    /// The byte in the line, counted from 1; 0 if it is the file as a whole.
    public let column: Int
    /// What is wrong; never a password, a token or a hash.
    public let message: String

    init(line: Int, column: Int, message: String) {
      self.line = line
      self.column = column
      self.message = message
    }
  }

  /// The file, as it was named to us.
  public let path: String
  /// The problems in the order of the lines; never empty.
  public let problems: [Problem]

  init(path: String, problems: [Problem]) {
    self.path = path
    self.problems = problems
  }

  /// The file could not be read at all; the reason names it.
  init(_ failure: FileFailure) {
    self.path = failure.path
    let remedy = failure.remedy.isEmpty ? "" : "; \(failure.remedy)"
    self.problems = [Problem(line: 0, column: 0, message: failure.detail + remedy)]
  }
}

extension UserFileFailure: CustomStringConvertible {
  /// `file:line:column: message`, one line for each problem.
  public var description: String {
    self.problems.map { problem in
      let place = problem.line == 0 ? "" : ":\(problem.line):\(problem.column)"
      return "\(self.path)\(place): \(problem.message)"
    }.joined(separator: "\n")
  }
}
