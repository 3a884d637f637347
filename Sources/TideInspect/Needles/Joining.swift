import TideCore

/// Identifiers that are joined and hashed as one: what many SDKs call the device's id.
enum Joining {
  /// The kinds that are joined in pairs.
  private static let kinds = [
    "imei", "android_id", "wifi_mac", "serial", "imsi", "meid", "gaid", "oaid",
  ]
  /// Of a pair, one is of these: what every device has and most programs ask for.
  private static let leading = ["imei", "android_id", "wifi_mac"]
  private static let separators = ["", ":", "-", "_", "|", ",", "#", ";", "&"]

  /// The pairs of a device's identifiers in either order, and IMEI, Android id and MAC in any.
  static func subjects(of values: [NeedleValue]) -> [Subject] {
    var seen = Set<Bytes>()
    let parts = values.filter { self.kinds.contains($0.kind.name) && $0.canonical.count >= 6 }
      .filter { seen.insert($0.canonical).inserted }
      .map { Subject.Part(kind: $0.kind, subject: $0.subject) }
    var joined: [[Subject.Part]] = []
    for first in parts {
      for second in parts where second != first {
        let isUsual = [first, second].contains { self.leading.contains($0.kind.name) }
        if isUsual { joined.append([first, second]) }
      }
    }
    func of(_ kind: String) -> [Subject.Part] { parts.filter { $0.kind.name == kind } }
    for imei in of("imei") {
      for androidID in of("android_id") {
        for mac in of("wifi_mac") {
          joined += [
            [imei, androidID, mac], [imei, mac, androidID], [androidID, imei, mac],
            [androidID, mac, imei], [mac, imei, androidID], [mac, androidID, imei],
          ]
        }
      }
    }
    return joined.map { .joined($0) }
  }

  /// Each identifier in its common spellings, with each separator.
  static func uses(of parts: [Subject.Part]) -> [SpellingUse] {
    var choices: [[Spelling]] = [[]]
    for part in parts {
      let spellings = self.spellings(of: part)
      choices = choices.flatMap { choice in spellings.map { choice + [$0] } }
    }
    return choices.flatMap { choice in
      self.separators.map { separator in
        SpellingUse(spelling: .joined(choice, separator: separator), reach: .hashedOnly)
      }
    }
  }

  private static func spellings(of part: Subject.Part) -> [Spelling] {
    switch part.subject {
    case .mac:
      [false, true].flatMap { isUpper in
        [[2, 2, 2, 2, 2, 2], [12]].map { .grouped($0, separator: 0x3A, isUpper: isUpper) }
      }
    case .uuid:
      [[8, 4, 4, 4, 12], [32]].map { .grouped($0, separator: 0x2D, isUpper: false) }
    // What Android gives in lower case is also joined in upper: a MEID as it is printed.
    case .hex: part.kind.name == "meid" ? [.canonical, .upper] : [.canonical]
    case .digits, .phone, .email, .text, .joined: [.canonical]
    }
  }
}
