internal import TideCore

/// Reads whole lines of range lists byte by byte: 25 MB are read at every start, so no line becomes a string.
struct RangeListReader {
  private let name: String
  private var line = 0
  private(set) var ranges = 0
  private(set) var date: String?
  var v4 = RangeIndex<UInt32>()
  var v6 = RangeIndex<UInt128>()

  init(name: String) { self.name = name }

  mutating func read(_ text: Span<UInt8>) throws(RegionFailure) {
    var position = 0
    while position < text.count {
      self.line += 1
      switch text[position] {
      case 0x0A: position += 1
      case 0x23: self.readComment(text, &position)
      default: try self.readRange(text, &position)
      }
    }
  }

  private mutating func readRange(_ text: Span<UInt8>, _ position: inout Int) throws(RegionFailure)
  {
    let start = position
    let order: RangeIndex<UInt32>.Order
    if let low = Self.decimal(text, &position) {
      guard Self.skip(0x2C, text, &position), let high = Self.decimal(text, &position),
        Self.skip(0x2C, text, &position), low <= high,
        let code = Self.country(text, &position)
      else { throw self.malformed(text, start) }
      order = self.v4.append(low, high, code)
    } else {
      position = start
      guard let low = Self.groups(text, &position), Self.skip(0x2C, text, &position),
        let high = Self.groups(text, &position), Self.skip(0x2C, text, &position), low <= high,
        let code = Self.country(text, &position)
      else { throw self.malformed(text, start) }
      order =
        switch self.v6.append(low, high, code) {
        case .inOrder: .inOrder
        case .unsorted: .unsorted
        case .overlapping: .overlapping
        }
    }
    switch order {
    case .inOrder: self.ranges += 1
    case .unsorted:
      throw self.failure(.unsorted, "the range begins before the one above it", text, start)
    case .overlapping:
      throw self.failure(.overlapping, "the range overlaps the one above it", text, start)
    }
  }

  /// Reads digits up to a comma; nil if there is anything else or no 32-bit number.
  private static func decimal(_ text: Span<UInt8>, _ position: inout Int) -> UInt32? {
    var value: UInt64 = 0
    let start = position
    while position < text.count, position - start < 11, ASCII.isDigit(text[position]) {
      value = value * 10 + UInt64(text[position] &- 0x30)
      position += 1
    }
    guard position > start, position < text.count, text[position] == 0x2C else { return nil }
    return UInt32(exactly: value)
  }

  /// Reads an IPv6 address (RFC 4291 §2.2, forms 1 and 2): groups on either side of at most one `::`.
  private static func groups(_ text: Span<UInt8>, _ position: inout Int) -> UInt128? {
    var value: UInt128 = 0
    var head: UInt128 = 0
    var headCount = -1  // groups before `::`; -1 while there was none
    var count = 0
    if Self.skip(0x3A, text, &position) {
      guard Self.skip(0x3A, text, &position) else { return nil }
      headCount = 0
    }
    while position < text.count, var group = ASCII.hexValue(text[position]).map(UInt32.init) {
      position += 1
      while position < text.count, let digit = ASCII.hexValue(text[position]) {
        group = group << 4 | UInt32(digit)
        guard group <= 0xFFFF else { return nil }
        position += 1
      }
      count += 1
      guard count + max(headCount, 0) <= 8 else { return nil }
      value = value << 16 | UInt128(group)
      guard Self.skip(0x3A, text, &position) else { break }
      if Self.skip(0x3A, text, &position) {
        guard headCount < 0 else { return nil }
        headCount = count
        head = value
        count = 0
        value = 0
      } else if position >= text.count || ASCII.hexValue(text[position]) == nil {
        return nil
      }
    }
    guard headCount >= 0 else { return count == 8 ? value : nil }
    guard headCount + count <= 7 else { return nil }
    return headCount == 0 ? value : head << UInt128(128 - 16 * headCount) | value
  }

  /// Reads a country and the end of the line: two letters or digits as one number, 0 for `??`.
  private static func country(_ text: Span<UInt8>, _ position: inout Int) -> UInt16? {
    guard position + 2 <= text.count else { return nil }
    let (first, second) = (ASCII.lowercased(text[position]), ASCII.lowercased(text[position + 1]))
    position += 2
    _ = self.skip(0x0D, text, &position)
    guard position == text.count || self.skip(0x0A, text, &position) else { return nil }
    if first == 0x3F, second == 0x3F { return 0 }
    // `A1` and `T1` stand for proxies and Tor in older lists.
    guard first &- 0x61 < 26, second &- 0x61 < 26 || ASCII.isDigit(second) else { return nil }
    let upper = ASCII.isDigit(second) ? second : second & ~0x20
    return UInt16(first & ~0x20) << 8 | UInt16(upper)
  }

  @inline(__always)
  private static func skip(_ byte: UInt8, _ text: Span<UInt8>, _ position: inout Int) -> Bool {
    guard position < text.count, text[position] == byte else { return false }
    position += 1
    return true
  }

  private mutating func readComment(_ text: Span<UInt8>, _ position: inout Int) {
    let start = position
    while position < text.count, text[position] != 0x0A { position += 1 }
    if self.ranges == 0, self.date == nil {
      self.date = HeaderDate.read(Self.quote(text, start))
    }
    position = min(position + 1, text.count)
  }

  /// The line at `start`, at most 64 bytes of it.
  private static func quote(_ text: Span<UInt8>, _ start: Int) -> String {
    var end = start
    while end < text.count, end - start < 64, text[end] >= 0x20 { end += 1 }
    return String(decoding: (start..<end).map { text[$0] }, as: UTF8.self)
  }

  /// The failure for a line that has more than `limit` bytes.
  func endless(_ limit: Int) -> RegionFailure {
    RegionFailure(
      .malformed,
      source: self.name,
      line: self.line + 1,
      detail: "expected LOW,HIGH,COUNTRY: the line has more than \(limit) bytes"
    )
  }

  private func malformed(_ text: Span<UInt8>, _ start: Int) -> RegionFailure {
    self.failure(.malformed, "expected LOW,HIGH,COUNTRY", text, start)
  }

  private func failure(
    _ code: RegionFailure.Code,
    _ reason: String,
    _ text: Span<UInt8>,
    _ start: Int
  ) -> RegionFailure {
    RegionFailure(
      code,
      source: self.name,
      line: self.line,
      detail: "\(reason): \"\(Self.quote(text, start))\""
    )
  }
}

/// The date in the comments above a list.
private enum HeaderDate {
  private static let months = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
  ]

  /// Reads `Generated: Thu, 25 Jun 2026 …` or `Last updated based on June 25 2026 …`; else nil.
  static func read(_ comment: String) -> String? {
    let words = comment.split { $0 == " " || $0 == "," || $0 == "#" || $0 == "\t" }
    guard words.first == "Generated:" || comment.contains("updated based on") else { return nil }
    for (index, word) in words.enumerated() {
      let key = word.prefix(3).lowercased()
      guard let month = self.months.firstIndex(of: key), index + 1 < words.count else { continue }
      // Either `25 Jun 2026` or `June 25 2026`.
      let numbers = [index - 1, index + 1, index + 2].compactMap { position in
        words.indices.contains(position) ? Int(words[position]) : nil
      }
      guard let day = numbers.first(where: { (1...31).contains($0) }),
        let year = numbers.first(where: { (1990...9999).contains($0) })
      else { continue }
      return "\(year)-\(Self.padded(month + 1))-\(Self.padded(day))"
    }
    return nil
  }

  private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
