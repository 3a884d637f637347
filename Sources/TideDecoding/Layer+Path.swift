public import TideCore

extension Layer {
  /// The name of a node in its group, read from the layer's `bytes`; nil if it has none.
  public func key(of index: Int, in bytes: Bytes) -> String? {
    switch self.nodes[index].key {
    case .none, .index: nil
    case .field(let number): String(number)
    case .text(let text): text
    case .name(let range): self.keys.text(of: bytes.slice(range))
    }
  }

  /// The nearest name on the way up from a node: of `["a", "b"]` under `apps`, that is `apps`.
  public func nearestKey(of index: Int, in bytes: Bytes) -> String? {
    var next: Int? = index
    while let here = next {
      if let key = self.key(of: here, in: bytes) { return key }
      next = self.nodes[here].parent
    }
    return nil
  }

  /// Where a node is: `$.data[0].imei`, or the field `$.2.1` of a protobuf message.
  public func path(of index: Int, in bytes: Bytes) -> String {
    var steps: [String] = []
    var next: Int? = index
    while let here = next, steps.count < 64 {
      switch self.nodes[here].key {
      case .none: break
      case .index(let place): steps.append("[\(place)]")
      case .field, .text, .name: steps.append(Self.step(self.key(of: here, in: bytes) ?? ""))
      }
      next = self.nodes[here].parent
    }
    return "$" + steps.reversed().joined()
  }

  /// `.name`, or `["a name"]` where it is not plain.
  private static func step(_ name: String) -> String {
    let isPlain = name.utf8.allSatisfy {
      ASCII.isDigit($0) || ASCII.lowercased($0) &- 0x61 < 26 || $0 == 0x5F || $0 == 0x2D
        || $0 >= 0x80
    }
    return isPlain ? "." + name : "[\"\(name)\"]"
  }
}

extension KeyCoding {
  /// The most bytes of a name that are read.
  static let longest = 128

  /// What a name written so says.
  func text(of written: Bytes) -> String {
    let bytes = written.prefix(Self.longest)
    switch self {
    case .plain: return String(decoding: bytes, as: UTF8.self)
    case .form: return String(decoding: Percent.decoded(bytes, plusIsSpace: true), as: UTF8.self)
    case .json:
      guard bytes.contains(0x5C) else { return String(decoding: bytes, as: UTF8.self) }
      return String(decoding: JSONText.unescaped(bytes), as: UTF8.self)
    case .entities:
      guard bytes.contains(0x26) else { return String(decoding: bytes, as: UTF8.self) }
      return String(decoding: Entities.decoded(bytes), as: UTF8.self)
    }
  }
}
