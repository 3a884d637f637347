import TideCore
import TideDecoding

/// How far one spelling is followed into encodings and digests.
struct SpellingUse: Hashable {
  /// What is searched for besides the spelling itself and its escapes.
  struct Reach: OptionSet, Hashable {
    let rawValue: Int

    /// Base64, base32 and hexadecimal digits of it.
    static let encoded = Reach(rawValue: 1)
    /// Its digests; in every form if it is encoded too, else in hexadecimal digits.
    static let hashed = Reach(rawValue: 2)
    /// Digests of its digests.
    static let hashedTwice = Reach(rawValue: 4)
    /// Only digests: it does not travel itself.
    static let hashedOnly = Reach(rawValue: 8)
  }

  let spelling: Spelling
  let reach: Reach
  /// The most that a finding of it can be.
  var certainty = Certainty.certain

  /// A spelling that travels in every form.
  static func full(_ spelling: Spelling) -> SpellingUse {
    SpellingUse(spelling: spelling, reach: [.encoded, .hashed])
  }

  /// A spelling of an identifier, of which digests are hashed again.
  static func deep(_ spelling: Spelling) -> SpellingUse {
    SpellingUse(spelling: spelling, reach: [.encoded, .hashed, .hashedTwice])
  }

  /// A spelling for people's eyes, of which there are digests at times.
  static func hashed(_ spelling: Spelling) -> SpellingUse {
    SpellingUse(spelling: spelling, reach: .hashed)
  }

  /// A spelling for people's eyes alone.
  static func plain(_ spelling: Spelling) -> SpellingUse {
    SpellingUse(spelling: spelling, reach: [])
  }

  /// A spelling in other codings, each in what its nature is wrapped in.
  static func coded(_ spelling: Spelling, _ codings: [ValueCoding]) -> [SpellingUse] {
    codings.map { SpellingUse(spelling: .coded(spelling, $0), reach: .encoded) }
  }

  /// Both orders of UTF-16, and the characters backwards.
  private static let textCodings: [ValueCoding] = [
    .utf16(isBigEndian: true), .utf16(isBigEndian: false), .reversed,
  ]

  /// The spellings of DETECTION.md section 2 for `subject`, the commonest first.
  static func all(of kind: FindingKind, _ subject: Subject) -> [SpellingUse] {
    switch subject {
    case .digits(let digits): self.digits(kind, digits.count)
    case .hex(let digits): self.hex(kind, digits.count)
    case .email: [.full(.canonical), .full(.upper)] + self.coded(.canonical, self.textCodings)
    case .text(let text): self.text(kind, text)
    case .uuid: self.uuid
    case .mac: self.mac
    case .phone(let phone): self.phone(phone)
    case .joined(let parts): Joining.uses(of: parts)
    }
  }

  private static func digits(_ kind: FindingKind, _ count: Int) -> [SpellingUse] {
    var uses = [self.deep(.canonical)] + self.coded(.canonical, self.textCodings)
    let separators: [UInt8] = [0x2D, 0x20]
    if kind == .imei, count == 14 { uses.append(.deep(.checked)) }
    if kind == .imei, count >= 15 {
      // 14 digits of a value that we know, with no digit on either side, are no accident.
      uses.append(.deep(.prefix(14)))
      uses += self.coded(.prefix(14), [.packed(.swapped), .packed(.straight), .reversed])
    }
    if kind == .imei, count == 15 {
      for separator in separators {
        for groups in [[2, 6, 6, 1], [2, 6, 7], [6, 2, 6, 1], [8, 6, 1]] {
          let spelling = Spelling.grouped(groups, separator: separator, isUpper: false)
          // As it is printed, and as some programs then hash it.
          let isUsual = separator == 0x2D && groups == [2, 6, 6, 1]
          uses.append(isUsual ? .hashed(spelling) : .plain(spelling))
        }
      }
    }
    if kind == .iccid, count >= 18 {
      // The last digit is the check digit, which some leave out and some add.
      uses.append(.full(.prefix(count - 1)))
      if count < 20 { uses.append(.full(.checked)) }
      for separator in separators where count >= 19 {
        let groups = [4, 4, 4, 4, count - 16]
        uses.append(.plain(.grouped(groups, separator: separator, isUpper: false)))
      }
    }
    uses += self.coded(.canonical, PackedDigits.allCases.map { .packed($0) })
    uses += self.numbers(.canonical, radix: 10)
    return uses
  }

