internal import TideCore

/// Text from traffic, made harmless to look at: nothing in it hides, turns the line around or steers a
/// printer.
enum Visible {
  /// The most characters of one piece of text from traffic.
  static let longest = 300
  /// The most combining marks on one character: a pile of them covers the lines around.
  private static let mostMarks = 3

  /// The text with every character that one cannot see replaced by its number, `⟨U+202E⟩`.
  static func text(_ text: String, limit: Int = Visible.longest) -> String {
    var shown = ""
    var count = 0
    var marks = 0
    for scalar in text.unicodeScalars {
      guard count < limit else { return shown + "…" }
      count += 1
      marks = scalar.properties.canonicalCombiningClass.rawValue > 0 ? marks + 1 : 0
      if self.isHidden(scalar) || marks > self.mostMarks {
        shown += self.name(of: scalar)
      } else {
        shown.unicodeScalars.append(scalar)
      }
    }
    return shown
  }

  /// Bytes that should be text: what is not UTF-8 is shown as `⟨FF⟩`, a line's end as `⏎`.
  static func text(of bytes: Bytes) -> String {
    var shown = ""
    var rest = bytes.array[...]
    while let first = rest.first {
      guard let (scalar, count) = self.scalar(at: rest) else {
        shown += "⟨" + self.hexadecimal(UInt32(first), digits: 2) + "⟩"
        rest = rest.dropFirst()
        continue
      }
      rest = rest.dropFirst(count)
      switch scalar {
      case "\r" where rest.first == 0x0A: break
      case "\n", "\r": shown += "⏎"
      case "\t": shown += "⇥"
      default:
        if self.isHidden(scalar) {
          shown += self.name(of: scalar)
        } else {
          shown.unicodeScalars.append(scalar)
        }
      }
    }
    return shown
  }

  /// Bytes as hexadecimal digits, two and two.
  static func hexadecimal(of bytes: Bytes) -> String {
    bytes.array.map { self.hexadecimal(UInt32($0), digits: 2).lowercased() }.joined(separator: " ")
  }

  /// Whether bytes are better shown as text than as numbers.
  static func isText(_ bytes: Bytes) -> Bool {
    var strange = 0
    var rest = bytes.array[...]
    while !rest.isEmpty {
      guard let (scalar, count) = self.scalar(at: rest) else {
        strange += 1
        rest = rest.dropFirst()
        continue
      }
      rest = rest.dropFirst(count)
      if self.isHidden(scalar), !["\n", "\r", "\t"].contains(scalar) { strange += 1 }
    }
    return strange * 8 <= bytes.count
  }

  /// Whether a character shows nothing, or changes how others are shown.
  static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator:
      return true
    default: break
    }
    switch scalar.value {
    // Fillers and joiners that are letters or marks by name and nothing to the eye.
    case 0x115F, 0x1160, 0x17B4, 0x17B5, 0x034F, 0x2800, 0x3164, 0xFFA0: return true
    // Variation selectors.
    case 0x180B...0x180D, 0x180F, 0xFE00...0xFE0F, 0xE0100...0xE01EF: return true
    // Spaces other than the usual one and the ideographic one.
    case 0x00A0, 0x1680, 0x2000...0x200A, 0x202F, 0x205F: return true
    default: return false
    }
  }

  private static func name(of scalar: Unicode.Scalar) -> String {
    "⟨U+" + self.hexadecimal(scalar.value, digits: 4) + "⟩"
  }

  private static func hexadecimal(_ value: UInt32, digits: Int) -> String {
    let text = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
  }

  /// The character that bytes begin with; nil if they begin with none (RFC 3629 §3).
  private static func scalar(at bytes: ArraySlice<UInt8>) -> (Unicode.Scalar, Int)? {
    guard let first = bytes.first else { return nil }
    let count =
      switch first {
      case 0..<0x80: 1
      case 0xC2..<0xE0: 2
      case 0xE0..<0xF0: 3
      case 0xF0..<0xF5: 4
      default: 0
      }
    guard count > 0, bytes.count >= count,
      let text = String(validating: bytes.prefix(count), as: UTF8.self),
      let scalar = text.unicodeScalars.first
    else { return nil }
    return (scalar, count)
  }
}
