import TideCoding
import TideCore
import TideCrypto

/// Writes a phone's values into a text, each in one of the codings that they travel in.
enum Plant {
  /// The mark of a value: the byte after it has the value in its low half, the coding in its high half.
  private static let mark: UInt8 = 0xFF

  /// `template` with a value at each mark; a mark at the very end stands for itself.
  static func planted(_ template: Bytes) -> Bytes {
    var result: [UInt8] = []
    var index = 0
    while index < template.count {
      guard template[index] == self.mark, index + 1 < template.count else {
        result.append(template[index])
        index += 1
        continue
      }
      let choice = template[index + 1]
      let values = Laboratory.values
      let value = Array(values[Int(choice & 15) % values.count].value.utf8)
      result += self.coded(value, choice >> 4)
      index += 2
    }
    return Bytes(result)
  }

  private static func coded(_ value: [UInt8], _ coding: UInt8) -> [UInt8] {
    let text: String
    switch coding {
    case 0: return value
    case 1: text = ASCII.hex(Digest.md5.hash(value))
    case 2: text = String(Base64.url.encode(Digest.sha1.hash(value)).prefix(16))
    case 3: text = ASCII.hex(Digest.sha256.hash(value)).uppercased()
    case 4: text = Base64.standard.encode(value)
    case 5: text = Base64.url.encode(Array("{\"id\":\"".utf8) + value + Array("\"}".utf8))
    case 6: text = ASCII.hex(value)
    case 7: text = value.map { "%" + ASCII.hex([$0]).uppercased() }.joined()
    case 8: text = value.map { "%25" + ASCII.hex([$0]) }.joined()
    case 9: return value.reversed()
    case 10: return value.flatMap { [0, $0] }
    case 11: text = String(decoding: value, as: UTF8.self).utf16.map(self.escape).joined()
    case 12: text = Base64.standard.encode(Gzip.encode(Bytes(value + value)).array)
    case 13: text = "\\\"" + String(decoding: value, as: UTF8.self) + "\\\""
    case 14: text = Base64.standard.encode(Array(Base64.standard.encode(value).utf8))
    // A field of a protobuf message.
    default: return [0x0A, UInt8(truncatingIfNeeded: value.count)] + value
    }
    return Array(text.utf8)
  }

  /// `\uXXXX`, as JSON has it.
  private static func escape(_ unit: UInt16) -> String {
    "\\u" + ASCII.hex([UInt8(unit >> 8), UInt8(truncatingIfNeeded: unit)])
  }
}
