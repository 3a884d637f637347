import TidePolicy
import Yams

/// Turns the text of one YAML document into values with places, and whatever is wrong into problems.
///
/// Bounded in size, depth and the number of problems. Anchors, aliases and tags are refused: configuration
/// does not need them, and each is a way to write one thing and mean another.
struct YAMLReader {
  /// The most bytes of a document.
  static let maxBytes = 1 << 20
  /// The most mappings and lists inside one another.
  static let maxDepth = 32
  /// The most repeated keys that are each shown at their place: each costs another parse.
  static let maxRepeatedKeys = 16
  /// The most bytes that are parsed again for them.
  static let maxBytesAgain = 2 << 20

  private let path: String
  private let problems: ProblemList
  private var mask: TextMask

  /// Reads a document; `nil` if it is empty, holds only comments or cannot be read.
  static func read(_ text: String, path: String, _ problems: ProblemList) -> YAMLValue? {
    let start = SourceLocation(file: path, line: 1, column: 1)
    guard text.utf8.count <= Self.maxBytes else {
      problems.report("the file is larger than 1 MiB", at: start)
      return nil
    }
    if let illegal = Self.firstIllegalScalar(in: text, path: path) {
      problems.report("a control character that YAML does not allow", at: illegal)
      return nil
    }
    guard let mask = TextMask(hidingAliasesOf: text) else {
      problems.report("the file uses every private-use character", at: start)
      return nil
    }
    var reader = YAMLReader(path: path, problems: problems, mask: mask)
    return reader.compose()
  }

