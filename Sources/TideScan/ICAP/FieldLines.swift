import TideCore

/// Reads header sections of what a server sends: strictly, and with bounds.
enum FieldLines {
  /// The most fields of a section.
  static let most = 128

  /// Where a section with its start line ends, the blank line included; nil if it is not all there.
  static func end(in bytes: [UInt8], from start: Int) -> Int? {
    var index = start
    while index + 3 < bytes.count {
      if bytes[index] == 0x0D, bytes[index + 1] == 0x0A, bytes[index + 2] == 0x0D,
        bytes[index + 3] == 0x0A
      {
        return index + 4
      }
      index += 1
    }
    return nil
  }

  /// Cuts a section at its line ends, the blank line left out; a line that goes on (RFC 3507 §4.3.1 has
  /// fields as RFC 2616 does, folding included) is joined by a blank.
  static func lines(of section: ArraySlice<UInt8>) throws(ScanFailure) -> [[UInt8]] {
    var lines: [[UInt8]] = []
    var line: [UInt8] = []
    var previous: UInt8 = 0
    for byte in section {
      if byte == 0x0A {
        guard previous == 0x0D else { throw ScanFailure(.malformed, "a bare line feed in a head") }
        line.removeLast()
        if line.isEmpty { return lines }
        if let first = line.first, first == 0x20 || first == 0x09, lines.count > 1 {
          lines[lines.count - 1] += [0x20] + line.drop { $0 == 0x20 || $0 == 0x09 }
        } else {
          guard lines.count <= self.most else {
            throw ScanFailure(.malformed, "more than \(self.most) fields")
          }
          lines.append(line)
        }
        line = []
        previous = byte
        continue
      }
      guard byte >= 0x20 && byte != 0x7F || byte == 0x09 || byte == 0x0D else {
        throw ScanFailure(.malformed, "a control character in a head")
      }
      guard previous != 0x0D else {
        throw ScanFailure(.malformed, "a bare carriage return in a head")
      }
      line.append(byte)
      previous = byte
    }
    return lines
  }

  /// Reads `name: value` lines.
  static func fields(_ lines: some Sequence<[UInt8]>) throws(ScanFailure) -> HeaderFields {
    var fields = HeaderFields()
    for line in lines {
      guard let colon = line.firstIndex(of: 0x3A), colon > 0,
        line[..<colon].allSatisfy(self.isToken)
      else { throw ScanFailure(.malformed, "no field: \"\(ScanFailure.quoted(line))\"") }
      var value = line[(colon + 1)...]
      while let first = value.first, first == 0x20 || first == 0x09 { value = value.dropFirst() }
      while let last = value.last, last == 0x20 || last == 0x09 { value = value.dropLast() }
      fields.append(name: Bytes(Array(line[..<colon])), value: Bytes(Array(value)))
    }
    return fields
  }

  /// RFC 9110 §5.6.2.
  private static func isToken(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
    default: false
    }
  }

  /// The head of an HTTP message.
  static func httpHead(_ section: ArraySlice<UInt8>) throws(ScanFailure) -> MessageHead {
    let lines = try self.lines(of: section)
    guard let first = lines.first else { throw ScanFailure(.malformed, "an empty HTTP head") }
    let words = first.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
    let fields = try self.fields(lines.dropFirst())
    if first.starts(with: Array("HTTP/1.".utf8)) {
      guard words.count >= 2, let status = self.status(words[1]), status >= 200 else {
        throw ScanFailure(.malformed, "no status line: \"\(ScanFailure.quoted(first))\"")
      }
      let reason = words.count > 2 ? Bytes(Array(words[2])) : Bytes()
      return MessageHead(start: .response(status: status, reason: reason), fields: fields)
    }
    guard words.count == 3, !words[0].isEmpty, words[0].allSatisfy(self.isToken),
      !words[1].isEmpty, words[2].starts(with: Array("HTTP/1.".utf8))
    else { throw ScanFailure(.malformed, "no request line: \"\(ScanFailure.quoted(first))\"") }
    return MessageHead(
      start: .request(method: Bytes(Array(words[0])), target: Bytes(Array(words[1]))),
      fields: fields
    )
  }

  /// Three digits.
  static func status(_ word: some Collection<UInt8>) -> Int? {
    guard word.count == 3, word.allSatisfy(ASCII.isDigit) else { return nil }
    return word.reduce(0) { $0 * 10 + Int($1 - 0x30) }
  }
}
