/// Writes HTML of which every text and attribute is escaped: nothing from traffic becomes markup.
///
/// Names of elements and attributes are ours.
struct HTMLWriter {
  typealias Attributes = KeyValuePairs<String, String>

  private(set) var bytes: [UInt8]

  init(_ bytes: [UInt8] = []) { self.bytes = bytes }

  /// An element with what `content` writes inside.
  mutating func element<Failure: Error>(
    _ name: String,
    _ attributes: Attributes = [:],
    _ content: (inout HTMLWriter) throws(Failure) -> Void
  ) throws(Failure) {
    self.open(name, attributes)
    try content(&self)
    self.bytes += Array("</\(name)>".utf8)
  }

  /// An element with text inside.
  mutating func element(_ name: String, _ text: String) { self.element(name, [:], text) }

  /// An element with attributes and text inside.
  mutating func element(_ name: String, _ attributes: Attributes, _ text: String) {
    self.open(name, attributes)
    self.text(text)
    self.bytes += Array("</\(name)>".utf8)
  }

  /// An element that has no end, or in SVG nothing inside.
  mutating func void(_ name: String, _ attributes: Attributes) {
    self.open(name, attributes)
  }

  /// An SVG shape.
  mutating func shape(_ name: String, _ attributes: Attributes) {
    self.open(name, attributes)
    self.bytes += Array("</\(name)>".utf8)
  }

  /// Text.
  mutating func text(_ text: String) {
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": self.bytes += Array("&amp;".utf8)
      case "<": self.bytes += Array("&lt;".utf8)
      case ">": self.bytes += Array("&gt;".utf8)
      case "\"": self.bytes += Array("&quot;".utf8)
      case "'": self.bytes += Array("&#39;".utf8)
      case "\n": self.bytes.append(0x0A)
      default:
        // What is shown was made visible before; whatever was not, is here.
        if Visible.isHidden(scalar) {
          self.bytes += Array("\u{FFFD}".utf8)
        } else {
          self.bytes += Array(String(scalar).utf8)
        }
      }
    }
  }

  /// Bytes that are markup already, and ours.
  mutating func raw(_ markup: String) { self.bytes += Array(markup.utf8) }

  private mutating func open(_ name: String, _ attributes: Attributes) {
    self.bytes += Array("<\(name)".utf8)
    for (key, value) in attributes {
      self.bytes += Array(" \(key)=\"".utf8)
      self.text(value)
      self.bytes.append(0x22)
    }
    self.bytes.append(0x3E)
  }
}
