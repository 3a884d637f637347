internal import TideCore

/// What `text:` searches: the words of a text, as the index keeps them and as a filter asks for them.
///
/// A word is a run of letters and digits, in lower case, of which 64 bytes count. Scripts that are written without blanks
/// have each character for a word, so that any run of them is found. Escapes of JSON and of forms are undone.
struct SearchText {
  /// How many bytes of a content, decoded, are searched.
  static let contentLimit = 64 << 10
  /// How many heads, contents and messages of a flow are searched: 1 << slotBits.
  static let slotBits: Int64 = 10
  private static let longestWord = 64

  /// What the bytes are, as far as it matters here.
  enum Form {
    case plain
    /// `\u738b` is a character and `\n` is none.
    case json
    /// `%E7%8E%8B` is a character and `+` is a blank.
    case encoded
    /// Words of less than four bytes are chance.
    case binary
  }

  private let form: Form
  private(set) var output: [UInt8] = []
  private var wordStart = 0

  /// The words of some bytes, with a blank between; empty if there are none.
  static func words(of bytes: Bytes, _ form: Form) -> [UInt8] {
    var text = SearchText(form: form)
    bytes.withSpan { text.take($0) }
    return text.output
  }

  private init(form: Form) { self.form = form }

  private mutating func take(_ span: borrowing Span<UInt8>) {
    self.output.reserveCapacity(span.count + 16)
    var index = 0
    while index < span.count {
      let byte = span[index]
      switch byte {
      case 0x30...0x39, 0x61...0x7A:
        self.append(byte)
        index += 1
      case 0x41...0x5A:
        self.append(byte | 0x20)
        index += 1
      case 0x25 where self.form == .encoded:
        guard let (first, end) = Self.percent(span, index) else {
          self.endWord()
          index += 1
          continue
        }
        // Bytes that are escaped may be parts of one character.
        var run = [first]
        index = end
        while let (next, end) = Self.percent(span, index) {
          run.append(next)
          index = end
        }
        self.take(run: run)
      case 0x5C where self.form == .json:
        index = self.takeEscape(span, index)
      case 0x80...:
        index = self.takeScalar(span, index)
      default:
        self.endWord()
        index += 1
      }
    }
    self.endWord()
    if self.output.last == 0x20 { self.output.removeLast() }
  }

  private mutating func append(_ byte: UInt8) {
    if self.output.count - self.wordStart < Self.longestWord { self.output.append(byte) }
  }

  private mutating func endWord() {
    let length = self.output.count - self.wordStart
    guard length > 0 else { return }
    if self.form == .binary, length < 4 {
      self.output.removeLast(length)
    } else {
      self.output.append(0x20)
    }
    self.wordStart = self.output.count
  }

  private mutating func take(run: [UInt8]) {
    let span = run.span
    var index = 0
    while index < span.count {
      let byte = span[index]
      if byte >= 0x80 {
        index = self.takeScalar(span, index)
        continue
      }
      index += 1
      if ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 {
        self.append(ASCII.lowercased(byte))
      } else {
        self.endWord()
      }
    }
  }

  /// Takes one character of several bytes; what is none separates.
  private mutating func takeScalar(_ span: borrowing Span<UInt8>, _ start: Int) -> Int {
    let first = span[start]
    let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
    guard first >= 0xC2, first < 0xF5, start + length <= span.count else {
      self.endWord()
      return start + 1
    }
    var value = UInt32(first) & (0x7F >> UInt32(length))
    for index in start + 1..<start + length {
      guard span[index] & 0xC0 == 0x80 else {
        self.endWord()
        return index
      }
      value = value << 6 | UInt32(span[index] & 0x3F)
    }
    self.take(value)
    return start + length
  }

