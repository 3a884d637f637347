import TideCore

/// How a country's telephone numbers are built: enough to tell one from an order number.
///
/// Facts of the national plans as ITU-T publishes them ("National numbering plans", E.129); lengths and
/// prefixes of the national significant number (E.164 §6.2), without the trunk prefix.
struct PhonePlan {
  /// The digits of the country code.
  let code: [UInt8]
  /// What is dialled at home before the number.
  let trunk: [UInt8]
  /// How many digits a number has.
  let lengths: ClosedRange<Int>
  /// How many digits a mobile number has.
  let mobileLengths: ClosedRange<Int>
  /// What mobile numbers begin with, a dot for any digit; empty where they look like all others.
  let mobilePrefixes: [[UInt8]]

  /// Whether a national significant number is one that may be given to somebody.
  func allows(_ number: ArraySlice<UInt8>) -> Bool {
    guard self.lengths.contains(number.count), let first = number.first else { return false }
    if self.isService(number) || self.isReserved(number) { return false }
    if self.code == [0x31] {
      // NANP: area code and exchange begin with 2 to 9.
      let exchange = number[number.startIndex + 3]
      return first >= 0x32 && exchange >= 0x32
    }
    return first != 0x30 || self.trunk.isEmpty
  }

  /// Whether it is a mobile number, of a country that tells them apart.
  func isMobile(_ number: ArraySlice<UInt8>) -> Bool {
    self.mobileLengths.contains(number.count)
      && self.mobilePrefixes.contains { PhonePlan.begins(number, with: $0) }
      && self.allows(number)
  }

  /// Free or shared-cost numbers: a company's.
  private func isService(_ number: ArraySlice<UInt8>) -> Bool {
    let prefixes: [String]
    switch String(decoding: self.code, as: UTF8.self) {
    case "1": prefixes = ["800", "833", "844", "855", "866", "877", "888", "900"]
    case "86":
      return number.count == 10
        && (number.starts(with: "400".utf8) || number.starts(with: "800".utf8))
    default: prefixes = ["800", "900"]
    }
    if self.code != [0x31], self.isMobileShape(number) { return false }
    return prefixes.contains { number.starts(with: $0.utf8) }
  }

  private func isMobileShape(_ number: ArraySlice<UInt8>) -> Bool {
    self.mobileLengths.contains(number.count)
      && self.mobilePrefixes.contains { PhonePlan.begins(number, with: $0) }
  }

  /// Ranges for fiction, or without subscribers: also where pseudonyms come from.
  private func isReserved(_ number: ArraySlice<UInt8>) -> Bool {
    switch String(decoding: self.code, as: UTF8.self) {
    // 555-0100 to 555-0199 (ATIS-0300115).
    case "1": return number.dropFirst(3).starts(with: "55501".utf8)
    case "33": return number.starts(with: "63998".utf8)
    case "44": return number.starts(with: "7700900".utf8)
    case "46": return number.starts(with: "701740".utf8)
    case "61": return number.starts(with: "491570".utf8)
    case "886": return number.starts(with: "94".utf8)
    default: return false
    }
  }

  private static func begins(_ number: ArraySlice<UInt8>, with prefix: [UInt8]) -> Bool {
    number.count >= prefix.count
      && zip(number, prefix).allSatisfy { $0 == $1 || $1 == 0x2E }
  }
}

extension PhonePlan {
  /// The plan of an international number, and where its national part begins; nil if nobody has the
  /// country code.
  static func plan(of digits: [UInt8]) -> (plan: PhonePlan, number: ArraySlice<UInt8>)? {
    for length in 1...3 where digits.count > length {
      if let plan = self.byCode[Array(digits[..<length])] { return (plan, digits[length...]) }
    }
    return nil
  }

  /// Whether `digits`, as dialled at home, are a mobile number of some country.
  static func isMobileAtHome(_ digits: [UInt8]) -> Bool {
    self.all.contains { plan in
      guard digits.starts(with: plan.trunk) || self.withoutTrunk.contains(plan.code) else {
        return false
      }
      let hasTrunk = !plan.trunk.isEmpty && digits.starts(with: plan.trunk)
      let number = hasTrunk ? digits[plan.trunk.count...] : digits[...]
      // Eight digits and fewer may be anything.
      return digits.count >= 9 && plan.isMobile(number)
    }
  }

  /// Countries where mobile numbers are written without the trunk prefix.
  private static let withoutTrunk = ["1", "55", "86", "91"].map { Array($0.utf8) }

  private static let byCode: [[UInt8]: PhonePlan] = Dictionary(
    Self.all.map { ($0.code, $0) },
    uniquingKeysWith: { first, _ in first }
  )

