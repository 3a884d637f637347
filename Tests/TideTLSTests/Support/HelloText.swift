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

  /// What follows the extensions in their list, right or wrong.
  var rawExtensions: [UInt8] = []

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
      let content =
        extensions.flatMap { type, value in
          Self.number(Int(type)) + Self.number(value.count) + value
        } + self.rawExtensions
      body += Self.number(content.count) + content
    }
    let message = [1, UInt8(body.count >> 16)] + Self.number(body.count & 0xFFFF) + body + suffix
    return stride(from: 0, to: message.count, by: recordSize).flatMap { start in
      let part = message[start..<min(message.count, start + recordSize)]
      return [0x16, 3, 1] + Self.number(part.count) + part
    }
  }

  /// A number of two bytes, as lengths and types are written.
  static func number(_ value: Int) -> [UInt8] {
    [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
  }
}

extension HelloText {
  /// A share of X25519: any 32 bytes are one.
  static let point = [UInt8](repeating: 9, count: 32)

  /// A hello such as a browser's, without GREASE, that a server of TLS 1.3 answers.
  static var modern: HelloText {
    var text = HelloText()
    text.suites = [0x13, 0x01, 0x13, 0x02, 0xC0, 0x2B, 0xC0, 0x2F]
    text.extensions = [
      (0, Self.serverName("www.example")),
      (23, []),
      (0xFF01, [0]),
      (10, [0, 4, 0, 29, 0, 23]),
      (11, [1, 0]),
      (13, [0, 8, 4, 3, 8, 4, 4, 1, 5, 3]),
      (16, [0, 12, 2, 0x68, 0x32, 8] + Array("http/1.1".utf8)),
      (43, [4, 3, 4, 3, 3]),
      (45, [1, 1]),
      (51, Self.keyShares([(29, Self.point)])),
    ]
    return text
  }

  /// `modern` with GREASE wherever RFC 8701 has it.
  static var greased: HelloText {
    var text = Self.modern
    text.suites = [0x0A, 0x0A] + text.suites
    text.replace(10, with: [0, 6, 0x2A, 0x2A, 0, 29, 0, 23])
    text.replace(13, with: [0, 10, 0x3A, 0x3A, 4, 3, 8, 4, 4, 1, 5, 3])
    text.replace(16, with: [0, 15, 2, 0x4A, 0x4A, 2, 0x68, 0x32, 8] + Array("http/1.1".utf8))
    text.replace(43, with: [6, 0x5A, 0x5A, 3, 4, 3, 3])
    text.replace(45, with: [2, 0x0B, 1])
    text.replace(51, with: Self.keyShares([(0x2A2A, [0]), (29, Self.point)]))
    text.extensions?.insert((0x6A6A, []), at: 0)
    text.extensions?.append((0xFAFA, [0]))
    return text
  }

  /// The content of a key_share extension (RFC 8446 §4.2.8).
  static func keyShares(_ shares: [(UInt16, [UInt8])]) -> [UInt8] {
    let list = shares.flatMap { group, share in
      Self.number(Int(group)) + Self.number(share.count) + share
    }
    return Self.number(list.count) + list
  }

  /// Gives an extension that is there other content.
  mutating func replace(_ type: UInt16, with content: [UInt8]) {
    guard let index = self.extensions?.firstIndex(where: { $0.0 == type }) else { return }
    self.extensions?[index].1 = content
  }
}
