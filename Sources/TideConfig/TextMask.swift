/// A document in which some characters are hidden from the YAML parser behind private-use ones.
///
/// Two things are asked of the parser that it does not do. It resolves aliases while it composes, so that
/// a few lines grow without bound ("billion laughs"); hidden, a `*` is an ordinary character and no alias
/// exists. And it stops at the first repeated key; with a character of that key hidden, it goes on to the
/// next. One scalar stands for one scalar, so lines and columns stay what they are.
struct TextMask {
  /// The document as the parser gets it.
  private(set) var scalars: [Unicode.Scalar]
  /// What stands behind each private-use scalar.
  private var originals: [Unicode.Scalar: Unicode.Scalar] = [:]
  /// Private-use scalars that the document does not use.
  private var unused: [Unicode.Scalar]
  /// What stands for `*`.
  let asterisk: Unicode.Scalar

  /// The Basic Multilingual Plane's private-use area.
  private static let privateUse: ClosedRange<UInt32> = 0xE000...0xF8FF

  /// Hides every `*`; `nil` if the document itself uses every private character.
  init?(hidingAliasesOf text: String) {
    self.scalars = Array(text.unicodeScalars)
    let used = Set(self.scalars.lazy.map(\.value).filter(Self.privateUse.contains))
    self.unused = Self.privateUse.lazy.filter { !used.contains($0) }.prefix(64)
      .compactMap(Unicode.Scalar.init)
    guard let asterisk = self.unused.popLast() else { return nil }
    self.asterisk = asterisk
    self.originals[asterisk] = "*"
    for index in self.scalars.indices where self.scalars[index] == "*" {
      self.scalars[index] = asterisk
    }
  }

  /// The document as the parser gets it, in text.
  var text: String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: self.scalars)
    return String(text)
  }

  /// Hides the first character of the scalar at a place; false if that would change its meaning.
  mutating func hideScalar(line: Int, column: Int) -> Bool {
    guard var index = self.index(line: line, column: column) else { return false }
    let quote = self.scalars[index]
    if quote == "\"" || quote == "'" { index += 1 }
    guard self.scalars.indices.contains(index) else { return false }
    let original = self.scalars[index]
    // An escape, an anchor or a tag is not the key's own first character; a quote here ends an empty key.
    guard !["\\", "&", "!", "\"", "'", "\n", "\r"].contains(original),
      let mask = self.unused.popLast()
    else { return false }
    self.scalars[index] = mask
    self.originals[mask] = self.originals[original] ?? original
    return true
  }

  /// `text` from the parser as it stands in the document.
  func restore(_ text: String) -> String {
    var restored = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      restored.append(self.originals[scalar] ?? scalar)
    }
    return String(restored)
  }

  /// The scalar at a place, lines and columns counted from 1 as libyaml counts them.
  func scalar(line: Int, column: Int) -> Unicode.Scalar? {
    self.index(line: line, column: column).map { self.scalars[$0] }
  }

  private func index(line: Int, column: Int) -> Int? {
    var index = 0
    var current = 1
    while current < line, index < self.scalars.count {
      // YAML 1.1 §4.1.4: CR LF, CR, LF, NEL, LS and PS each end a line.
      switch self.scalars[index] {
      case "\r":
        if index + 1 < self.scalars.count, self.scalars[index + 1] == "\n" { index += 1 }
        current += 1
      case "\n", "\u{85}", "\u{2028}", "\u{2029}": current += 1
      default: break
      }
      index += 1
    }
    index += column - 1
    return self.scalars.indices.contains(index) ? index : nil
  }
}
