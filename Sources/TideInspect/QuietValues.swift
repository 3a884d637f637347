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

    /// Calls `body` with the key's bytes in place.
    fileprivate func withView<R>(_ body: (borrowing View) -> R) -> R {
      unsafe self.name.withUnsafeBytes { name in
        unsafe self.value.withUnsafeBytes { value in
          body(
            unsafe View(
              kind: QuietValues.kind(self.place, self.direction),
              name: name,
              value: value
            )
          )
        }
      }
    }
  }

  /// A key whose bytes are somebody's for as long as it is looked at.
  @safe fileprivate struct View: ~Copyable {
    let kind: UInt8
    let name: UnsafeRawBufferPointer
    let value: UnsafeRawBufferPointer

    init(kind: UInt8, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
      self.kind = kind
      unsafe self.name = name
      unsafe self.value = value
    }

    var count: Int { unsafe self.name.count + self.value.count }

    /// Says where to look; never that two are the same.
    var hash: UInt64 {
      let start = UInt64(self.kind) &* 0xD6E8_FEB8_6659_FD93
      // 0 stands for nothing.
      return unsafe QuietValues.mix(self.value, QuietValues.mix(self.name, start)) | 1
    }
  }

  /// Longer values, with their names, are not remembered.
  static let longest = 1_024
  /// The most bytes that are kept; beyond it all are forgotten.
  static let mostBytes = 128 << 10
  /// Places of the table, a power of two.
  private static let placeCount = 256

  private struct Entry {
    var kind: UInt8 = 0
    var name: [UInt8] = []
    var value: [UInt8] = []

    var count: Int { self.name.count + self.value.count }
  }

  /// Two to a place, 0 where there is none; empty until something is remembered.
  private var hashes: [UInt64] = []
  private var entries: [Entry] = []
  /// Which of the two in a place was of use last.
  private var isSecondLast: [Bool] = []
  private(set) var byteCount = 0

  /// Whether it is known that nothing is in this value.
  mutating func contains(_ key: Key) -> Bool {
    if self.hashes.isEmpty { return false }
    return key.withView { self.contains($0) }
  }

  /// Whether it is known that nothing is in a request's target, before its `?` and after it.
  mutating func contains(target: Bytes, _ direction: Direction) -> Bool {
    if target.isEmpty { return true }
    if self.hashes.isEmpty { return false }
    return unsafe target.withUnsafeBytes { target in
      let end = unsafe target.firstIndex(of: 0x3F) ?? target.count
      let noName = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
      let path = unsafe View(
        kind: Self.kind(.path, direction),
        name: noName,
        value: UnsafeRawBufferPointer(rebasing: target[..<end])
      )
      guard self.contains(path) else { return false }
      guard end + 1 < target.count else { return true }
      let query = unsafe View(
        kind: Self.kind(.query, direction),
        name: noName,
        value: UnsafeRawBufferPointer(rebasing: target[(end + 1)...])
      )
      return self.contains(query)
    }
  }

  /// The indices of the fields of which that is not known, but for those that are not searched.
  mutating func unknown(
    in fields: HeaderFields,
    _ place: Place,
    _ direction: Direction
  ) -> [Int] {
    var unknown: [Int] = []
    if self.hashes.isEmpty {
      for index in 0..<fields.count where !HeadPart.isOurs(index, fields) { unknown.append(index) }
      return unknown
    }
    let kind = Self.kind(place, direction)
    unsafe fields.buffer.withUnsafeBytes { buffer in
      for index in 0..<fields.count where !HeadPart.isOurs(index, fields) {
        let slot = fields.slots[index]
        let view = unsafe View(
          kind: kind,
          name: UnsafeRawBufferPointer(rebasing: buffer[slot.name]),
          value: UnsafeRawBufferPointer(rebasing: buffer[slot.value])
        )
        if !self.contains(view) { unknown.append(index) }
      }
    }
    return unknown
  }

  private mutating func contains(_ view: borrowing View) -> Bool {
    guard view.count <= Self.longest else { return false }
    let hash = view.hash
    let row = Self.row(hash)
    for way in 0..<2 where self.hashes[2 * row + way] == hash {
      guard self.holds(view, at: 2 * row + way) else { continue }
      self.isSecondLast[row] = way == 1
      return true
    }
    return false
  }

  private func holds(_ view: borrowing View, at place: Int) -> Bool {
    unsafe self.entries[place].kind == view.kind
      && Self.isEqual(self.entries[place].name, view.name)
      && Self.isEqual(self.entries[place].value, view.value)
  }

  /// Remembers that nothing is in this value.
  mutating func insert(_ key: Key) {
    // Not a slice: that would keep the whole message.
    let entry = Entry(
      kind: Self.kind(key.place, key.direction),
      name: unsafe key.name.withUnsafeBytes { unsafe Array($0) },
      value: unsafe key.value.withUnsafeBytes { unsafe Array($0) }
    )
    guard entry.count <= Self.longest else { return }
    if self.hashes.isEmpty || self.byteCount + entry.count > Self.mostBytes {
      self.hashes = [UInt64](repeating: 0, count: 2 * Self.placeCount)
      self.entries = [Entry](repeating: Entry(), count: 2 * Self.placeCount)
      self.isSecondLast = [Bool](repeating: false, count: Self.placeCount)
      self.byteCount = 0
    }
    let hash = key.withView { $0.hash }
    let row = Self.row(hash)
    let way = self.isSecondLast[row] ? 0 : 1
    self.byteCount += entry.count - self.entries[2 * row + way].count
    self.hashes[2 * row + way] = hash
    self.entries[2 * row + way] = entry
    self.isSecondLast[row] = way == 1
  }

  /// One of 16 kinds of values.
  private static func kind(_ place: Place, _ direction: Direction) -> UInt8 {
    switch direction {
    case .request: place.rawValue
    case .response: place.rawValue | 8
    }
  }

  private static func row(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash >> 32) & (self.placeCount - 1)
  }

  private static func isEqual(_ kept: [UInt8], _ other: UnsafeRawBufferPointer) -> Bool {
    guard kept.count == other.count else { return false }
    return unsafe kept.withUnsafeBytes { kept in
      var place = 0
      while place + 8 <= kept.count {
        // In range: there are eight bytes more in both.
        let one = unsafe kept.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        guard unsafe one == other.loadUnaligned(fromByteOffset: place, as: UInt64.self) else {
          return false
        }
        place += 8
      }
      while place < kept.count {
        guard unsafe kept[place] == other[place] else { return false }
        place += 1
      }
      return true
    }
  }

  /// Multiplies and folds, eight bytes at a time.
  private static func mix(_ bytes: UnsafeRawBufferPointer, _ start: UInt64) -> UInt64 {
    var hash = start ^ UInt64(bytes.count)
    var place = 0
    while place + 8 <= bytes.count {
      // In range: there are eight bytes more.
      hash =
        unsafe (hash ^ bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
        &* 0x9E37_79B9_7F4A_7C15
      hash ^= hash >> 29
      place += 8
    }
    var rest: UInt64 = 0
    while place < bytes.count {
      rest = unsafe rest << 8 | UInt64(bytes[place])
      place += 1
    }
    hash = (hash ^ rest) &* 0x9E37_79B9_7F4A_7C15
    return hash ^ hash >> 29
  }
}
