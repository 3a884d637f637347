import TidePolicy

/// Collects what is wrong while one document is read; confined to that reading.
final class ProblemList {
  /// The most problems that are kept: a file that is something else altogether would fill the screen.
  static let limit = 100

  private var problems: [ConfigProblem] = []
  private var uncounted = 0

  /// Adds a problem; what was meant is only looked for if the problem is kept.
  func report(
    _ message: String,
    at location: SourceLocation?,
    suggestion: @autoclosure () -> String? = nil
  ) {
    guard self.problems.count < Self.limit else {
      self.uncounted += 1
      return
    }
    self.problems.append(
      ConfigProblem(location: location, message: message, suggestion: suggestion())
    )
  }

  /// The problems in the order of the text; `nil` if there are none.
  var failure: ConfigFailure? {
    guard !self.problems.isEmpty else { return nil }
    var sorted = self.problems.enumerated().sorted { a, b in
      Self.order(a.element, a.offset) < Self.order(b.element, b.offset)
    }.map(\.element)
    if self.uncounted > 0 {
      sorted.append(ConfigProblem(location: nil, message: "and \(self.uncounted) more problems"))
    }
    return ConfigFailure(problems: sorted)
  }

  private static func order(_ problem: ConfigProblem, _ offset: Int) -> (String, Int, Int, Int) {
    guard let location = problem.location else { return ("", 0, 0, offset) }
    return (location.file, location.line, location.column, offset)
  }
}
