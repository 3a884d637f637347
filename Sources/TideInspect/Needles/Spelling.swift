import TideCore

/// One way to write a value; a function, so that a pseudonym can be written the same way.
enum Spelling: Hashable {
  /// The canonical spelling itself.
  case canonical
  /// Its ASCII letters in upper case.
  case upper
  /// Its ASCII letters in lower case.
  case lower
  /// Its first bytes: an IMEI without its check digit.
  case prefix(Int)
  /// Groups with one separator between them, in either case.
  case grouped([Int], separator: UInt8, isUpper: Bool)
  /// A telephone number after `+`, `00` or nothing, the national number in groups.
  case international(prefix: String, afterCountry: UInt8, groups: [Int], separator: UInt8)
  /// A telephone number as dialled at home, in groups.
  case national(groups: [Int], separator: UInt8)
  /// A telephone number without country code and trunk prefix.
  case subscriber

  /// The bytes of `subject` written this way; nil if it cannot be.
  func bytes(of subject: Subject) -> [UInt8]? {
    let canonical = subject.canonical.array
    switch self {
    case .canonical: return canonical
    case .upper: return canonical.map { $0 &- 0x61 < 26 ? $0 - 0x20 : $0 }
    case .lower: return canonical.map(ASCII.lowercased)
    case .prefix(let count): return canonical.count > count ? Array(canonical[..<count]) : nil
    case .grouped(let groups, let separator, let isUpper):
      let text = Self.grouped(canonical, groups, separator)
      return isUpper ? text?.map { $0 &- 0x61 < 26 ? $0 - 0x20 : $0 } : text
    case .international(let prefix, let afterCountry, let groups, let separator):
      guard case .phone(let phone) = subject, !phone.country.isEmpty else { return nil }
      if groups.isEmpty { return Array(prefix.utf8) + phone.country + phone.number }
      guard let rest = Self.grouped(phone.number, groups, separator) else { return nil }
      return Array(prefix.utf8) + phone.country + [afterCountry] + rest
    case .national(let groups, let separator):
      guard case .phone(let phone) = subject else { return nil }
      let number = phone.trunkPrefix + phone.number
      return groups.isEmpty ? number : Self.grouped(number, groups, separator)
    case .subscriber:
      guard case .phone(let phone) = subject, !phone.country.isEmpty else { return nil }
      return phone.number
    }
  }

  private static func grouped(
    _ bytes: [UInt8],
    _ groups: [Int],
    _ separator: UInt8
  ) -> [UInt8]? {
    guard groups.reduce(0, +) == bytes.count else { return nil }
    var text: [UInt8] = []
    var start = 0
    for group in groups {
      if start > 0 { text.append(separator) }
      text += bytes[start..<start + group]
      start += group
    }
    return text
  }
}

/// How far one spelling is followed into encodings and digests.
struct SpellingUse: Hashable {
  let spelling: Spelling
  /// Whether base64 and hex of it are searched for; plain and percent-encoded always are.
  let isEncoded: Bool
  /// Whether its digests are searched for.
  let isHashed: Bool

  /// A spelling that travels in every form.
  static func full(_ spelling: Spelling) -> SpellingUse {
    SpellingUse(spelling: spelling, isEncoded: true, isHashed: true)
  }

  /// A spelling for people's eyes: nobody hashes a number with its hyphens.
  static func plain(_ spelling: Spelling) -> SpellingUse {
    SpellingUse(spelling: spelling, isEncoded: false, isHashed: false)
  }

