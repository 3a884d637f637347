public import TideCore

/// A run of one part's bytes, with context on both sides, as an inspector sees it.
public struct Window {
  /// How many bytes before a match an inspector may look at.
  public static let contextBefore = 96
  /// How many bytes after a match an inspector may look at.
  public static let contextAfter = 8

  /// The bytes, decoded from the content coding; context before `starts` included.
  public let bytes: Bytes
  /// Where a match must start to be taken, counted from the window's start.
  public let starts: Range<Int>
  /// Whether the part ends where the window ends.
  public let isFinal: Bool
  /// In which part of the message.
  public let location: FindingLocation
  /// Which way the message goes.
  public let direction: Direction

  /// Where the window begins in its part.
  let base: Int
  /// The strand's whole buffer, which begins at `bufferBase` and holds `bytes`.
  let buffer: Bytes
  let bufferBase: Int
  let places: Places

  /// The names that the value at `position` goes by: its key, field or cookie, and the word before it.
  ///
  /// The word is there for containers that nothing parses yet, such as a log line or XML in a field.
  public func names(at position: Int) -> ContextNames {
    precondition(
      position >= 0 && position <= self.bytes.count,
      "an inspector asks for names inside its window"
    )
    var names = self.places.names(at: self.base + position, self.buffer, self.bufferBase)
    if let word = self.word(before: position) { names.append(word) }
    return ContextNames(names)
  }

  /// The names of all that the value at `position` is in, as its path has them.
  func groupNames(at position: Int) -> ContextNames {
    ContextNames(
      self.places.path(at: self.base + position, self.buffer, self.bufferBase)
        .split { $0 == "." || $0 == "[" || $0 == "]" }.map { String($0) }
    )
  }

  /// The nearest token with a letter among the 64 bytes before `position`, percent-escapes skipped.
  private func word(before position: Int) -> String? {
    self.bytes.withSpan { span in
      let floor = max(0, position - 64)
      var end = position
      while end > floor {
        guard Self.isWordByte(span[end - 1]) else {
          end -= 1
          continue
        }
        var start = end
        while start > floor, Self.isWordByte(span[start - 1]) { start -= 1 }
        var first = start
        if start > 0, span[start - 1] == 0x25 {
          // `%22imei` and, escaped twice, `%2522imei`.
          let isTwice = end - start >= 4 && span[start] == 0x32 && span[start + 1] == 0x35
          first = min(end, start + (isTwice ? 4 : 2))
        }
        var hasLetter = false
        for index in first..<end where ASCII.lowercased(span[index]) &- 0x61 < 26 {
          hasLetter = true
        }
        if hasLetter {
          return String(decoding: self.bytes.slice(first..<end), as: UTF8.self)
        }
        end = start
      }
      return nil
    }
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 || byte == 0x5F || byte == 0x2D
  }
}

/// Names as programmers write them, compared without regard to case and separators.
public struct ContextNames: Sendable {
  private let words: [[String]]

  /// Splits names such as `deviceMac`, `device_mac` and `X-Device-MAC` into words.
  public init(_ names: [String]) {
    self.words = names.map { name in
      var words: [String] = []
      var word = ""
      var wasLower = false
      for byte in name.utf8.prefix(64) {
        let isUpper = byte &- 0x41 < 26
        let isLower = byte &- 0x61 < 26
        guard isUpper || isLower || ASCII.isDigit(byte) else {
          if !word.isEmpty { words.append(word) }
          word = ""
          wasLower = false
          continue
        }
        if isUpper, wasLower {
          words.append(word)
          word = ""
        }
        word.unicodeScalars.append(Unicode.Scalar(ASCII.lowercased(byte)))
        wasLower = isLower
      }
      if !word.isEmpty { words.append(word) }
      return words
    }
  }

  /// Whether a name is or ends in one of `wanted`, each a word or several joined, in lower case.
  ///
  /// `deviceid` is in `x_device_id` and in `deviceId2`, but not in `deviceidentity`.
  public func include(_ wanted: [String]) -> Bool {
    self.words.contains { words in
      words.indices.contains { first in
        var joined = ""
        for word in words[first...] {
          joined += word
          if wanted.contains(joined) { return true }
          let bare = joined.utf8.reversed().drop(while: ASCII.isDigit)
          if bare.count < joined.utf8.count,
            wanted.contains(String(decoding: bare.reversed(), as: UTF8.self))
          {
            return true
          }
        }
        return false
      }
    }
  }
}