  /// An identifier as a number: binary, and in hexadecimal digits.
  private static func numbers(_ spelling: Spelling, radix: Int) -> [SpellingUse] {
    var uses = self.coded(spelling, IntegerForm.allCases.map { .integer($0, radix: radix) })
    switch radix {
    case 10:
      let number = Spelling.coded(spelling, .hexadecimal)
      uses += [.plain(number), .plain(.after("0x", number))]
    default:
      uses += [false, true].map { .plain(.coded(spelling, .decimal(isSigned: $0))) }
    }
    return uses
  }

  private static func hex(_ kind: FindingKind, _ count: Int) -> [SpellingUse] {
    var uses = [self.deep(.canonical), .deep(.upper)]
    uses += self.coded(.canonical, self.textCodings)
    uses += self.coded(.upper, [.utf16(isBigEndian: true), .utf16(isBigEndian: false)])
    uses += self.coded(.canonical, [.bytes(.forward)])
    if count == 16 { uses += self.numbers(.canonical, radix: 16) }
    if kind.name == "meid", count == 14 {
      let decimal = Spelling.coded(.canonical, .meidDecimal)
      uses.append(SpellingUse(spelling: decimal, reach: [.encoded, .hashed]))
    }
    return uses
  }

  private static var uuid: [SpellingUse] {
    let groups = [8, 4, 4, 4, 12]
    var uses = [false, true].flatMap { isUpper in
      [
        self.deep(.grouped(groups, separator: 0x2D, isUpper: isUpper)),
        self.deep(.grouped([32], separator: 0x2D, isUpper: isUpper)),
      ]
    }
    uses += self.coded(.grouped(groups, separator: 0x2D, isUpper: false), self.textCodings)
    uses.append(.plain(.grouped(groups, separator: 0x5F, isUpper: false)))
    return uses + self.coded(.canonical, [.bytes(.forward), .bytes(.guid)])
  }

  private static var mac: [SpellingUse] {
    let pairs = [2, 2, 2, 2, 2, 2]
    var uses = [false, true].flatMap { isUpper in
      [
        self.deep(.grouped(pairs, separator: 0x3A, isUpper: isUpper)),
        self.deep(.grouped([12], separator: 0x3A, isUpper: isUpper)),
        self.full(.grouped(pairs, separator: 0x2D, isUpper: isUpper)),
      ]
    }
    uses += [
      self.hashed(.grouped([4, 4, 4], separator: 0x2E, isUpper: false)),
      self.plain(.grouped(pairs, separator: 0x2E, isUpper: false)),
      self.plain(.grouped(pairs, separator: 0x20, isUpper: false)),
      self.plain(.grouped(pairs, separator: 0x5F, isUpper: false)),
      self.plain(.grouped([6, 6], separator: 0x2D, isUpper: false)),
    ]
    for isUpper in [false, true] {
      uses += self.coded(.grouped(pairs, separator: 0x3A, isUpper: isUpper), self.textCodings)
    }
    uses += self.coded(.canonical, [.reversed, .bytes(.forward), .bytes(.backward)])
    return uses + self.numbers(.canonical, radix: 16)
  }

  private static func text(_ kind: FindingKind, _ text: [UInt8]) -> [SpellingUse] {
    let codings = self.textCodings + Charset.allCases.map { .han($0) }
    var uses = [self.full(.canonical)]
    switch kind.name {
    case "sms_text", "clipboard": uses += self.ends(of: text, codings)
    case "browsing_url":
      uses += [(true, true), (false, true), (true, false), (false, false)]
        .map { self.full(.url(hasScheme: $0, hasQuery: $1)) }
    case "app_list": break
    case "contact_name":
      uses += [self.full(.lower), .hashed(.upper)]
      uses.append(.hashed(.words(isLastFirst: false, separator: "")))
      uses += [" ", ", ", ""].map { self.plain(.words(isLastFirst: true, separator: $0)) }
    default:
      uses += [self.full(.lower), .full(.upper)]
      if text.count >= 10, text.allSatisfy(ASCII.isDigit) {
        uses += self.numbers(.canonical, radix: 10)
      }
    }
    return uses + self.coded(.canonical, codings)
  }

  /// How a long text begins and how it ends: enough to know it by where the rest is cut off.
  private static func ends(of text: [UInt8], _ codings: [ValueCoding]) -> [SpellingUse] {
    let characters = 24
    let scalars = String(decoding: text, as: UTF8.self).unicodeScalars
    guard scalars.count > characters + characters / 2 else { return [] }
    let first = scalars.prefix(characters).reduce(0) { $0 + String($1).utf8.count }
    let last = scalars.suffix(characters).reduce(0) { $0 + String($1).utf8.count }
    return [Spelling.prefix(first), .suffix(last)].flatMap { spelling in
      ([self.full(spelling)] + self.coded(spelling, codings)).map {
        SpellingUse(spelling: $0.spelling, reach: .encoded, certainty: .likely)
      }
    }
  }
}
