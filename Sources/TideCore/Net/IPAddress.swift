/// An IPv4 or IPv6 address (RFC 791, RFC 4291), as a number.
public enum IPAddress: Hashable, Sendable {
  /// An IPv4 address, most significant byte first.
  case v4(UInt32)
  /// An IPv6 address, most significant byte first; scope identifiers are not kept.
  case v6(UInt128)

  /// Reads a strict textual address: dotted quad, or RFC 4291 §2.2 without brackets and zone.
  ///
  /// `nil` for anything else; the odd spellings that resolvers accept are read by `init(lenient:)`.
  public init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    if bytes.contains(0x3A) {
      guard let value = Self.parseV6(bytes) else { return nil }
      self = .v6(value)
    } else {
      guard let value = Self.parseV4(bytes[...]) else { return nil }
      self = .v4(value)
    }
  }

  /// Whether it is `0.0.0.0` or `::`, which stand for every address of the machine.
  public var isUnspecified: Bool { self == .v4(0) || self == .v6(0) }

  /// The number of bits: 32 or 128.
  public var bitWidth: Int {
    switch self {
    case .v4: 32
    case .v6: 128
    }
  }

  /// The address in network byte order: 4 or 16 bytes.
  public var octets: [UInt8] {
    switch self {
    case .v4(let value): (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) }
    case .v6(let value):
      (0..<16).map { UInt8(truncatingIfNeeded: value >> (120 - 8 * UInt128($0))) }
    }
  }

  /// Makes an address from 4 or 16 bytes in network order; `nil` for any other count.
  public init?(octets: some Collection<UInt8>) {
    switch octets.count {
    case 4: self = .v4(octets.reduce(0) { $0 << 8 | UInt32($1) })
    case 16: self = .v6(octets.reduce(0) { $0 << 8 | UInt128($1) })
    default: return nil
    }
  }

  private static func parseV4(_ text: ArraySlice<UInt8>) -> UInt32? {
    let parts = text.split(separator: 0x2E, omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.count), part.allSatisfy(ASCII.isDigit),
        part.count == 1 || part.first != 0x30
      else { return nil }
      let octet = part.reduce(0) { $0 * 10 + UInt32($1 - 0x30) }
      guard octet <= 255 else { return nil }
      value = value << 8 | octet
    }
    return value
  }

  private static func parseV6(_ text: [UInt8]) -> UInt128? {
    // A group list on each side of at most one `::`.
    var sides: [[UInt16]] = [[]]
    var position = 0
    if text.starts(with: [0x3A, 0x3A]) {
      sides.append([])
      position = 2
    } else if text.first == 0x3A {
      return nil
    }
    while position < text.count {
      let rest = text[position...]
      let group = rest.prefix { $0 != 0x3A }
      if group.contains(0x2E) {
        guard group.endIndex == text.count, let v4 = Self.parseV4(group) else { return nil }
        sides[sides.count - 1] += [UInt16(v4 >> 16), UInt16(truncatingIfNeeded: v4)]
        position = text.count
        break
      }
      guard (1...4).contains(group.count) else { return nil }
      var value: UInt16 = 0
      for byte in group {
        guard let digit = ASCII.hexValue(byte) else { return nil }
        value = value << 4 | UInt16(digit)
      }
      sides[sides.count - 1].append(value)
      position = group.endIndex
      guard position < text.count else { break }
      position += 1
      guard position < text.count else { return nil }  // a single colon at the end
      if text[position] == 0x3A {
        guard sides.count == 1 else { return nil }
        sides.append([])
        position += 1
      }
    }
    let present = sides.reduce(0) { $0 + $1.count }
    guard sides.count == 2 ? present <= 7 : present == 8 else { return nil }
    let groups =
      sides[0] + Array(repeating: 0, count: 8 - present) + (sides.count == 2 ? sides[1] : [])
    return groups.reduce(0) { $0 << 16 | UInt128($1) }
  }
}

extension IPAddress: CustomStringConvertible {
  /// Dotted quad, or RFC 5952's canonical form.
  public var description: String {
    switch self {
    case .v4: return self.octets.map(String.init).joined(separator: ".")
    case .v6(let value):
      let groups = (0..<8).map { UInt16(truncatingIfNeeded: value >> (112 - 16 * UInt128($0))) }
      if value >> 32 == 0xFFFF {
        return "::ffff:" + IPAddress.v4(UInt32(truncatingIfNeeded: value)).description
      }
      // The longest run of two or more zero groups, the first of equals (RFC 5952 §4.2).
      var best = 0..<0
      var index = 0
      while index < 8 {
        let end = groups[index...].firstIndex { $0 != 0 } ?? 8
        if end - index > max(best.count, 1) { best = index..<end }
        index = max(end, index) + 1
      }
      func text(_ part: ArraySlice<UInt16>) -> String {
        part.map { String($0, radix: 16) }.joined(separator: ":")
      }
      if best.isEmpty { return text(groups[...]) }
      return text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
    }
  }
}
