internal import TideCore
internal import TideCrypto

/// Finds what must not be handed on in a text, and puts placeholders there.
struct ShareSafeScrubber: Sendable {
  /// How a placeholder is written, so that what is around it still parses.
  enum Style: Sendable {
    /// `[imei#1]`.
    case plain
    /// `%5Bimei%231%5D`: in a URL or a form.
    case url
    /// `imei-1`: in a host's name.
    case host
    /// As `plain`, in quotes where a bare number stood.
    case json
  }

  /// What a placeholder says.
  struct Placeholder: Sendable, Hashable {
    let kind: String
    /// A number, or the tag of a token.
    let tag: String

    func text(_ style: Style) -> String {
      switch style {
      case .plain, .json: "[\(self.kind)#\(self.tag)]"
      case .url: "%5B\(self.kind)%23\(self.tag)%5D"
      case .host: "\(self.kind)-\(self.tag)".replacing(0x5F, with: 0x2D)
      }
    }
  }

  private struct Place {
    var range: Range<Int>
    let what: Placeholder
  }

  /// Hexadecimal digits in a row from which on they are taken for a key, a digest or an identifier.
  private static let shortestHex = 16
  /// Letters and digits in a row likewise, if there are capitals, small letters and digits among them.
  private static let shortestToken = 16
  /// Digits in a row likewise: times of day in milliseconds have 13.
  private static let shortestNumber = 14

  private(set) var placeholders: [Placeholder] = []
  var needles = ShareSafeNeedles()
  /// Under which tokens become tags: the same token the same tag, and no way back.
  let key: [UInt8]

  init(key: [UInt8]) { self.key = key }

  mutating func insert(_ placeholder: Placeholder) -> Int32 {
    self.placeholders.append(placeholder)
    return Int32(self.placeholders.count - 1)
  }

  /// The placeholder for a text of which nothing may stay.
  func tag(_ kind: String, _ text: some Collection<UInt8>) -> Placeholder {
    let sum = HMAC.sha256(key: self.key, Array(text))
    return Placeholder(kind: kind, tag: Hex.encode(Array(sum.prefix(4))))
  }

  /// Whether a spelling that is looked for already takes a value out of a text.
  func covers(_ text: [UInt8], _ placeholder: Int32) -> Bool {
    var places: [Place] = []
    self.findNeedles(text, .plain, &places)
    self.findDigits(text, &places)
    return places.contains { $0.what == self.placeholders[Int(placeholder)] }
  }

  /// A text without what must not be handed on.
  func scrub(_ text: String, _ style: Style = .plain) -> String {
    String(decoding: self.scrub(Array(text.utf8), style), as: UTF8.self)
  }

  /// A URL: what is inside its authority keeps the form of a name.
  func scrub(url: String) -> String {
    let bytes = Array(url.utf8)
    var end = 0
    if let scheme = url.firstRange(of: "://") {
      let start = url.utf8.distance(from: url.startIndex, to: scheme.upperBound)
      end = bytes[start...].firstIndex { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 } ?? bytes.count
    } else if url.utf8.first != 0x2F {
      end = bytes.firstIndex { $0 == 0x2F || $0 == 0x3F } ?? bytes.count
    }
    return String(decoding: self.scrub(bytes, .url, hostEnd: end), as: UTF8.self)
  }

  func scrub(_ text: [UInt8], _ style: Style, hostEnd: Int = 0) -> [UInt8] {
    let places = self.places(in: text, style)
    guard !places.isEmpty else { return text }
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var quotes = QuoteTracker()
    var position = 0
    for place in places {
      let before = text[position..<place.range.lowerBound]
      result += before
      if style == .json { quotes.take(before) }
      let used = place.range.upperBound <= hostEnd ? Style.host : style
      let isBare = style == .json && !quotes.isInside
      result += Array((isBare ? "\"\(place.what.text(used))\"" : place.what.text(used)).utf8)
      if style == .json { quotes.take(text[place.range]) }
      position = place.range.upperBound
    }
    result += text[position...]
    return result
  }

