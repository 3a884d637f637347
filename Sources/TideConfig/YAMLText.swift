/// Writing what is read back as it was.
enum YAMLText {
  /// A text as a double-quoted scalar (YAML 1.2 §7.3.1).
  static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\\(scalar)"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }

  /// The comment in a line, from its `#`; nil if there is none.
  ///
  /// A `#` begins one at the line's start or after a blank, outside of quotes (YAML 1.2 §6.6).
  static func comment(in line: String) -> String? {
    var quote: Character?
    var before: Character = " "
    var index = line.startIndex
    while index < line.endIndex {
      let character = line[index]
      if let open = quote {
        if character == open { quote = nil }
        if character == "\\", open == "\"" { index = line.index(after: index) }
        guard index < line.endIndex else { return nil }
      } else if character == "#", before == " " || before == "\t" {
        return String(line[index...])
      } else if character == "\"" || character == "'", " \t[{,:".contains(before) {
        // Inside a plain scalar a quote is a character like any other.
        quote = character
      }
      before = character
      index = line.index(after: index)
    }
    return nil
  }
}
