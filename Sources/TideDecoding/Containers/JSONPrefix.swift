import TideCore

/// What stands before JSON in answers and batches without being part of it.
enum JSONPrefix {
  /// The longest name of a callback that is believed.
  private static let longestName = 128

  /// Guards against inclusion by a script, as they are in use.
  private static let guards: [[UInt8]] = [
    ")]}',", ")]}'", ")]}", "while(1);", "while (1);", "for(;;);", "for (;;);", "&&&START&&&",
    "/**/",
    "{}&&",
  ].map { Array($0.utf8) }

  /// Where the first value begins; nil if there is none.
  static func end(in bytes: Bytes) -> Int? {
    var index = 0
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    index = Self.pastSpace(bytes, index)
    for known in Self.guards where bytes.dropping(first: index).starts(with: known) {
      index = Self.pastSpace(bytes, index + known.count)
      break
    }
    guard index < bytes.count else { return nil }
    if JSONScanner.beginsValue(bytes[index]) { return index }
    return Self.pastCall(bytes, index)
  }

  /// The argument's place in `name(…`.
  private static func pastCall(_ bytes: Bytes, _ start: Int) -> Int? {
    var index = start
    let limit = min(bytes.count, start + Self.longestName)
    while index < limit, Self.isName(bytes[index]) { index += 1 }
    guard index > start, index < bytes.count, bytes[index] == 0x28 else { return nil }
    index = Self.pastSpace(bytes, index + 1)
    guard index < bytes.count, bytes[index] == 0x7B || bytes[index] == 0x5B else { return nil }
    return index
  }

  private static func pastSpace(_ bytes: Bytes, _ start: Int) -> Int {
    var index = start
    while index < bytes.count, JSONScanner.isSpace(bytes[index]) { index += 1 }
    return index
  }

  private static func isName(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 || byte == 0x5F || byte == 0x24
      || byte == 0x2E
  }
}