  private mutating func compose() -> YAMLValue? {
    for attempt in 0...Self.maxRepeatedKeys {
      do {
        let parser = try Parser(
          yaml: self.mask.text,
          resolver: .basic,
          constructor: .default,
          encoding: .utf8
        )
        let root = try parser.singleRoot()
        // Nodes refer weakly to their anchors, which the parser owns.
        let value = withExtendedLifetime(parser) {
          root.flatMap { self.value(of: $0, depth: 0) }
        }
        return value?.isNull == true ? nil : value
      } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
        let mark = context.mark
        if attempt < Self.maxRepeatedKeys,
          attempt * self.mask.scalars.count < Self.maxBytesAgain,
          self.mask.hideScalar(line: mark.line, column: mark.column)
        {
          continue
        }
        let key = self.mask.restore(keys.first ?? "").quotedForMessage
        self.problems.report(
          "key \(key), written here first, is written again in the same mapping",
          at: self.location(mark)
        )
        return nil
      } catch {
        self.report(error)
        return nil
      }
    }
    return nil
  }

  // MARK: Nodes

  private func value(of node: Node, depth: Int) -> YAMLValue? {
    let location = self.location(node.mark)
    if let anchor = node.anchor {
      self.problems.report("anchors are not supported: &\(anchor)", at: location)
      return nil
    }
    guard depth < Self.maxDepth else {
      self.problems.report("nested more than \(Self.maxDepth) levels deep", at: location)
      return nil
    }
    switch node {
    case .scalar(let scalar):
      return self.value(of: scalar, at: location)
    case .sequence(let sequence):
      guard self.isUntagged(sequence.tag, at: location) else { return nil }
      let items = sequence.compactMap { self.value(of: $0, depth: depth + 1) }
      return YAMLValue(location: location, content: .list(items))
    case .mapping(let mapping):
      guard self.isUntagged(mapping.tag, at: location) else { return nil }
      let entries = self.entries(of: mapping, depth: depth)
      return YAMLValue(location: location, content: .mapping(entries))
    case .alias:
      // Made only by an emitter; the parser has none, as their mark is hidden from it.
      self.problems.report("aliases are not supported", at: location)
      return nil
    }
  }

  private func value(of scalar: Node.Scalar, at location: SourceLocation) -> YAMLValue? {
    let text = self.mask.restore(scalar.string)
    switch scalar.style {
    case .plain, .any:
      guard self.isUntagged(scalar.tag, at: location) else { return nil }
      if scalar.string.unicodeScalars.first == self.mask.asterisk {
        self.problems.report(
          "\(text.quotedForMessage) begins with *, which YAML takes for an alias: put it in quotes",
          at: location
        )
        return nil
      }
      let isNull = ["", "~", "null", "Null", "NULL"].contains(text)
      return YAMLValue(location: location, content: isNull ? .null : .scalar(text))
    case .singleQuoted, .doubleQuoted, .literal, .folded:
      return YAMLValue(location: location, content: .scalar(text))
    }
  }

  private func entries(of mapping: Node.Mapping, depth: Int) -> [YAMLEntry] {
    var entries: [YAMLEntry] = []
    var places: [String: SourceLocation] = [:]
    for (keyNode, valueNode) in mapping {
      guard let key = self.value(of: keyNode, depth: depth + 1) else { continue }
      guard case .scalar(let name) = key.content else {
        self.problems.report("expected a key, found \(key.found)", at: key.location)
        continue
      }
      if let first = places[name] {
        self.problems.report(
          "key \(name.quotedForMessage) is written twice, first in line \(first.line)",
          at: key.location
        )
        continue
      }
      places[name] = key.location
      guard let value = self.value(of: valueNode, depth: depth + 1) else { continue }
      entries.append(YAMLEntry(key: name, keyLocation: key.location, value: value))
    }
    return entries
  }

  private func isUntagged(_ tag: Tag, at location: SourceLocation) -> Bool {
    // The parser resolves the tags of keys while it compares them, which sets them to their kind's own.
    let untagged: [Tag.Name] = [.implicit, .str, .seq, .map]
    if untagged.contains(where: { $0.rawValue == tag.rawValue }) { return true }
    self.problems.report(
      "tags are not supported: \(self.mask.restore(tag.rawValue).quotedForMessage)",
      at: location
    )
    return false
  }

  // MARK: Places and failures

  private func location(_ mark: Mark?) -> SourceLocation {
    SourceLocation(file: self.path, line: mark?.line ?? 1, column: mark?.column ?? 1)
  }

  private func report(_ error: any Error) {
    guard let error = error as? YamlError else {
      self.problems.report("cannot be read as YAML", at: self.location(nil))
      return
    }
    switch error {
    case .scanner(let context, let problem, let mark, _),
      .parser(let context, let problem, let mark, _):
      self.report(problem, context, at: mark)
    case .composer(_, let problem, let mark, _):
      let isSecond = problem.contains("another document")
      self.report(isSecond ? "a second document; a file holds one" : problem, nil, at: mark)
    case .reader(let problem, _, _, _), .writer(let problem), .emitter(let problem),
      .representer(let problem):
      self.problems.report("not valid YAML: \(problem)", at: self.location(nil))
    case .duplicatedKeysInMapping, .dataCouldNotBeDecoded, .memory, .no:
      self.problems.report("cannot be read as YAML", at: self.location(nil))
    }
  }

  private func report(_ problem: String, _ context: YamlError.Context?, at mark: Mark) {
    if self.mask.scalar(line: mark.line, column: mark.column) == "\t" {
      self.problems.report("a tab cannot indent YAML; use spaces", at: self.location(mark))
      return
    }
    let background = context.map { " (\($0.text) from line \($0.mark.line))" } ?? ""
    self.problems.report("not valid YAML: \(problem)\(background)", at: self.location(mark))
  }

  /// The first character that YAML 1.1 §4.1.1 does not call printable.
  private static func firstIllegalScalar(in text: String, path: String) -> SourceLocation? {
    var line = 1
    var column = 1
    for (offset, scalar) in text.unicodeScalars.enumerated() {
      switch scalar.value {
      case 0x0A:
        line += 1
        column = 0
      case 0x09, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD,
        0x10000...0x10FFFF:
        break
      case 0xFEFF where offset == 0: break  // a byte order mark
      default: return SourceLocation(file: path, line: line, column: column)
      }
      column += 1
    }
    return nil
  }
}
