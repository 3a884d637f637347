import TideCore

/// How one kind of place writes values with `%XX`, and how to write others there in the same manner.
enum PercentText {
  /// A value of a form or a query.
  case form
  /// A segment of a path.
  case segment
  /// A cookie's value, which has escapes only if its owner wants them (RFC 6265 §4.1.1).
  case cookie
  /// A fragment or the user's name in a URL.
  case other

  /// The value that `written` stands for; nil if it stands for itself.
  func decoded(_ written: Bytes) -> [UInt8]? {
    let hasPlus = self == .form && written.contains(0x2B)
    guard hasPlus || written.contains(0x25) else { return nil }
    let plusIsSpace = hasPlus && !Self.keepsPlus(written)
    let value = Percent.decoded(written, plusIsSpace: plusIsSpace)
    return value.count == written.count && !plusIsSpace ? nil : value
  }

  /// `value` written in the manner of `original`; nil if it cannot stand here.
  func encoded(_ value: Bytes, as original: Bytes) -> [UInt8]? {
    for isStrict in [false, true] {
      let style = PercentStyle(of: original, in: self, isStrict: isStrict)
      let written = style.encoded(value)
      // White space at an edge would be taken for what stands between members.
      if !isStrict, let first = written.first, let last = written.last,
        JSONScanner.isSpace(first) || JSONScanner.isSpace(last)
      {
        continue
      }
      if Bytes(self.decoded(Bytes(written)) ?? written) == value { return written }
    }
    return nil
  }

  /// Whether a byte may stand here as it is.
  func allows(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: true
    case ...0x20, 0x22, 0x23, 0x25, 0x5C, 0x7F: false
    // `&` `+` `;`
    case 0x26, 0x2B, 0x3B: self != .form && !(self == .cookie && byte == 0x3B)
    // `,`
    case 0x2C: self != .cookie
    // `/` `?`
    case 0x2F, 0x3F: self != .segment
    default: true
    }
  }

  /// Whether this sender means `+` by `+`: it begins a telephone number.
  private static func keepsPlus(_ written: Bytes) -> Bool {
    written.first == 0x2B && written.count > 7
      && written.dropping(first: 1).allSatisfy { ASCII.isDigit($0) || $0 == 0x2D }
  }
}

/// Which bytes one value escapes, and with what digits.
private struct PercentStyle {
  private let place: PercentText
  private let isStrict: Bool
  private var escaped = [Bool](repeating: false, count: 256)
  private var raw = [Bool](repeating: false, count: 256)
  private var isLower = false
  private var spaceIsPlus: Bool

  /// Characters that one encoder or another leaves as they are.
  private static let reserved = Array("/=:,@!$'()*?".utf8)

  init(of original: Bytes, in place: PercentText, isStrict: Bool) {
    self.place = place
    self.isStrict = isStrict
    self.spaceIsPlus = place == .form
    var index = 0
    while index < original.count {
      let byte = original[index]
      if byte == 0x25, index + 2 < original.count, let high = ASCII.hexValue(original[index + 1]),
        let low = ASCII.hexValue(original[index + 2])
      {
        self.escaped[Int(high << 4 | low)] = true
        if original[index + 1] &- 0x61 < 6 || original[index + 2] &- 0x61 < 6 {
          self.isLower = true
        }
        index += 3
      } else {
        self.raw[Int(byte)] = true
        index += 1
      }
    }
    if self.escaped[0x20], !self.raw[0x2B] { self.spaceIsPlus = false }
    self.extend()
  }

  /// What holds for one byte holds for its kin.
  private mutating func extend() {
    for kin: ClosedRange<UInt8> in [0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x80...0xFF] {
      if kin.contains(where: { self.escaped[Int($0)] }) {
        for byte in kin { self.escaped[Int(byte)] = true }
      } else if kin.contains(where: { self.raw[Int($0)] }) {
        for byte in kin { self.raw[Int(byte)] = true }
      }
    }
    let reserved = Self.reserved.map { Int($0) }
    if reserved.contains(where: { self.raw[$0] }), !reserved.contains(where: { self.escaped[$0] }) {
      for byte in reserved { self.raw[byte] = true }
    }
  }

  func encoded(_ value: Bytes) -> [UInt8] {
    var written: [UInt8] = []
    written.reserveCapacity(value.count)
    for byte in value {
      if self.isRaw(byte) {
        written.append(byte)
      } else if byte == 0x20, self.spaceIsPlus {
        written.append(0x2B)
      } else {
        written.append(0x25)
        written.append(HexDigit.of(byte >> 4, isUpper: !self.isLower))
        written.append(HexDigit.of(byte & 15, isUpper: !self.isLower))
      }
    }
    return written
  }

  private func isRaw(_ byte: UInt8) -> Bool {
    if self.escaped[Int(byte)] { return false }
    // A `+` that its sender means by itself: whether it is read so is tried out by the caller.
    if byte == 0x2B, self.place == .form { return self.raw[Int(byte)] && !self.isStrict }
    guard self.place.allows(byte) else { return byte == 0x20 && self.raw[0x20] && !self.isStrict }
    let isUnreserved =
      ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
      || byte == 0x2D || byte == 0x2E || byte == 0x5F || byte == 0x7E
    if isUnreserved || self.raw[Int(byte)] { return true }
    switch self.place {
    case .form, .segment, .other: return false
    // An owner that escapes nothing would not read escapes either.
    case .cookie: return byte < 0x80 && !self.escaped.contains(true) && !self.isStrict
    }
  }
}
