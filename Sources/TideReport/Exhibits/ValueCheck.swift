internal import TideCore
internal import TideCrypto

/// Tells whether bytes are the value of a finding: the case names values by an HMAC under its secret.
///
/// The canonical spelling is what was named; bytes in traffic may be spelled otherwise, so what they may be
/// a spelling of is tried.
struct ValueCheck {
  /// How many spellings are tried for one exhibit.
  private static let mostTries = 60_000
  /// The longest value that is looked for inside an element.
  private static let longest = 80

  private let kind: String
  private let secret: [UInt8]
  private let wanted: String
  private var tries = 0

  /// Nil if the case's secret is not at hand, or the finding names no value.
  init?(kind: String, value: String, secret: [UInt8]?) {
    guard let secret, value.hasPrefix("hmac:") else { return nil }
    self.kind = kind
    self.secret = secret
    self.wanted = String(value.dropFirst(5))
  }

  /// Whether bytes, in some spelling, are the value.
  mutating func holds(_ bytes: Bytes) -> Bool {
    guard !bytes.isEmpty, bytes.count <= 4_096 else { return false }
    for spelling in self.spellings(bytes.array) where self.isNamed(spelling) {
      return true
    }
    return false
  }

  /// The part of `bytes` that is the value; nil if none is, or it cannot be told.
  mutating func range(in bytes: Bytes) -> Range<Int>? {
    if self.holds(bytes) { return 0..<bytes.count }
    let array = bytes.array
    guard array.count <= 64 << 10 else { return nil }
    let starts = array.indices.filter { index in
      Self.isWord(array[index]) && (index == 0 || !Self.isWord(array[index - 1]))
        || array[index] == 0x2B
    }
    for start in starts {
      var end = start
      while end < array.count, end - start < Self.longest {
        end += 1
        let isEnd =
          Self.isWord(array[end - 1]) && (end == array.count || !Self.isWord(array[end]))
        guard isEnd else { continue }
        if self.tries > Self.mostTries { return nil }
        if self.holds(bytes.slice(start..<end)) { return start..<end }
      }
    }
    return nil
  }

  private mutating func isNamed(_ canonical: [UInt8]) -> Bool {
    self.tries += 1
    var message = Array(self.kind.utf8)
    message.append(0)
    message += canonical
    return Hex.encode(HMAC.sha256(key: self.secret, message)) == self.wanted
  }

  /// What these bytes may be a spelling of.
  private func spellings(_ bytes: [UInt8]) -> [[UInt8]] {
    var all = [bytes]
    let lower = bytes.map(ASCII.lowercased)
    if lower != bytes { all.append(lower) }
    let separators: [UInt8] = [0x20, 0x2B, 0x28, 0x29, 0x2D, 0x2E, 0x2F, 0x3A]
    let bare = lower.filter { !separators.contains($0) }
    if bare != lower { all.append(bare) }
    guard bare.count <= 40 else { return all }
    guard bare.allSatisfy(ASCII.isDigit) else {
      if lower.contains(0x20) { all += Self.turned(bytes) }
      return all
    }
    switch self.kind {
    case "imei":
      // Without its check digit, or with a software version in its place (3GPP TS 23.003 §6.2).
      if bare.count == 14 || bare.count == 16 {
        all += (0...9).map { Array(bare.prefix(14)) + [0x30 + UInt8($0)] }
      }
    case "msisdn", "contact_phone":
      if bare.starts(with: [0x30, 0x30]) { all.append(Array(bare.dropFirst(2))) }
      // As dialled at home: any country's code may have stood before (ITU-T E.164).
      guard (6...12).contains(bare.count) else { break }
      let number = bare.first == 0x30 ? Array(bare.dropFirst()) : bare
      all += (1...999).map { Array(String($0).utf8) + number }
    default: break
    }
    return all
  }

  /// A name with its last word first, or its first word last.
  private static func turned(_ bytes: [UInt8]) -> [[UInt8]] {
    var words = bytes.split(separator: 0x20).map(Array.init)
    guard words.count > 1, words.count < 6, let first = words.first else { return [] }
    words.removeFirst()
    words.append(first)
    return [Array(words.joined(separator: [0x20]))]
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 || byte >= 0x80
  }
}
