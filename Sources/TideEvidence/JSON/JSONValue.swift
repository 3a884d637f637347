internal import TideCore

/// A JSON value as read from a file of a case.
enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  /// A number that is a whole one, as all of ours are.
  case integer(Int64)
  case real(Double)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)

  var string: String? {
    if case .string(let text) = self { return text }
    return nil
  }

  var integer: Int64? {
    if case .integer(let number) = self { return number }
    return nil
  }

  var unsigned: UInt64? { self.integer.flatMap { UInt64(exactly: $0) } }

  var bool: Bool? {
    if case .bool(let flag) = self { return flag }
    return nil
  }

  var array: [JSONValue] {
    if case .array(let values) = self { return values }
    return []
  }

  var object: JSONObject {
    if case .object(let members) = self { return members }
    return JSONObject()
  }
}

/// A JSON object with its members in the order written; looked through from the front, as ours are short.
struct JSONObject: Equatable, Sendable {
  var members: [(name: String, value: JSONValue)] = []

  subscript(_ name: String) -> JSONValue? {
    for member in self.members where member.name == name { return member.value }
    return nil
  }

  static func == (a: JSONObject, b: JSONObject) -> Bool {
    a.members.count == b.members.count
      && zip(a.members, b.members).allSatisfy { $0.name == $1.name && $0.value == $1.value }
  }
}

extension JSONValue {
  /// Reads one value that fills `bytes`; nil if it is not strict JSON, or nested deeper than 32.
  init?(_ bytes: Bytes) {
    let parsed: JSONValue? = bytes.withSpan { span in
      var parser = JSONParser()
      guard let value = parser.value(in: span, depth: 0) else { return nil }
      parser.skipSpace(in: span)
      return parser.index == span.count ? value : nil
    }
    guard let parsed else { return nil }
    self = parsed
  }
}

/// A recursive-descent reader of RFC 8259; its input may be anything.
private struct JSONParser {
  private(set) var index = 0

  mutating func value(in span: borrowing Span<UInt8>, depth: Int) -> JSONValue? {
    guard depth < 32 else { return nil }
    self.skipSpace(in: span)
    guard self.index < span.count else { return nil }
    switch span[self.index] {
    case 0x22: return self.string(in: span).map { .string($0) }
    case 0x7B: return self.object(in: span, depth: depth)
    case 0x5B: return self.array(in: span, depth: depth)
    case 0x74: return self.take("true", in: span) ? .bool(true) : nil
    case 0x66: return self.take("false", in: span) ? .bool(false) : nil
    case 0x6E: return self.take("null", in: span) ? .null : nil
    default: return self.number(in: span)
    }
  }

  mutating func skipSpace(in span: borrowing Span<UInt8>) {
    while self.index < span.count {
      switch span[self.index] {
      case 0x20, 0x09, 0x0A, 0x0D: self.index += 1
      default: return
      }
    }
  }

  private mutating func take(_ byte: UInt8, in span: borrowing Span<UInt8>) -> Bool {
    self.skipSpace(in: span)
    guard self.index < span.count, span[self.index] == byte else { return false }
    self.index += 1
    return true
  }

  private mutating func take(_ word: String, in span: borrowing Span<UInt8>) -> Bool {
    for byte in word.utf8 {
      guard self.index < span.count, span[self.index] == byte else { return false }
      self.index += 1
    }
    return true
  }

  private mutating func object(in span: borrowing Span<UInt8>, depth: Int) -> JSONValue? {
    var object = JSONObject()
    self.index += 1
    if self.take(0x7D, in: span) { return .object(object) }
    while true {
      self.skipSpace(in: span)
      guard self.index < span.count, span[self.index] == 0x22, let name = self.string(in: span),
        self.take(0x3A, in: span), let value = self.value(in: span, depth: depth + 1)
      else { return nil }
      object.members.append((name, value))
      if self.take(0x7D, in: span) { return .object(object) }
      guard self.take(0x2C, in: span) else { return nil }
    }
  }

  private mutating func array(in span: borrowing Span<UInt8>, depth: Int) -> JSONValue? {
    var values: [JSONValue] = []
    self.index += 1
    if self.take(0x5D, in: span) { return .array(values) }
    while true {
      guard let value = self.value(in: span, depth: depth + 1) else { return nil }
      values.append(value)
      if self.take(0x5D, in: span) { return .array(values) }
      guard self.take(0x2C, in: span) else { return nil }
    }
  }

  private mutating func number(in span: borrowing Span<UInt8>) -> JSONValue? {
    let start = self.index
    var isWhole = true
    while self.index < span.count {
      switch span[self.index] {
      case 0x30...0x39, 0x2D: break
      case 0x2B, 0x2E, 0x45, 0x65: isWhole = false
      default:
        return self.number(from: start, isWhole: isWhole, in: span)
      }
      self.index += 1
    }
    return self.number(from: start, isWhole: isWhole, in: span)
  }

  private func number(
    from start: Int,
    isWhole: Bool,
    in span: borrowing Span<UInt8>
  ) -> JSONValue? {
    let text = String(decoding: (start..<self.index).map { span[$0] }, as: UTF8.self)
    if isWhole, let number = Int64(text) { return .integer(number) }
    return Double(text).map { .real($0) }
  }

  private mutating func string(in span: borrowing Span<UInt8>) -> String? {
    self.index += 1
    let start = self.index
    // Nearly every string has nothing to unescape: it is checked and copied as it stands.
    while self.index < span.count {
      let byte = span[self.index]
      guard byte >= 0x20, byte != 0x5C else { break }
      self.index += 1
      guard byte == 0x22 else { continue }
      return Self.text(span.extracting(start..<self.index - 1))
    }
    var text = (start..<self.index).map { span[$0] }
    while self.index < span.count {
      let byte = span[self.index]
      self.index += 1
      switch byte {
      case 0x22: return Self.text(text.span)
      case 0x5C:
        guard self.escape(in: span, into: &text) else { return nil }
      case 0..<0x20: return nil
      default: text.append(byte)
      }
    }
    return nil
  }

  private static func text(_ bytes: Span<UInt8>) -> String? {
    // The error tells where the ill-formed byte is, which nobody asks: it is not JSON.
    guard let valid = try? UTF8Span(validating: bytes) else { return nil }
    return String(copying: valid)
  }

  private mutating func escape(in span: borrowing Span<UInt8>, into text: inout [UInt8]) -> Bool {
    guard self.index < span.count else { return false }
    let byte = span[self.index]
    self.index += 1
    switch byte {
    case 0x22, 0x5C, 0x2F: text.append(byte)
    case 0x6E: text.append(0x0A)
    case 0x72: text.append(0x0D)
    case 0x74: text.append(0x09)
    case 0x62: text.append(0x08)
    case 0x66: text.append(0x0C)
    case 0x75:
      guard var scalar = self.hexadecimal(in: span) else { return false }
      if scalar & 0xFC00 == 0xD800 {
        guard self.take("\\u", in: span), let low = self.hexadecimal(in: span),
          low & 0xFC00 == 0xDC00
        else { return false }
        scalar = 0x10000 + (scalar & 0x3FF) << 10 + low & 0x3FF
      }
      guard let character = Unicode.Scalar(scalar) else { return false }
      text.append(contentsOf: String(character).utf8)
    default: return false
    }
    return true
  }

  private mutating func hexadecimal(in span: borrowing Span<UInt8>) -> UInt32? {
    guard self.index + 4 <= span.count else { return nil }
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = ASCII.hexValue(span[self.index]) else { return nil }
      value = value << 4 | UInt32(digit)
      self.index += 1
    }
    return value
  }
}
