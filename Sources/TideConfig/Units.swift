import TideCore

/// Sizes and durations as people write them.
enum Units {
  private static let sizes: [String: UInt64] = [
    "": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
    "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000, "tb": 1_000_000_000_000,
  ]
  private static let durations: [String: UInt64] = [
    "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000,
  ]

  /// Reads a number of bytes; the unit's case is ignored, blanks before it too.
  static func bytes(_ text: String) -> UInt64? {
    Self.product(text, Self.sizes)
  }

  /// Reads a duration; the unit is a must, since a bare number could be seconds or milliseconds.
  static func duration(_ text: String) -> Duration? {
    Self.product(text, Self.durations).flatMap { Int64(exactly: $0) }.map { .milliseconds($0) }
  }

  private static func product(_ text: String, _ units: [String: UInt64]) -> UInt64? {
    let digits = text.utf8.prefix(while: ASCII.isDigit)
    let unit = text.utf8.dropFirst(digits.count).drop { $0 == 0x20 }
    let name = String(decoding: unit.map(ASCII.lowercased), as: UTF8.self)
    guard let factor = units[name], let number = UInt64(Substring(digits)) else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: factor)
    return overflow ? nil : product
  }

  /// A size in the largest unit that divides it.
  static func sizeText(_ bytes: some FixedWidthInteger) -> String {
    for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
      let bytes = UInt64(clamping: bytes)
      if bytes > 0, bytes & (1 << UInt64(shift) - 1) == 0 { return "\(bytes >> shift)\(unit)" }
    }
    return "\(bytes)"
  }

  /// A duration in the largest unit that divides it.
  static func durationText(_ duration: Duration) -> String {
    let milliseconds =
      duration.components.seconds * 1_000
      + duration.components.attoseconds / 1_000_000_000_000_000
    for (length, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")]
    where milliseconds > 0 && milliseconds % Int64(length) == 0 {
      return "\(milliseconds / Int64(length))\(unit)"
    }
    return "\(milliseconds)ms"
  }
}

extension Duration {
  /// A number of days.
  static func days(_ count: Int) -> Duration { .seconds(count * 86_400) }
}
