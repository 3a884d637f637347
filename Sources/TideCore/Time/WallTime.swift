/// A point in civil time (UTC), in nanoseconds since 1970-01-01; it may jump when the clock is set.
public struct WallTime: Hashable, Comparable, Sendable {
  /// Nanoseconds since the Unix epoch.
  public let nanoseconds: Int64

  /// Makes a time from nanoseconds since the Unix epoch.
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// Makes a time from seconds since the Unix epoch.
  public init(seconds: Int64) { self.nanoseconds = seconds * 1_000_000_000 }

  /// Whole seconds since the Unix epoch.
  public var seconds: Int64 {
    self.nanoseconds >= 0
      ? self.nanoseconds / 1_000_000_000 : (self.nanoseconds - 999_999_999) / 1_000_000_000
  }

  /// Orders by time.
  public static func < (a: WallTime, b: WallTime) -> Bool { a.nanoseconds < b.nanoseconds }

  /// The time `seconds` later (earlier if negative).
  public func advanced(bySeconds seconds: Int64) -> WallTime {
    WallTime(nanoseconds: self.nanoseconds + seconds * 1_000_000_000)
  }

  /// The civil date and time of day in UTC (proleptic Gregorian).
  public var civil: (year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
    let seconds = self.seconds
    let days = Int(seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400)
    let rest = Int(seconds) - days * 86_400
    // Days to civil date by 400-year eras that begin on 1 March, so that the leap day comes last.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, day, rest / 3_600, rest / 60 % 60, rest % 60)
  }

  /// RFC 3339 in UTC with microseconds: `2026-11-22T18:04:05.123456Z`.
  public var rfc3339: String {
    let civil = self.civil
    let microseconds = Int((self.nanoseconds - self.seconds * 1_000_000_000) / 1_000)
    func padded(_ value: Int, _ width: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    return padded(civil.year, 4) + "-" + padded(civil.month, 2) + "-" + padded(civil.day, 2) + "T"
      + padded(civil.hour, 2) + ":" + padded(civil.minute, 2) + ":" + padded(civil.second, 2)
      + "." + padded(microseconds, 6) + "Z"
  }
}
