internal import TideCore

/// What a report shows of names and values: all, or in a share-safe one placeholders.
struct Disclosure {
  let isShareSafe: Bool
  private let text: ReportText
  private let devices: [String: Int]
  private let marks: [String: Int]

  init(_ options: ReportOptions, _ text: ReportText, _ facts: CaseFacts, _ tally: Tally) {
    self.isShareSafe = options.isShareSafe
    self.text = text
    var numbers: [String: Int] = [:]
    for name in facts.devices + tally.devices.keys.sorted() where numbers[name] == nil {
      numbers[name] = numbers.count + 1
    }
    self.devices = numbers
    var marks: [String: Int] = [:]
    for (index, mark) in facts.marks.enumerated() where marks[mark.text] == nil {
      marks[mark.text] = index + 1
    }
    self.marks = marks
  }

  /// A device's name, or its number.
  func device(_ name: String) -> String {
    guard self.isShareSafe else { return Visible.text(name, limit: 80) }
    return self.text.common.device(self.devices[name] ?? self.devices.count + 1)
  }

  /// A device's address, or its number among those of the device.
  func client(_ address: String, _ number: Int) -> String {
    self.isShareSafe ? self.text.common.client(number) : Visible.text(address, limit: 64)
  }

  /// What a mark says; what step it is for, or its number.
  func mark(_ words: String) -> String {
    guard self.isShareSafe else { return Visible.text(words, limit: 120) }
    if let step = Marks.step(words), let name = self.text.checklist.steps[step] { return name }
    return self.text.common.mark(self.marks[words] ?? 0)
  }

  /// A host; what in it looks like an identifier is left out.
  func host(_ name: String) -> String {
    guard self.isShareSafe, IPAddress(name) == nil else { return Visible.text(name, limit: 120) }
    let labels = name.split(separator: ".", omittingEmptySubsequences: false).map { label in
      Self.isTelling(label) ? "…" : String(label)
    }
    return Visible.text(labels.joined(separator: "."), limit: 120)
  }

  /// Whether a label of a host may be made of an identifier: long, or with a run of digits.
  private static func isTelling(_ label: Substring) -> Bool {
    if label.utf8.count > 20 || label.utf8.contains(where: { $0 >= 0x80 }) { return true }
    var run = 0
    for byte in label.utf8 {
      run = ASCII.isDigit(byte) ? run + 1 : 0
      if run >= 5 { return true }
    }
    // Hexadecimal of any length that a digest is cut to.
    return label.utf8.count >= 8 && label.utf8.allSatisfy { ASCII.hexValue($0) != nil }
  }

  /// Where in a part something is: names in it come from the device, and are left out.
  func path(_ path: String) -> String {
    guard self.isShareSafe else { return Visible.text(path, limit: 160) }
    let layers = path.split(separator: ">").map { layer in
      let steps = layer.split { $0 == "." || $0 == "[" || $0 == " " }.count
      return layer.contains("$") ? "$" + String(repeating: ".*", count: max(0, steps - 1)) : "*"
    }
    return layers.joined(separator: " > ")
  }

  /// A first line of a request; of its target the sizes alone.
  func requestLine(_ line: String) -> String {
    guard self.isShareSafe else { return Visible.text(line, limit: 1_000) }
    let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    guard words.count >= 2, let last = words.last else { return "" }
    let target = words.dropFirst().dropLast(words.count > 2 ? 1 : 0).joined(separator: " ")
    let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
    let exhibits = self.text.exhibits
    var shown = exhibits.target(exhibits.pathWord, parts.first?.utf8.count ?? 0)
    if parts.count > 1 { shown += "?" + exhibits.target(exhibits.queryWord, parts[1].utf8.count) }
    return "\(words[0].prefix(16)) \(shown)\(words.count > 2 ? " " + last.prefix(16) : "")"
  }

  /// Free text of a record, which may quote a peer.
  func detail(_ text: String, limit: Int = 200) -> String {
    self.isShareSafe ? "" : Visible.text(text, limit: limit)
  }

  /// A file's name; without the folders it lies in.
  func file(_ name: String) -> String {
    guard self.isShareSafe else { return Visible.text(name, limit: 200) }
    return Visible.text(name.split(separator: "/").last.map(String.init) ?? name, limit: 80)
  }

  /// A name of the layers that we know; what an operator's key is called is not among them.
  func layer(_ name: String) -> String {
    guard self.isShareSafe else { return Visible.text(name, limit: 40) }
    let isOurs =
      name.utf8.count <= 12
      && name.utf8.allSatisfy { byte in
        ASCII.isDigit(byte) || byte &- 0x61 < 26 || byte == 0x2D
      }
    return isOurs ? name : "key"
  }
}
