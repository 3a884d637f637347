import TideCore

/// Remembers values in which nothing was found, so that they are not searched again.
///
/// Of what a device says to a server most is said with each message anew: its name, what it accepts, a
/// cookie; and most answers to telemetry are one and the same. What is found in a value depends on the plan,
/// on where it stands, on its name and its bytes alone, and to compare those costs a thousandth of a search.
/// They are kept and compared as a whole: no value is ever taken for another.
///
/// Bounded in entries and bytes. Of the two in one place of the table the one that was of use longer ago
/// makes way.
struct QuietValues {
  /// What a value is to its message.
  enum Place: UInt8 {
    case path
    case query
    case field
    case trailer
    case body
    case message
  }

  /// A value with all that what is found in it depends on.
  struct Key {
    let place: Place
    let direction: Direction
    /// A field's name, or a content's declared type; may be empty.
    let name: Bytes
    let value: Bytes

    fileprivate var count: Int { self.name.count + self.value.count }

    /// One of 16 kinds of values.
    fileprivate var kind: UInt8 {
      switch self.direction {
      case .request: self.place.rawValue
      case .response: self.place.rawValue | 8
      }
    }

    /// Says where to look; never that two are the same.
    fileprivate var hash: UInt64 {
      let start = UInt64(self.kind) &* 0xD6E8_FEB8_6659_FD93
      return QuietValues.mix(self.value, QuietValues.mix(self.name, start))
    }
  }

  /// Longer values, with their names, are not remembered.
  static let longest = 1_024
  /// The most bytes that are kept; beyond it all are forgotten.
  static let mostBytes = 128 << 10
  /// Places of the table, a power of two.
  private static let placeCount = 256

  private struct Entry {
    var hash: UInt64 = 0
    var kind: UInt8 = 0
    var name = Bytes()
    var value = Bytes()

    func holds(_ key: Key) -> Bool {
      self.kind == key.kind && self.name == key.name && self.value == key.value
    }
  }

  /// Two to a place; empty until something is remembered.
  private var entries: [Entry?] = []
  /// Which of the two in a place was of use last.
  private var isSecondLast: [Bool] = []
  private(set) var byteCount = 0

  /// Whether it is known that nothing is in this value.
  mutating func contains(_ key: Key) -> Bool {
    if self.entries.isEmpty || key.count > Self.longest { return false }
    let hash = key.hash
    let row = Self.row(hash)
    for way in 0..<2 {
      guard let entry = self.entries[2 * row + way], entry.hash == hash, entry.holds(key) else {
        continue
      }
      self.isSecondLast[row] = way == 1
      return true
    }
    return false
  }

  /// Remembers that nothing is in this value.
  mutating func insert(_ key: Key) {
    guard key.count <= Self.longest else { return }
    if self.entries.isEmpty || self.byteCount + key.count > Self.mostBytes {
      self.entries = [Entry?](repeating: nil, count: 2 * Self.placeCount)
      self.isSecondLast = [Bool](repeating: false, count: Self.placeCount)
      self.byteCount = 0
    }
    let hash = key.hash
    let row = Self.row(hash)
    let way = self.isSecondLast[row] ? 0 : 1
    let before = self.entries[2 * row + way].map { $0.name.count + $0.value.count } ?? 0
    self.byteCount += key.count - before
    // A slice would keep the whole message.
    self.entries[2 * row + way] = Entry(
      hash: hash,
      kind: key.kind,
      name: Bytes(Array(key.name)),
      value: Bytes(Array(key.value))
    )
    self.isSecondLast[row] = way == 1
  }

  private static func row(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash >> 32) & (self.placeCount - 1)
  }

  /// Multiplies and folds, eight bytes at a time.
  fileprivate static func mix(_ bytes: Bytes, _ start: UInt64) -> UInt64 {
    unsafe bytes.withUnsafeBytes { bytes in
      var hash = start ^ UInt64(bytes.count)
      var place = 0
      func take(_ word: UInt64) {
        hash = (hash ^ word) &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash >> 29
      }
      while place + 8 <= bytes.count {
        // In range: there are eight bytes more.
        take(unsafe bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
        place += 8
      }
      var rest: UInt64 = 0
      while place < bytes.count {
        rest = rest << 8 | UInt64(unsafe bytes[place])
        place += 1
      }
      take(rest)
      return hash
    }
  }
}
