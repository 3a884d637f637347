import TideCore

/// One extension in Sec-WebSocket-Extensions, with its parameters (RFC 6455 §9.1).
struct ExtensionElement {
  let name: Bytes
  var parameters: [(name: Bytes, value: Bytes?)] = []

  var isDeflate: Bool { self.name.isText("permessage-deflate") }

  /// Every extension that a head lists, in order.
  ///
  /// - Throws: `.protocolError` for a field that breaks its grammar.
  static func read(_ fields: HeaderFields) throws(WebSocketFailure) -> [ExtensionElement] {
    var elements: [ExtensionElement] = []
    for value in fields.all("sec-websocket-extensions") {
      var cursor = Cursor(value)
      while cursor.skipEmptyElements() { elements.append(try cursor.element()) }
    }
    return elements
  }

  /// A position in one field's value.
  private struct Cursor {
    private let text: Bytes
    private var at = 0

    init(_ text: Bytes) { self.text = text }

    private var next: UInt8? { self.at < self.text.count ? self.text[self.at] : nil }

    /// Skips what separates elements; whether there is another.
    mutating func skipEmptyElements() -> Bool {
      while let next = self.next, next == Octet.comma || Octet.isBlank(next) { self.at += 1 }
      return self.next != nil
    }

    /// Reads `token *( ";" token [ "=" ( token / quoted-string ) ] )`.
    mutating func element() throws(WebSocketFailure) -> ExtensionElement {
      var element = ExtensionElement(name: try self.token())
      while self.take(Octet.semicolon) {
        self.skipBlanks()
        let name = try self.token()
        guard self.take(0x3D) else {
          element.parameters.append((name, nil))
          continue
        }
        self.skipBlanks()
        element.parameters.append((name, try self.value()))
      }
      guard self.next == nil || self.next == Octet.comma else { throw Self.malformed }
      return element
    }

    /// Reads a token, or a quoted string that says one (RFC 6455 §9.1: nothing else is allowed in it).
    private mutating func value() throws(WebSocketFailure) -> Bytes {
      guard self.next == 0x22 else { return try self.token() }
      self.at += 1
      var plain: [UInt8] = []
      while let byte = self.next, byte != 0x22 {
        if byte == 0x5C { self.at += 1 }
        guard let byte = self.next, Octet.isToken(byte) else { throw Self.malformed }
        plain.append(byte)
        self.at += 1
      }
      guard self.next == 0x22, !plain.isEmpty else { throw Self.malformed }
      self.at += 1
      return Bytes(plain)
    }

    private mutating func token() throws(WebSocketFailure) -> Bytes {
      let start = self.at
      while let next = self.next, Octet.isToken(next) { self.at += 1 }
      guard self.at > start else { throw Self.malformed }
      return self.text.slice(start..<self.at)
    }

    /// Takes `byte`, and the blanks before it, if it comes next.
    private mutating func take(_ byte: UInt8) -> Bool {
      self.skipBlanks()
      guard self.next == byte else { return false }
      self.at += 1
      return true
    }

    private mutating func skipBlanks() {
      while let next = self.next, Octet.isBlank(next) { self.at += 1 }
    }

    private static let malformed = WebSocketFailure(
      .protocolError,
      detail: "Sec-WebSocket-Extensions breaks its grammar"
    )
  }
}
