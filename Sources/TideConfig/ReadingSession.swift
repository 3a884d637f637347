/// What a document asks of its keys, and what was wrong with them; confined to one reading.
final class ReadingSession {
  /// Whether a key holds one value or several.
  enum Shape {
    case scalar, list
  }

  /// The document's name.
  let file: String
  let problems = ProblemList()
  /// What the document may not ask for yet.
  let unavailable: [Unavailable]
  /// Every key that was asked for, by its dotted name.
  private(set) var catalog: [(key: String, shape: Shape)] = []

  init(file: String, unavailable: [Unavailable] = []) {
    self.file = file
    self.unavailable = unavailable
  }

  func note(_ key: String, _ shape: Shape) { self.catalog.append((key, shape)) }
}
