import TideCore

/// Geohashes: base 32 digits, each five bits of longitude and latitude by turns.
enum Geohash {
  /// The digits of a position: six are a cell of 1.2 km by 600 m.
  static let counts = 6...12
  private static let alphabet = Array("0123456789bcdefghjkmnpqrstuvwxyz".utf8)

  /// The middle of the cell; nil if it is no geohash.
  static func position(_ text: some Sequence<UInt8>) -> Position? {
    var low = (-90.0, -180.0)
    var high = (90.0, 180.0)
    var isLongitude = true
    for byte in text {
      guard let digit = self.alphabet.firstIndex(of: byte | (byte &- 0x41 < 26 ? 0x20 : 0)) else {
        return nil
      }
      for bit in (0..<5).reversed() {
        let isUpper = digit >> bit & 1 == 1
        if isLongitude {
          let middle = (low.1 + high.1) / 2
          if isUpper { low.1 = middle } else { high.1 = middle }
        } else {
          let middle = (low.0 + high.0) / 2
          if isUpper { low.0 = middle } else { high.0 = middle }
        }
        isLongitude.toggle()
      }
    }
    return Position(latitude: (low.0 + high.0) / 2, longitude: (low.1 + high.1) / 2)
  }

  /// The geohash of a position with so many digits.
  static func text(_ position: Position, count: Int) -> [UInt8] {
    var low = (-90.0, -180.0)
    var high = (90.0, 180.0)
    var isLongitude = true
    var text: [UInt8] = []
    for _ in 0..<count {
      var digit = 0
      for _ in 0..<5 {
        digit <<= 1
        if isLongitude {
          let middle = (low.1 + high.1) / 2
          if position.longitude >= middle {
            digit |= 1
            low.1 = middle
          } else {
            high.1 = middle
          }
        } else {
          let middle = (low.0 + high.0) / 2
          if position.latitude >= middle {
            digit |= 1
            low.0 = middle
          } else {
            high.0 = middle
          }
        }
        isLongitude.toggle()
      }
      text.append(self.alphabet[digit])
    }
    return text
  }
}

/// The first digits of the geohashes around some positions: a test that most words fail.
struct GeohashPrefixes {
  /// Four digits, in lower case, as one number.
  private let prefixes: Set<UInt32>
  /// One bit for each that `bit` gives, so that most words need no look into the set.
  private let filter: [UInt64]

  init(around positions: [Position]) {
    var prefixes = Set<UInt32>()
    for position in positions {
      // A radius around may reach into the cells next door.
      for (north, east) in [(0.0, 0.0), (0.01, 0.02), (0.01, -0.02), (-0.01, 0.02), (-0.01, -0.02)]
      {
        let near = Position(
          latitude: position.latitude + north,
          longitude: position.longitude + east
        )
        guard let near else { continue }
        prefixes.insert(Geohash.text(near, count: 4).reduce(0) { $0 << 8 | UInt32($1) })
      }
    }
    self.prefixes = prefixes
    var filter = [UInt64](repeating: 0, count: 64)
    for prefix in prefixes { filter[Self.bit(prefix) >> 6] |= 1 << UInt64(Self.bit(prefix) & 63) }
    self.filter = filter
  }

  /// Whether a whole value may be one.
  func mayBegin(_ span: Span<UInt8>) -> Bool {
    Geohash.counts.contains(span.count) && self.isPrefix(span, 0)
  }

  /// Whether one may begin anywhere.
  func mayBe(in span: Span<UInt8>) -> Bool {
    guard span.count >= Geohash.counts.lowerBound else { return false }
    var digits: UInt32 = 0
    // The last that has room for a whole one after it.
    let end = span.count - Geohash.counts.lowerBound + 4
    for index in 0..<end {
      digits = digits << 8 | UInt32(ASCII.lowercased(span[index]))
      if index >= 3, self.isPrefix(digits) { return true }
    }
    return false
  }

  private func isPrefix(_ span: Span<UInt8>, _ start: Int) -> Bool {
    var digits: UInt32 = 0
    for index in start..<start + 4 { digits = digits << 8 | UInt32(ASCII.lowercased(span[index])) }
    return self.isPrefix(digits)
  }

  private func isPrefix(_ digits: UInt32) -> Bool {
    let bit = Self.bit(digits)
    guard self.filter[bit >> 6] & 1 << UInt64(bit & 63) != 0 else { return false }
    return self.prefixes.contains(digits)
  }

  /// One of 4,096 places, by multiplicative hashing.
  private static func bit(_ digits: UInt32) -> Int { Int((digits &* 0x9E37_79B1) >> 20) }
}