  /// Code, trunk prefix, lengths, mobile lengths, mobile prefixes.
  private static let all: [PhonePlan] = Self.table.split(separator: "\n").compactMap { line in
    let columns = line.split(separator: " ")
    guard columns.count == 5, let lengths = Self.range(columns[2]),
      let mobileLengths = Self.range(columns[3])
    else { return nil }
    return PhonePlan(
      code: Array(columns[0].utf8),
      trunk: columns[1] == "-" ? [] : Array(columns[1].utf8),
      lengths: lengths,
      mobileLengths: mobileLengths,
      mobilePrefixes: columns[4] == "-"
        ? [] : columns[4].split(separator: ",").map { Array($0.utf8) }
    )
  }

  private static func range(_ text: Substring) -> ClosedRange<Int>? {
    let bounds = text.split(separator: "-").compactMap { Int($0) }
    guard let first = bounds.first, let last = bounds.last, first <= last else { return nil }
    return first...last
  }

  private static let table = """
    1 1 10 10 2,3,4,5,6,7,8,9
    7 8 10 10 9,70,747,77
    20 0 8-10 10 10,11,12,15
    27 0 9 9 6,7,81,82,83,84
    30 - 10 10 69
    31 0 9 9 6
    32 0 8-9 9 4
    33 0 9 9 6,7
    34 - 9 9 6,7
    36 06 8-9 9 20,30,31,50,70
    39 - 6-11 9-10 3
    40 0 9 9 7
    41 0 9 9 74,75,76,77,78,79
    43 0 7-13 10-13 65,66,67,68,69
    44 0 9-10 10 71,72,73,74,75,77,78,79
    45 - 8 8 -
    46 0 7-9 9 70,72,73,76,79
    47 - 8 8 4,9
    48 - 9 9 45,50,51,53,57,60,66,69,72,73,78,79,88
    49 0 6-11 10-11 15,16,17
    51 0 8-9 9 9
    52 - 10 10 -
    53 0 8 8 5
    54 0 10-11 11 9
    55 0 10-11 11 ..9
    56 - 9 9 9
    57 - 10 10 3
    58 0 10 10 412,414,416,424,426
    60 0 8-10 9-10 1
    61 0 9 9 4
    62 0 8-12 9-12 8
    63 0 8-10 10 9
    64 0 8-10 8-10 2
    65 - 8 8 8,9
    66 0 8-9 9 6,8,9
    81 0 9-10 10 70,80,90
    82 0 8-10 9-10 10,11,16,17,18,19
    84 0 9-10 9 3,5,7,8,9
    86 0 10-11 11 13,14,15,16,17,18,19
    90 0 10 10 5
    91 0 10 10 6,7,8,9
    92 0 9-10 10 3
    93 0 9 9 7
    94 0 9 9 7
    95 0 7-10 8-10 9
    98 0 10 10 9
    212 0 9 9 6,7
    213 0 8-9 9 5,6,7
    216 - 8 8 2,4,5,9
    233 0 9 9 2,5
    234 0 8-10 10 70,80,81,90,91
    251 0 9 9 7,9
    254 0 9 9 1,7
    255 0 9 9 6,7
    256 0 9 9 7
    351 - 9 9 9
    352 - 6-9 9 6
    353 0 8-9 9 83,85,86,87,88,89
    354 - 7 7 6,7,8
    358 0 6-10 7-10 4,50
    359 0 8-9 9 87,88,89,98,99
    370 0 8 8 6
    371 - 8 8 2
    372 - 7-8 7-8 5,81,82,83
    375 80 9 9 25,29,33,44
    380 0 9 9 39,50,63,66,67,68,73,9
    381 0 8-9 8-9 6
    385 0 8-9 8-9 9
    386 0 8 8 30,31,40,41,51,64,65,68,69,70,71
    420 - 9 9 60,70,72,73,77,79
    421 0 9 9 9
    591 - 8 8 6,7
    593 0 8-9 9 9
    595 0 9 9 9
    598 0 8 8 9
    852 - 8 8 5,6,9
    853 - 8 8 6
    855 0 8-9 8-9 1,6,7,8,9
    856 0 8-10 10 20
    880 0 10 10 13,14,15,16,17,18,19
    886 0 8-9 9 9
    961 0 7-8 7-8 3,70,71,76,78,79,81
    962 0 8-9 9 7
    964 0 8-10 10 7
    965 - 8 8 5,6,9
    966 0 9 9 5
    968 - 8 8 7,9
    971 0 8-9 9 5
    972 0 8-9 9 5
    973 - 8 8 3
    974 - 8 8 3,5,6,7
    976 0 8 8 8,9
    977 0 8-10 10 97,98
    994 0 9 9 50,51,55,70,77,99
    995 0 9 9 5
    996 0 9 9 5,7
    998 - 9 9 9
    """
}
