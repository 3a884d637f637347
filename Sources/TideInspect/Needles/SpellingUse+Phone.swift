import TideCore

extension SpellingUse {
  /// The ways to write a telephone number.
  static func phone(_ phone: PhoneNumber) -> [SpellingUse] {
    let bare = self.bare(phone)
    var uses = bare.map { self.full($0) }
    for spelling in bare {
      uses += self.coded(spelling, [.utf16(isBigEndian: true), .utf16(isBigEndian: false)])
      uses += self.coded(spelling, [.reversed, .packed(.swapped), .packed(.straight)])
    }
    let number = phone.country.isEmpty ? Spelling.national(groups: [], separator: 0) : .canonical
    uses += self.coded(number, IntegerForm.allCases.map { .integer($0, radix: 10) })
    return uses + self.grouped(phone)
  }

  /// Digits alone, with what may stand before them.
  private static func bare(_ phone: PhoneNumber) -> [Spelling] {
    var spellings: [Spelling] = []
    if !phone.country.isEmpty {
      spellings += ["+", "", "00"].map {
        .international(prefix: $0, afterCountry: 0, groups: [], separator: 0)
      }
      // Fewer digits than that are too easily a counter that happens to agree.
      if phone.number.count >= 9 { spellings.append(.subscriber) }
    }
    return spellings + [.national(groups: [], separator: 0)]
  }

  private static func grouped(_ phone: PhoneNumber) -> [SpellingUse] {
    var uses: [SpellingUse] = []
    let separators: [UInt8] = [0x2D, 0x20, 0x2E]
    let nationalCount = phone.trunkPrefix.count + phone.number.count
    if !phone.country.isEmpty {
      // `+886 912-345-678` as well as one separator throughout.
      let pairs = separators.map { ($0, $0) } + [(0x20, 0x2D)]
      for prefix in ["+", ""] {
        for (afterCountry, separator) in pairs {
          let choices = self.phoneGroups(phone.number.count) + [[phone.number.count]]
          for (place, groups) in choices.enumerated() {
            let spelling = Spelling.international(
              prefix: prefix,
              afterCountry: afterCountry,
              groups: groups,
              separator: separator
            )
            // As address books show a number, and as some programs then hash it.
            let isUsual = place == 0 && prefix == "+" && afterCountry == 0x20 && separator != 0x2E
            uses.append(isUsual ? .hashed(spelling) : .plain(spelling))
          }
        }
      }
    }
    for (place, groups) in self.phoneGroups(nationalCount).enumerated() {
      for separator in separators {
        let spelling = Spelling.national(groups: groups, separator: separator)
        uses.append(place > 0 || separator == 0x2E ? .plain(spelling) : .hashed(spelling))
      }
      for isSpaced in [false, true] {
        uses.append(
          .plain(.parenthesized(groups: groups, separator: 0x2D, isSpaced: isSpaced))
        )
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
      [[4, 3, 3], [3, 3, 4], [2, 4, 4], [4, 6], [2, 2, 2, 2, 2], [3, 3, 2, 2], [5, 5]]
    case 11: [[3, 4, 4], [5, 6], [5, 3, 3], [4, 3, 4], [4, 7], [3, 8], [1, 3, 3, 4]]
    case 12: [[4, 4, 4], [3, 3, 3, 3]]
    default: []
    }
  }
}
