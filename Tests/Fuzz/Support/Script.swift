public import TideCore

/// Reads an input as a script: small numbers and runs of bytes, zeros when it is used up.
public struct Script {
  private var rest: Bytes

  /// Begins at the first byte.
  public init(_ bytes: Bytes) { self.rest = bytes }

  /// Whether nothing is left.
  public var isOver: Bool { self.rest.isEmpty }

  /// Takes a byte.
  public mutating func byte() -> UInt8 {
    guard let byte = self.rest.first else { return 0 }
    self.rest = self.rest.dropping(first: 1)
    return byte
  }

  /// Takes at most `count` bytes.
  public mutating func bytes(_ count: Int) -> Bytes {
    let taken = self.rest.slice(0..<min(count, self.rest.count))
    self.rest = self.rest.dropping(first: taken.count)
    return taken
  }

  /// Takes all that is left.
  public mutating func all() -> Bytes { self.bytes(self.rest.count) }
}

/// The ways in which an input is cut before a parser gets it: the outcome must not depend on it.
public enum Cut: Sendable {
  /// In one piece.
  case whole
  /// Byte by byte.
  case single
  /// In pieces of 1 to 16 bytes, chosen by a seed.
  case pieces(seed: UInt8)

  /// The pieces of `bytes`, none of them empty.
  public func pieces(_ bytes: Bytes) -> [Bytes] {
    var state: UInt32
    switch self {
    case .whole: return bytes.isEmpty ? [] : [bytes]
    case .single: return bytes.indices.map { bytes.slice($0..<$0 + 1) }
    case .pieces(let seed): state = UInt32(seed) &+ 1
    }
    var pieces: [Bytes] = []
    var rest = bytes
    while !rest.isEmpty {
      state = state &* 1_664_525 &+ 1_013_904_223
      let count = min(Int(state >> 28) + 1, rest.count)
      pieces.append(rest.slice(0..<count))
      rest = rest.dropping(first: count)
    }
    return pieces
  }
}
