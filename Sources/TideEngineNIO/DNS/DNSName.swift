import TideCore

/// A domain name as DNS carries it: labels of any bytes, compared without regard to case (RFC 4343).
struct DNSName: Hashable, Sendable {
  /// Uncompressed and in lower case, the root's empty label at the end; at most 255 bytes (RFC 1035 §3.1).
  let wire: [UInt8]

  /// The longest name.
  static let longest = 255

  /// Takes a name as it was read; its spelling is not kept.
  init(spelling: [UInt8]) {
    // Lengths are below 64 and never letters.
    self.wire = spelling.map(ASCII.lowercased)
  }

  /// Takes a host's name, which is always short enough.
  init(_ host: Hostname) {
    var wire: [UInt8] = []
    for label in host.text.utf8.split(separator: 0x2E) {
      wire.append(UInt8(clamping: label.count))
      wire += label
    }
    self.wire = wire + [0]
  }

  /// The name as a host's; nil if it could not be one.
  var host: Hostname? {
    var text: [UInt8] = []
    var rest = self.wire[...]
    while let length = rest.first, length > 0 {
      let label = rest.dropFirst().prefix(Int(length))
      // A dot inside a label would make two of it.
      guard !label.contains(0x2E) else { return nil }
      if !text.isEmpty { text.append(0x2E) }
      text += label
      rest = rest.dropFirst(1 + Int(length))
    }
    return Hostname(String(decoding: text, as: UTF8.self))
  }
}