  /// The spellings of DETECTION.md section 2 for `subject`, the commonest first.
  static func all(of kind: FindingKind, _ subject: Subject) -> [SpellingUse] {
    switch subject {
    case .digits(let digits): self.digits(kind, digits.count)
    case .hex, .email: [.full(.canonical), .full(.upper)]
    case .text: [.full(.canonical), .full(.lower), .full(.upper)]
    case .uuid:
      [false, true].flatMap { isUpper in
        [
          self.full(.grouped([8, 4, 4, 4, 12], separator: 0x2D, isUpper: isUpper)),
          self.full(.grouped([32], separator: 0x2D, isUpper: isUpper)),
        ]
      }
    case .mac:
      [false, true].flatMap { isUpper in
        [
          self.full(.grouped([2, 2, 2, 2, 2, 2], separator: 0x3A, isUpper: isUpper)),
          self.full(.grouped([12], separator: 0x3A, isUpper: isUpper)),
          self.full(.grouped([2, 2, 2, 2, 2, 2], separator: 0x2D, isUpper: isUpper)),
        ]
      } + [
        self.plain(.grouped([4, 4, 4], separator: 0x2E, isUpper: false)),
        self.plain(.grouped([2, 2, 2, 2, 2, 2], separator: 0x2E, isUpper: false)),
      ]
    case .phone(let phone): self.phone(phone)
    }
  }

  private static func digits(_ kind: FindingKind, _ count: Int) -> [SpellingUse] {
    var uses = [self.full(.canonical)]
    let separators: [UInt8] = [0x2D, 0x20]
    if kind == .imei, count == 15 {
      // 14 digits of a value that we know, with no digit on either side, are no accident.
      uses.append(.full(.prefix(14)))
      for separator in separators {
        for groups in [[2, 6, 6, 1], [2, 6, 7], [6, 2, 6, 1], [8, 6, 1]] {
          uses.append(.plain(.grouped(groups, separator: separator, isUpper: false)))
        }
      }
    }
    if kind == .iccid, count >= 19 {
      if count == 20 { uses.append(.full(.prefix(19))) }
      for separator in separators {
        let groups = [4, 4, 4, 4, count - 16]
        uses.append(.plain(.grouped(groups, separator: separator, isUpper: false)))
      }
    }
    return uses
  }

  private static func phone(_ phone: PhoneNumber) -> [SpellingUse] {
    var uses: [SpellingUse] = []
    let separators: [UInt8] = [0x2D, 0x20, 0x2E]
    let nationalCount = phone.trunkPrefix.count + phone.number.count
    if !phone.country.isEmpty {
      for prefix in ["+", "", "00"] {
        uses.append(
          .full(.international(prefix: prefix, afterCountry: 0, groups: [], separator: 0))
        )
      }
      // `+886 912-345-678` as well as one separator throughout.
      let pairs = separators.map { ($0, $0) } + [(0x20, 0x2D)]
      for prefix in ["+", ""] {
        for (afterCountry, separator) in pairs {
          for groups in self.phoneGroups(phone.number.count) + [[phone.number.count]] {
            uses.append(
              .plain(
                .international(
                  prefix: prefix,
                  afterCountry: afterCountry,
                  groups: groups,
                  separator: separator
                )
              )
            )
          }
        }
      }
      // Fewer digits than that are too easily a counter that happens to agree.
      if phone.number.count >= 9 { uses.append(.full(.subscriber)) }
    }
    uses.append(.full(.national(groups: [], separator: 0)))
    for separator in separators {
      for groups in self.phoneGroups(nationalCount) {
        uses.append(.plain(.national(groups: groups, separator: separator)))
      }
    }
    return uses
  }

  /// The usual ways to group a number of so many digits.
  private static func phoneGroups(_ count: Int) -> [[Int]] {
    switch count {
    case 7: [[3, 4]]
    case 8: [[4, 4], [2, 2, 2, 2]]
    case 9: [[3, 3, 3], [2, 3, 4], [1, 4, 4], [3, 6], [1, 2, 2, 2, 2], [3, 2, 2, 2]]
    case 10:
      [[4, 3, 3], [3, 3, 4], [4, 6], [2, 4, 4], [2, 2, 2, 2, 2], [3, 3, 2, 2], [5, 5]]
    case 11: [[3, 4, 4], [5, 6], [5, 3, 3], [4, 3, 4], [4, 7], [3, 8], [1, 3, 3, 4]]
    case 12: [[4, 4, 4], [3, 3, 3, 3]]
    default: []
    }
  }
}
