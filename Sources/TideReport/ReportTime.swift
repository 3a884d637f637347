internal import TideCore
internal import TideEvidence

/// A recorded time as reports show it.
enum ReportTime {
  /// `2026-11-22 18:04:05 UTC`, without the fraction.
  static func second(_ text: String) -> String {
    guard text.utf8.count >= 20 else { return Visible.text(text, limit: 40) }
    return "\(text.prefix(10)) \(text.dropFirst(11).prefix(8)) UTC"
  }

  /// `18:04:05` of a time of the case's day, with its date if it is another day.
  static func short(_ text: String, day: String) -> String {
    guard text.utf8.count >= 20 else { return Visible.text(text, limit: 40) }
    let clock = text.dropFirst(11).prefix(8)
    return text.hasPrefix(day) ? String(clock) : "\(text.prefix(10)) \(clock)"
  }

  /// `2026-11-23 02:04:05`, so many seconds east of UTC.
  static func local(_ text: String, secondsEast: Int64) -> String? {
    guard let time = WallTime(recorded: text) else { return nil }
    let shifted = time.advanced(bySeconds: secondsEast).rfc3339
    return "\(shifted.prefix(10)) \(shifted.dropFirst(11).prefix(8))"
  }

  /// Nanoseconds since 1970; nil if it is no time.
  static func nanoseconds(_ text: String) -> Int64? { WallTime(recorded: text)?.nanoseconds }
}
