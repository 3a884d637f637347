import TideCore
import TidePolicy

extension DeviceDocument {
  /// A profile's text with values to plant added to its `canary`; all else, comments too, stays.
  ///
  /// - Parameters:
  ///   - canary: what to add.
  ///   - yaml: the profile's text.
  ///   - path: its name, for messages.
  /// - Returns: the new text, which reads as the old one did and has the new values.
  /// - Throws: every problem of the profile; that its form leaves no place for a line.
  public static func adding(
    _ canary: Canary,
    to yaml: String,
    path: String
  ) throws(ConfigFailure) -> String {
    let before = try Self.parse(yaml: yaml, path: path)
    let problems = ProblemList()
    let root = YAMLReader.read(yaml, path: path, problems)
    let added = CanaryText(canary)
    guard case .mapping(let entries) = root?.content,
      let text = added.placed(in: yaml, entries),
      Self.counts(in: text) == Self.counts(of: before, with: canary)
    else {
      let problem = ConfigProblem(
        location: root?.location,
        message:
          "the file's form leaves no place for the canaries; write them under canary yourself: "
          + added.inline
      )
      throw ConfigFailure(problems: [problem])
    }
    return text
  }

  /// How often each value is in a text; nil if it is no profile.
  private static func counts(in yaml: String) -> [DeviceProfile.Identifier: Int]? {
    do throws(ConfigFailure) {
      return Self.counts(of: try Self.parse(yaml: yaml, path: ""))
    } catch {
      return nil
    }
  }

  /// How often each value is there: what must not change but by what is added.
  private static func counts(
    of profile: DeviceProfile,
    with canary: Canary? = nil
  ) -> [DeviceProfile.Identifier: Int] {
    var identifiers = profile.identifiers
    if let canary {
      identifiers.append(.init(kind: .contactName, value: canary.contactName))
      identifiers.append(.init(kind: .contactPhone, value: canary.contactPhone))
      identifiers.append(.init(kind: FindingKind("sms_text"), value: canary.message))
    }
    return Dictionary(identifiers.map { ($0, 1) }, uniquingKeysWith: +)
  }
}

/// The lines of a profile's `canary`.
private struct CanaryText {
  private var contacts: [String]
  private var messages: [String]

  init(_ canary: Canary) {
    let name = YAMLText.quoted(canary.contactName)
    let phone = YAMLText.quoted(canary.contactPhone)
    self.contacts = ["{ name: \(name), phone: \(phone) }"]
    self.messages = [YAMLText.quoted(canary.message)]
  }

  /// In one line, for people.
  var inline: String {
    "{ contact: [\(self.contacts.joined(separator: ", "))], sms: [\(self.messages.joined(separator: ", "))] }"
  }

  /// The document with these values behind those that it has; nil if its top is not written in lines.
  func placed(in yaml: String, _ entries: [YAMLEntry]) -> String? {
    let newline = yaml.contains("\r\n") ? "\r\n" : "\n"
    var lines = yaml.split(separator: newline, omittingEmptySubsequences: false).map(String.init)
    guard entries.allSatisfy({ $0.keyLocation.column == 1 }) else { return nil }
    guard let entry = entries.first(where: { $0.key == "canary" }) else {
      if lines.last?.isEmpty == true { lines.removeLast() }
      return (lines + self.lines(comments: []) + [""]).joined(separator: newline)
    }
    let start = entry.keyLocation.line - 1
    let next = entries.map { $0.keyLocation.line - 1 }.filter { $0 > start }.min() ?? lines.count
    guard lines.indices.contains(start), next <= lines.count else { return nil }
    // What stands at the margin below is about what follows.
    var end = next
    while end > start + 1, lines[end - 1].isEmpty || lines[end - 1].hasPrefix("#") { end -= 1 }
    var all = self
    all.contacts = Self.contacts(of: entry.value) + self.contacts
    all.messages = Self.messages(of: entry.value) + self.messages
    let comments = lines[start..<end].compactMap(YAMLText.comment)
    lines.replaceSubrange(start..<end, with: all.lines(comments: comments))
    return lines.joined(separator: newline)
  }

  private func lines(comments: [String]) -> [String] {
    ["canary:"] + comments.map { "  \($0)" } + ["  contact:"] + self.contacts.map { "    - \($0)" }
      + ["  sms:"] + self.messages.map { "    - \($0)" }
  }

  private static func contacts(of canary: YAMLValue) -> [String] {
    Self.items(of: canary, "contact").compactMap { contact in
      guard case .mapping(let entries) = contact.content else { return nil }
      let members = entries.map { "\($0.key): \(Self.text($0.value))" }
      return "{ \(members.joined(separator: ", ")) }"
    }
  }

  private static func messages(of canary: YAMLValue) -> [String] {
    Self.items(of: canary, "sms").map(Self.text)
  }

  private static func items(of canary: YAMLValue, _ key: String) -> [YAMLValue] {
    guard case .mapping(let entries) = canary.content,
      let value = entries.first(where: { $0.key == key })?.value
    else { return [] }
    if case .list(let items) = value.content { return items }
    return value.isNull ? [] : [value]
  }

  private static func text(_ value: YAMLValue) -> String {
    if case .scalar(let text) = value.content { return YAMLText.quoted(text) }
    return "null"
  }
}