  /// What must go, in order, without overlaps.
  private func places(in text: [UInt8], _ style: Style) -> [Place] {
    var places: [Place] = []
    if !self.needles.isEmpty {
      self.findNeedles(text, style, &places)
      self.findDigits(text, &places)
    }
    self.findTokens(text, style, &places)
    guard places.count > 1 else { return places }
    // Of what overlaps, a value of the case names the whole: tokens were found last, and sorting is stable.
    places.sort { $0.range.lowerBound < $1.range.lowerBound }
    var merged: [Place] = []
    for place in places {
      guard let last = merged.last, place.range.lowerBound < last.range.upperBound else {
        merged.append(place)
        continue
      }
      let range = last.range.lowerBound..<max(last.range.upperBound, place.range.upperBound)
      let what = last.what.kind == "token" ? place.what : last.what
      merged[merged.count - 1] = Place(range: range, what: what)
    }
    return merged
  }

  private func findNeedles(_ text: [UInt8], _ style: Style, _ places: inout [Place]) {
    self.needles.forEachMatch(in: text.map(ASCII.lowercased)) { position, length, needle in
      var range = position..<position + length
      switch needle.reach {
      case .match: break
      case .word: range = Self.run(around: range, in: text, isBase64: false)
      case .base64:
        // In a URL a slash separates; base64's own is percent-encoded there.
        let isURL = style == .url || style == .host
        range = Self.run(around: range, in: text, isBase64: !isURL)
      }
      places.append(Place(range: range, what: self.placeholders[Int(needle.placeholder)]))
      return range.upperBound
    }
  }

  /// Finds numbers whose digits have separators between them, one at a time.
  private func findDigits(_ text: [UInt8], _ places: inout [Place]) {
    guard !self.needles.digitLengths.isEmpty else { return }
    var digits: [UInt8] = []
    var positions: [Int] = []
    var gap = 0
    for position in text.indices {
      let byte = text[position]
      guard ASCII.isDigit(byte) else {
        guard !digits.isEmpty else { continue }
        gap += 1
        if gap > 1 || !Self.separates(byte) {
          digits.removeAll(keepingCapacity: true)
          positions.removeAll(keepingCapacity: true)
        }
        continue
      }
      gap = 0
      digits.append(byte)
      positions.append(position)
      if digits.count > 256 {
        digits.removeFirst(128)
        positions.removeFirst(128)
      }
      guard digits.count >= 8, let (length, value) = self.needles.match(digits[...]) else {
        continue
      }
      var start = positions[positions.count - length]
      if value.takesPrefix {
        while start > 0, ASCII.isDigit(text[start - 1]) || text[start - 1] == 0x2B { start -= 1 }
      }
      let what = self.placeholders[Int(value.placeholder)]
      places.append(Place(range: start..<position + 1, what: what))
    }
  }

