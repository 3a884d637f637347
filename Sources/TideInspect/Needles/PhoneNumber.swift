import TideCore

/// A telephone number, split into country code and number where that is known (ITU-T E.164).
struct PhoneNumber: Hashable {
  /// The country code's digits; empty if the number was written without.
  let country: [UInt8]
  /// The national significant number; with its trunk prefix if `country` is empty.
  let number: [UInt8]

  init(country: [UInt8], number: [UInt8]) {
    self.country = country
    self.number = number
  }

  /// Reads `+886 912-345-678`, `00886…` or a number as dialled at home; nil if it is none.
  init?(_ written: [UInt8]) {
    let digits = written.filter(ASCII.isDigit)
    let separators = Array("+ -./()".utf8)
    guard (5...18).contains(digits.count),
      written.allSatisfy({ ASCII.isDigit($0) || separators.contains($0) })
    else { return nil }
    let international: ArraySlice<UInt8>
    if written.first == 0x2B {
      international = digits[...]
    } else if digits.starts(with: [0x30, 0x30]) {
      international = digits.dropFirst(2)
    } else {
      self.init(country: [], number: digits)
      return
    }
    let length = Self.countryCodeLength(international)
    guard international.count > length + 3 else { return nil }
    self.init(
      country: Array(international.prefix(length)),
      number: Array(international.dropFirst(length))
    )
  }

  /// Country code and number, digits only; or the number as dialled at home.
  var canonical: [UInt8] { self.country + self.number }

  /// What is dialled at home before the number.
  var trunkPrefix: [UInt8] {
    Array((Self.trunkPrefixes[String(decoding: self.country, as: UTF8.self)] ?? "").utf8)
  }

  /// How many digits the country code has (ITU-T E.164, list of assigned codes).
  private static func countryCodeLength(_ digits: ArraySlice<UInt8>) -> Int {
    guard let first = digits.first else { return 0 }
    if first == 0x31 || first == 0x37 { return 1 }
    let two = String(decoding: digits.prefix(2), as: UTF8.self)
    return self.twoDigitCodes.contains(two) ? 2 : 3
  }

  private static let twoDigitCodes: Set<String> = [
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47",
    "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65",
    "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
  ]

  /// Trunk prefixes for mobile numbers; countries not listed dial none.
  ///
  /// ITU-T Operational Bulletin, "Dialling procedures". Mainland China has `0` for land lines only,
  /// and mobile numbers are what phones send.
  private static let trunkPrefixes: [String: String] = [
    "20": "0", "27": "0", "31": "0", "32": "0", "33": "0", "36": "06", "40": "0", "41": "0",
    "43": "0", "44": "0", "46": "0", "49": "0", "51": "0", "54": "0", "55": "0", "60": "0",
    "61": "0", "62": "0", "63": "0", "64": "0", "66": "0", "7": "8", "81": "0", "82": "0",
    "84": "0", "90": "0", "91": "0", "92": "0", "93": "0", "94": "0", "95": "0", "98": "0",
    "212": "0", "213": "0", "233": "0", "234": "0", "249": "0", "251": "0", "254": "0",
    "255": "0", "256": "0", "260": "0", "263": "0", "353": "0", "355": "0", "358": "0",
    "359": "0", "370": "0", "373": "0", "374": "0", "375": "80", "380": "0", "381": "0",
    "382": "0", "385": "0", "386": "0", "387": "0", "389": "0", "421": "0", "593": "0",
    "595": "0", "598": "0", "850": "0", "855": "0", "856": "0", "880": "0", "886": "0",
    "961": "0", "962": "0", "963": "0", "964": "0", "966": "0", "967": "0", "971": "0",
    "972": "0", "976": "0", "977": "0", "992": "0", "994": "0", "995": "0", "996": "0",
  ]
}
