internal import TideCore

/// Writes RFC 3339 times quickly: the part down to the second is kept from the last time written.
struct TimestampWriter {
  private var second: Int64?
  private var prefix: [UInt8] = []

  /// Writes `"2026-11-22T18:04:05.123456Z"`, quotes included.
  mutating func write(_ time: WallTime, into json: inout JSONWriter) {
    let second = time.seconds
    if second != self.second {
      self.second = second
      self.prefix = Array(WallTime(seconds: second).rfc3339.utf8.dropLast(7))
    }
    json.time(self.prefix, microseconds: (time.nanoseconds - second * 1_000_000_000) / 1_000)
  }
}

extension WallTime {
  /// The process's time, without a system call where the kernel offers that.
  static var now: WallTime { CaseClock.system.now }

  /// Reads RFC 3339 in UTC (`Z`), with a fraction of up to nine digits or none; nil for anything else.
  init?(rfc3339 text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes.last == 0x5A, bytes[4] == 0x2D, bytes[7] == 0x2D,
      bytes[10] == 0x54 || bytes[10] == 0x20, bytes[13] == 0x3A, bytes[16] == 0x3A
    else { return nil }
    func number(_ range: Range<Int>) -> Int? {
      var value = 0
      for byte in bytes[range] {
        guard ASCII.isDigit(byte) else { return nil }
        value = value * 10 + Int(byte - 0x30)
      }
      return value
    }
    guard let year = number(0..<4), let month = number(5..<7), (1...12).contains(month),
      let day = number(8..<10), (1...31).contains(day), let hour = number(11..<13), hour < 24,
      let minute = number(14..<16), minute < 60, let second = number(17..<19), second < 61
    else { return nil }
    var nanoseconds = 0
    if bytes.count > 20 {
      let digits = bytes.count - 21
      guard bytes[19] == 0x2E, (1...9).contains(digits), let part = number(20..<20 + digits)
      else { return nil }
      nanoseconds = (digits..<9).reduce(part) { value, _ in value * 10 }
    }
    // Civil date to days by 400-year eras that begin on 1 March (the inverse of `civil`).
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let days =
      era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second
    // Years 1678 to 2262 are what nanoseconds in 64 bits can hold.
    guard (1_678...2_261).contains(year) else { return nil }
    self.init(nanoseconds: Int64(seconds) * 1_000_000_000 + Int64(nanoseconds))
  }
}
