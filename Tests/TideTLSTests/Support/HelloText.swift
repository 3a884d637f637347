/// A ClientHello to be written field by field, right or wrong.
struct HelloText {
  var session = [UInt8](repeating: 7, count: 32)
  var suites: [UInt8] = [0x0A, 0x0A, 0x13, 0x01, 0xC0, 0x2B]
  var compression: [UInt8] = [0]
  /// Type and content of each; nil leaves out even their length.
  var extensions: [(UInt16, [UInt8])]? = [
    (0x1A1A, []),
    (0, HelloText.serverName("www.example")),
    (10, [0, 4, 0, 29, 0, 23]),
    (13, [0, 4, 4, 3, 8, 4]),
    (
      16,
      [0, 15, 2, 0x2A, 0x2A, 2, 0x68, 0x32, 8] + Array("http/1.1".utf8)
    ),
    (43, [6, 0xDA, 0xDA, 3, 4, 3, 3]),
    (0xFE0D, [0, 1, 2, 3]),
    (51, [0, 0]),
  ]

  /// A hello with only a name.
  static var minimal: HelloText {
    var text = HelloText()
    text.extensions = [(0, Self.serverName("a.example"))]
    return text
  }

  /// The content of a server_name extension.
  static func serverName(_ name: String) -> [UInt8] {
    let bytes = Array(name.utf8)
    return Self.number(bytes.count + 3) + [0] + Self.number(bytes.count) + bytes
  }

  /// The hello in records of at most `recordSize` bytes; `suffix` follows the message in them.
  func wire(recordSize: Int = 16_384, suffix: [UInt8] = []) -> [UInt8] {
    var body: [UInt8] = [3, 3] + [UInt8](repeating: 0xAB, count: 32)
    body += [UInt8(truncatingIfNeeded: self.session.count)] + self.session
    body += Self.number(self.suites.count) + self.suites
    body += [UInt8(self.compression.count)] + self.compression
    if let extensions {
      let content = extensions.flatMap { type, value in
        Self.number(Int(type)) + Self.number(value.count) + value
      }
      body += Self.number(content.count) + content
    }
    let message = [1, UInt8(body.count >> 16)] + Self.number(body.count & 0xFFFF) + body + suffix
    return stride(from: 0, to: message.count, by: recordSize).flatMap { start in
      let part = message[start..<min(message.count, start + recordSize)]
      return [0x16, 3, 1] + Self.number(part.count) + part
    }
  }

  private static func number(_ value: Int) -> [UInt8] {
    [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
  }
}
