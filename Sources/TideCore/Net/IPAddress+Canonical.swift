/// The spellings and disguises of an address: what a resolver would accept, what an address carries.
extension IPAddress {
  /// Reads any spelling that `inet_aton` or a browser takes for an address.
  ///
  /// Beyond the strict forms: brackets, a zone, a trailing dot, and IPv4 in one to four parts that are
  /// decimal, octal (`0177.1`) or hexadecimal (`0x7f000001`), the last part filling the rest. Policy
  /// must see through these, or `2130706433` would be a door to the loopback address.
  public init?(lenient text: some StringProtocol) {
    self.init(lenient: Bytes(Array(text.utf8)))
  }

  /// Reads what a resolver would accept, as it came.
  public init?(lenient utf8: Bytes) {
    guard Self.mayBeAddress(utf8) else { return nil }
    var text = utf8.text
    if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
    if text.contains(":"), let zone = text.firstIndex(of: "%") { text = String(text[..<zone]) }
    if text.hasSuffix(".") { text.removeLast() }
    if let strict = IPAddress(text) {
      self = strict
      return
    }
    let parts = text.utf8.split(separator: 0x2E, omittingEmptySubsequences: false)
    guard (1...4).contains(parts.count) else { return nil }
    var value: UInt64 = 0
    for (index, part) in parts.enumerated() {
      guard let number = Self.number(Array(part)) else { return nil }
      let isLast = index == parts.count - 1
      let room = isLast ? 8 * (4 - index) : 8
      guard number < 1 << UInt64(room) else { return nil }
      value = value << UInt64(room) | number
    }
    self = .v4(UInt32(truncatingIfNeeded: value))
  }

  /// The IPv4 address inside an IPv6 one, if its form carries one; of several the one that packets reach.
  public var embeddedV4: IPAddress? { self.carriedV4.first }

  /// Every IPv4 address that an IPv6 one may carry: whoever is behind one of them may be who is reached.
  ///
  /// IPv4-mapped and -compatible (RFC 4291 §2.5.5), -translated (RFC 7915), NAT64 (RFC 6052's
  /// `64:ff9b::/96`; in `64:ff9b:1::/48`, RFC 8215, at each place that RFC 6052 knows), 6to4 (RFC 3056),
  /// Teredo (RFC 4380: the client, inverted, and its server) and ISATAP under any prefix (RFC 5214).
  /// A network's own NAT64 prefix cannot be told from any other.
  public var carriedV4: [IPAddress] {
    guard case .v6(let value) = self else { return [] }
    var found: [UInt32] = []
    let low = UInt32(truncatingIfNeeded: value)
    switch value >> 32 {
    case 0 where low > 1, 0xFFFF, 0xFFFF_0000, 0x0064_ff9b_0000_0000_0000_0000: found.append(low)
    default: break
    }
    if value >> 80 == 0x0064_ff9b_0001 {
      // Bits 64...71 are left out of an address that lies across them (RFC 6052 §2.2).
      let high = UInt32(truncatingIfNeeded: value >> 64)
      let rest = UInt32(truncatingIfNeeded: value >> 24)
      let places = [
        low, high << 16 | rest >> 16, high << 24 | rest >> 8, rest,
      ]
      // 0.0.0.0/8 is nobody: that place holds no address.
      found += places.filter { $0 >> 24 != 0 }
    }
    if value >> 112 == 0x2002 { found.append(UInt32(truncatingIfNeeded: value >> 80)) }
    if value >> 96 == 0x2001_0000 { found += [~low, UInt32(truncatingIfNeeded: value >> 64)] }
    // The two bits that an interface identifier may have set: universal and group.
    if UInt32(truncatingIfNeeded: value >> 32) & ~0x0300_0000 == 0x5EFE { found.append(low) }
    return found.map { .v4($0) }
  }

  /// The address that a socket would really use: IPv4-mapped becomes IPv4, all else stays.
  public var unmapped: IPAddress {
    if case .v6(let value) = self, value >> 32 == 0xFFFF {
      return .v4(UInt32(truncatingIfNeeded: value))
    }
    return self
  }

  /// Whether a text has a colon, or ends in what may be a number: a glance that nearly every name fails.
  private static func mayBeAddress(_ text: Bytes) -> Bool {
    var labelStart: UInt8 = 0
    var last: UInt8 = 0x2E
    for byte in text {
      if byte == 0x3A { return true }
      if last == 0x2E, byte != 0x2E { labelStart = byte }
      last = byte
    }
    return last == 0x5D || ASCII.isDigit(labelStart)
  }

  private static func number(_ text: [UInt8]) -> UInt64? {
    guard !text.isEmpty else { return nil }
    var digits = text[...]
    var radix: UInt64 = 10
    if text.count > 1, text[0] == 0x30 {
      if ASCII.lowercased(text[1]) == 0x78 {
        radix = 16
        digits = text[2...]
      } else {
        radix = 8
        digits = text[1...]
      }
    }
    guard digits.count <= 16 else { return nil }
    var value: UInt64 = 0
    for byte in digits {
      guard let digit = ASCII.hexValue(byte), UInt64(digit) < radix,
        value < UInt64.max >> 4
      else { return nil }
      value = value * radix + UInt64(digit)
    }
    return value
  }
}