  /// Whether a byte may stand between the digits of one number.
  private static func separates(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x20, 0x2D, 0x2E, 0x28, 0x29, 0x2F, 0x2B: true
    default: false
    }
  }

  /// Finds what looks like a key, a digest or an identifier that nobody named.
  private func findTokens(_ text: [UInt8], _ style: Style, _ places: inout [Place]) {
    // In a URL a slash separates; base64's own is percent-encoded there.
    let hasSlashes = style == .plain || style == .json
    func isOfRun(_ position: Int) -> Bool {
      Self.isOfRun(text[position]) || (hasSlashes && Self.isSlash(position, in: text))
    }
    var start = 0
    while start < text.count {
      guard isOfRun(start) else {
        start += 1
        continue
      }
      var end = start + 1
      while end < text.count, isOfRun(end) { end += 1 }
      if end - start >= Self.shortestNumber {
        if hasSlashes, Self.isRandom(text[start..<end]) {
          self.add(start..<end, of: text, &places)
        } else {
          self.findTokens(of: start..<end, in: text, &places)
        }
      }
      start = end
    }
  }

  /// Finds tokens between the slashes of a run.
  private func findTokens(of run: Range<Int>, in text: [UInt8], _ places: inout [Place]) {
    for part in text[run].split(whereSeparator: { $0 == 0x2F || $0 == 0x5C })
    where part.count >= Self.shortestNumber && Self.isToken(part) {
      self.add(part.startIndex..<part.endIndex, of: text, &places)
    }
  }

  /// Adds a token, without hyphens around, so that a boundary of multipart is the same one with more of them.
  private func add(_ range: Range<Int>, of text: [UInt8], _ places: inout [Place]) {
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end, !Self.isAlphanumeric(text[start]) { start += 1 }
    while end > start, !Self.isAlphanumeric(text[end - 1]) { end -= 1 }
    guard end - start >= Self.shortestNumber else { return }
    places.append(Place(range: start..<end, what: self.tag("token", text[start..<end])))
  }

  /// Whether a run changes between capitals, small letters and digits as often as base64 of anything does.
  private static func isRandom(_ run: ArraySlice<UInt8>) -> Bool {
    guard run.count >= self.shortestToken else { return false }
    var classes: Set<UInt8> = []
    var (changes, last) = (0, UInt8(0))
    for byte in run {
      let kind: UInt8 =
        ASCII.isDigit(byte) ? 1 : byte &- 0x41 < 26 ? 2 : byte &- 0x61 < 26 ? 3 : 4
      if kind != last { changes += 1 }
      classes.insert(kind)
      last = kind
    }
    return classes.isSuperset(of: [1, 2, 3]) && changes * 3 >= run.count
  }

  private static func isToken(_ run: ArraySlice<UInt8>) -> Bool {
    var (digits, capitals, small, hex, longest, other) = (0, 0, 0, 0, 0, 0)
    var row = 0
    for byte in run {
      let isDigit = ASCII.isDigit(byte)
      row = isDigit ? row + 1 : 0
      longest = max(longest, row)
      if isDigit { digits += 1 }
      if byte &- 0x41 < 26 { capitals += 1 }
      if byte &- 0x61 < 26 { small += 1 }
      if ASCII.hexValue(byte) != nil { hex += 1 } else if byte != 0x2D { other += 1 }
    }
    if longest >= Self.shortestNumber { return true }
    if hex >= Self.shortestHex, other == 0, digits > 0 { return true }
    return run.count >= Self.shortestToken && digits > 0 && capitals > 0 && small > 0
  }

  private static func isOfRun(_ byte: UInt8) -> Bool {
    self.isAlphanumeric(byte) || byte == 0x2B || byte == 0x2D || byte == 0x5F
  }

  /// Whether there is a slash, or the backslash that some JSON has before one.
  private static func isSlash(_ position: Int, in text: [UInt8]) -> Bool {
    text[position] == 0x2F
      || text[position] == 0x5C && position + 1 < text.count && text[position + 1] == 0x2F
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
  }

  /// The run of letters and digits, or of base64 digits, around a range.
  private static func run(
    around range: Range<Int>,
    in text: [UInt8],
    isBase64: Bool
  ) -> Range<Int> {
    func isOfRun(_ position: Int) -> Bool {
      Self.isOfRun(text[position])
        || isBase64 && (text[position] == 0x3D || Self.isSlash(position, in: text))
    }
    var (start, end) = (range.lowerBound, range.upperBound)
    while start > 0, isOfRun(start - 1) { start -= 1 }
    while end < text.count, isOfRun(end) { end += 1 }
    return start..<end
  }
}

/// Whether a place of a JSON text is inside a string.
private struct QuoteTracker {
  private(set) var isInside = false
  private var isEscaped = false

  mutating func take(_ bytes: ArraySlice<UInt8>) {
    for byte in bytes {
      if self.isEscaped {
        self.isEscaped = false
      } else if byte == 0x22 {
        self.isInside.toggle()
      } else if byte == 0x5C, self.isInside {
        self.isEscaped = true
      }
    }
  }
}

extension String {
  fileprivate func replacing(_ byte: UInt8, with other: UInt8) -> String {
    String(decoding: self.utf8.map { $0 == byte ? other : $0 }, as: UTF8.self)
  }
}
