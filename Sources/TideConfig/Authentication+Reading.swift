extension Configuration.Authentication {
  /// Reads `none`, `{ basic: FILE }` or `{ tokens: FILE }` if it is written.
  ///
  /// A key without a value is refused: whoever began to write it did not want everybody served.
  mutating func read(_ listen: inout MappingReader, _ base: String) {
    let key = "auth"
    let expected = "none, { basic: FILE } or { tokens: FILE }"
    listen.session.note(listen.name(of: key), .scalar)
    let value = listen.value(key)
    if case .scalar(let text)? = value?.content {
      guard text != "none" else {
        self = .off
        return
      }
      let objection = SuggestNearest.to(text, among: ["none"])
      listen.report(
        "expected \(expected), found \(text.quotedForMessage)",
        key: key,
        suggestion: objection,
        at: value
      )
      return
    }
    var reader = MappingReader(
      value,
      path: listen.name(of: key),
      what: expected,
      session: listen.session
    )
    var basic: String?
    var tokens: String?
    reader.read("basic", optional: .path(in: base), into: &basic)
    reader.read("tokens", optional: .path(in: base), into: &tokens)
    reader.finish()
    guard reader.isMapping else { return }
    switch (basic, tokens) {
    case (let file?, nil): self = .basic(file)
    case (nil, let file?): self = .tokens(file)
    case (_?, _?): listen.report("basic and tokens cannot both be", key: key, at: value)
    case (nil, nil):
      // Whatever is there instead was told already.
      guard reader.entries.isEmpty else { return }
      listen.report("expected \(expected), found an empty mapping", key: key, at: value)
    }
  }
}
