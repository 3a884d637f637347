import TidePolicy

/// A node of a document, with its place: all that the readers see of YAML.
struct YAMLValue: Sendable {
  /// Where it begins.
  let location: SourceLocation
  /// What it is.
  let content: Content

  indirect enum Content: Sendable {
    /// `null`, `~` or nothing at all, not in quotes.
    case null
    /// A scalar's text exactly as written: `0123` keeps its zero and `NO` is not a Boolean.
    case scalar(String)
    case list([YAMLValue])
    case mapping([YAMLEntry])
  }
}

/// A key and its value.
struct YAMLEntry: Sendable {
  let key: String
  let keyLocation: SourceLocation
  let value: YAMLValue
}

extension YAMLValue {
  /// Whether nothing is there; `"null"` in quotes is a text.
  var isNull: Bool {
    if case .null = self.content { return true }
    return false
  }

  /// What is there, for a message that says what was expected.
  var found: String {
    switch self.content {
    case .null: "nothing"
    case .scalar(let text): text.quotedForMessage
    case .list: "a list"
    case .mapping: "a mapping"
    }
  }

  /// The value in one line if that is short: the form in which values are compared with a default.
  var brief: String? {
    switch self.content {
    case .null: "null"
    case .scalar(let text): text
    case .list(let items): items.isEmpty ? "[]" : nil
    case .mapping(let entries): entries.isEmpty ? "{}" : nil
    }
  }
}

extension String {
  /// The text in quotes for a message, control characters escaped and at most 64 scalars of it.
  var quotedForMessage: String {
    var text = "\""
    for (count, scalar) in self.unicodeScalars.enumerated() {
      if count == 64 {
        text += "…"
        break
      }
      text += scalar.escaped(asASCII: false)
    }
    return text + "\""
  }
}