  /// `\n` separates, `\u738b` is a character, any other letter after `\` stands for itself.
  private mutating func takeEscape(_ span: borrowing Span<UInt8>, _ start: Int) -> Int {
    guard start + 1 < span.count else { return start + 1 }
    guard span[start + 1] == 0x75 else {
      self.endWord()
      return start + 2
    }
    guard var value = Self.hexadecimal(span, start + 2) else {
      self.endWord()
      return start + 2
    }
    var end = start + 6
    if value & 0xFC00 == 0xD800, end + 1 < span.count, span[end] == 0x5C, span[end + 1] == 0x75,
      let low = Self.hexadecimal(span, end + 2), low & 0xFC00 == 0xDC00
    {
      value = 0x10000 + (value & 0x3FF) << 10 + low & 0x3FF
      end += 6
    }
    self.take(value)
    return end
  }

  private mutating func take(_ value: UInt32) {
    guard let scalar = Unicode.Scalar(value) else { return self.endWord() }
    if value < 0x80 {
      let byte = UInt8(value)
      guard ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 else {
        return self.endWord()
      }
      return self.append(ASCII.lowercased(byte))
    }
    if Self.isWordByItself(value) {
      self.endWord()
      self.output.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
      self.output.append(0x20)
      self.wordStart = self.output.count
      return
    }
    guard scalar.properties.isAlphabetic || scalar.properties.numericType != nil else {
      return self.endWord()
    }
    let encoded = Array(scalar.properties.lowercaseMapping.utf8)
    // A character is taken whole or not at all.
    guard self.output.count - self.wordStart + encoded.count <= Self.longestWord else { return }
    self.output.append(contentsOf: encoded)
  }

  /// Han, kana and their like; Hangul is written with blanks.
  private static func isWordByItself(_ value: UInt32) -> Bool {
    switch value {
    case 0x2E80...0x2FDF, 0x3005...0x3007, 0x3041...0x30FF, 0x3105...0x312F, 0x31F0...0x31FF,
      0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0xFF66...0xFF9D, 0x20000...0x3FFFF:
      true
    default: false
    }
  }

  private static func percent(
    _ span: borrowing Span<UInt8>,
    _ index: Int
  ) -> (byte: UInt8, end: Int)? {
    guard index + 2 < span.count, span[index] == 0x25, let high = ASCII.hexValue(span[index + 1]),
      let low = ASCII.hexValue(span[index + 2])
    else { return nil }
    return (high << 4 | low, index + 3)
  }

  private static func hexadecimal(_ span: borrowing Span<UInt8>, _ index: Int) -> UInt32? {
    guard index + 4 <= span.count else { return nil }
    var value: UInt32 = 0
    for place in index..<index + 4 {
      guard let digit = ASCII.hexValue(span[place]) else { return nil }
      value = value << 4 | UInt32(digit)
    }
    return value
  }
}

extension SearchText {
  /// The words that `text:` asks for, next to each other, as SQLite's FTS5 is asked; nil if there are none.
  ///
  /// A `*` at the end has the last word begin so.
  static func query(_ text: String) -> String? {
    let isPrefix = text.hasSuffix("*")
    let words = self.words(of: Bytes(isPrefix ? String(text.dropLast()) : text), .encoded)
    guard !words.isEmpty else { return nil }
    return "\"" + String(decoding: words, as: UTF8.self) + "\"" + (isPrefix ? " *" : "")
  }

  /// How a content is read, by its media type or, without one that says something, by how it begins; nil if it
  /// has no words.
  static func form(ofType type: String, beginning start: Bytes) -> Form? {
    for prefix in ["image/", "audio/", "video/", "font/"] where type.hasPrefix(prefix) {
      return nil
    }
    for packed in ["zip", "x-tar", "pdf", "android.package-archive"] where type.hasSuffix(packed) {
      return nil
    }
    if type.hasSuffix("json") || type.hasSuffix("javascript") { return .json }
    if type.hasSuffix("x-www-form-urlencoded") { return .encoded }
    if type.hasPrefix("text/") || type.hasSuffix("xml") || type.hasPrefix("multipart/") {
      return .plain
    }
    let beginning = start.prefix(512)
    guard beginning.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || (0x09...0x0D).contains($0) }) else {
      return .binary
    }
    return beginning.first == 0x7B || beginning.first == 0x5B ? .json : .plain
  }
}
