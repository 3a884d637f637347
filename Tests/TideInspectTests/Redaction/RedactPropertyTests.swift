import Testing
import TideCoding
import TideCore
import TideCrypto
import TideDecoding

@testable import TideInspect

/// Redaction over random nestings of containers and codings.
@Suite struct RedactPropertyTests {
  private static let values: [(kind: String, text: String)] = [
    ("imei", Phone.imei), ("imsi", Phone.imsi), ("iccid", Phone.iccid), ("msisdn", Phone.own),
    ("contact_name", Phone.name), ("contact_name", Phone.hanName), ("wifi_mac", Phone.mac),
    ("android_id", Phone.androidID), ("gaid", Phone.gaid), ("email", Phone.email),
    ("imei", Phone.hex(.md5, Phone.imei)), ("imsi", Phone.h(Phone.imsi)),
  ]

  @Test(
    "Whatever the nesting: nothing is left, all else is the same, and it opens as before",
    arguments: 0..<4
  )
  func nestings(seed: Int) throws {
    let context = try makeContext()
    let other = try makeContext(secret: 8)
    var random = SeededGenerator(state: UInt64(seed) &* 7_919 &+ 1)
    for _ in 0..<25 {
      let value = Self.values.randomElement(using: &random) ?? Self.values[0]
      var nesting = Nesting(value.text, &random)
      for _ in 0..<Int.random(in: 0...3, using: &random) { nesting.wrap(&random) }
      let body = nesting.bytes
      let findings = context.findings([body])
      let way = Comment(rawValue: "\(value.text) \(nesting.way)")
      #expect(findings.contains { $0.kind.name == value.kind }, way)
      let redacted = context.redact(
        body: body,
        head: request(),
        direction: .request,
        findings: findings
      )
      guard let redacted else {
        Issue.record("not redacted: \(value.text) \(nesting.way)")
        continue
      }
      #expect(!redacted.changes.isEmpty, way)
      let left = Set(context.findings([redacted.body]).map { Seen($0) })
      #expect(left.isDisjoint(with: findings.map { Seen($0) }), way)
      if nesting.keepsLength { #expect(redacted.body.count == body.count, way) }
      // Every leaf but the one is as it was, and in its place.
      let before = Self.leaves(context, body)
      let after = Self.leaves(context, redacted.body)
      #expect(before.count == after.count, way)
      let changed = zip(before, after).filter { $0 != $1 }
      #expect(changed.count == 1, way)
      // Again the same, and in another case another.
      let again = context.redact(
        body: body,
        head: request(),
        direction: .request,
        findings: findings
      )
      #expect(again?.body == redacted.body, way)
      let elsewhere = other.redact(
        body: body,
        head: request(),
        direction: .request,
        findings: findings
      )
      #expect(elsewhere.map { $0.body != redacted.body } == true, way)
    }
  }

  /// The innermost leaves, in order of place.
  private static func leaves(_ context: InspectionContext, _ body: Bytes) -> [Bytes] {
    let part = Content(direction: .request, fields: HeaderFields())
      .part(firstByte: body.first ?? 0, layers: [])
    var examination = Examination(context, part, context.budget())
    return self.leaves(examination.examine(body))
  }

  private static func leaves(_ specimen: Specimen) -> [Bytes] {
    guard let opened = specimen.layer else { return [specimen.bytes] }
    return opened.layer.nodes.indices.flatMap { index -> [Bytes] in
      if let child = opened.children[index] { return self.leaves(child) }
      return opened.layer.nodes[index].value(in: specimen.bytes).map { [$0] } ?? []
    }
  }
}

/// A value in layers, written without any of our own encoders but for the compressors.
private struct Nesting {
  private(set) var bytes: Bytes
  private(set) var way: [String] = []
  private(set) var keepsLength = true

  private enum Wrap: String, CaseIterable {
    case json, array, form, xml, messagePack, cbor, protobuf, base64, base64URL, hex, gzip, zlib
    case percent
  }

  init(_ value: String, _ random: inout some RandomNumberGenerator) {
    self.bytes = Bytes(value)
    let first: [Wrap] = [.json, .array, .form, .xml, .messagePack, .cbor, .protobuf]
    self.wrap(first.randomElement(using: &random) ?? .json)
  }

  /// A container or a coding around.
  mutating func wrap(_ random: inout some RandomNumberGenerator) {
    let isText = self.bytes.allSatisfy { (0x20..<0x7F).contains($0) || $0 >= 0x80 && self.isUTF8 }
    // A coding's text needs a place to stand in; text needs no coding, binary does.
    var choices: [Wrap] =
      isText
      ? [.json, .array, .form, .xml, .messagePack, .cbor, .protobuf, .base64, .hex, .gzip]
      : [.base64, .base64URL, .hex, .gzip, .zlib, .messagePack, .protobuf]
    if isText { choices.append(.percent) }
    if self.way.last == "gzip" || self.way.last == "zlib" { choices = [.base64, .base64URL, .hex] }
    // Escaped text goes into a form or a string, not into base64 again.
    if self.way.last == "percent" { choices = [.json, .form, .xml, .gzip] }
    self.wrap(choices.randomElement(using: &random) ?? .base64)
  }

  private var isUTF8: Bool { String(validating: self.bytes, as: UTF8.self) != nil }

  private mutating func wrap(_ wrap: Wrap) {
    let text = self.bytes.text
    let count = self.bytes.count
    self.way.append(wrap.rawValue)
    switch wrap {
    case .json:
      self.bytes = Bytes("{\"v\":3,\"d\":{\"x\":\"\(Self.escaped(text))\"},\"ok\":\"yes\"}")
    case .array: self.bytes = Bytes("[17,\"\(Self.escaped(text))\",null]")
    case .form: self.bytes = Bytes("v=3&d=\(Self.percent(self.bytes))&ok=yes")
    case .xml:
      let inner = text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
        .replacing(">", with: "&gt;")
      self.bytes = Bytes("<?xml version=\"1.0\"?><r v=\"3\"><d>\(inner)</d><ok>yes</ok></r>")
    case .messagePack:
      let length = [0xDA, UInt8(count >> 8), UInt8(count & 0xFF)]
      let kind: [UInt8] = self.isUTF8 ? length : [0xC5] + length.dropFirst()
      self.bytes = Bytes(
        [0x83, 0xA1, 0x76, 0x03, 0xA1, 0x64] + kind + self.bytes.array
          + [0xA2, 0x6F, 0x6B, 0xA3] + Array("yes".utf8)
      )
    case .cbor:
      self.bytes = Bytes(
        [0xA3, 0x61, 0x76, 0x03, 0x61, 0x64, 0x79, UInt8(count >> 8), UInt8(count & 0xFF)]
          + self.bytes.array + [0x62, 0x6F, 0x6B, 0x63] + Array("yes".utf8)
      )
    case .protobuf:
      var length: [UInt8] = []
      var rest = count
      while rest >= 0x80 {
        length.append(UInt8(rest & 0x7F) | 0x80)
        rest >>= 7
      }
      length.append(UInt8(rest))
      self.bytes = Bytes(
        [0x08, 0x03, 0x12] + length + self.bytes.array + [0x1A, 0x03] + Array("yes".utf8)
      )
    case .base64: self.bytes = Bytes(Base64.standard.encode(self.bytes))
    case .base64URL: self.bytes = Bytes(Base64.url.encode(self.bytes))
    case .hex: self.bytes = Bytes(ASCII.hex(self.bytes.array))
    case .gzip, .zlib:
      self.bytes = Gzip.encode(self.bytes, format: wrap == .gzip ? .gzip : .zlib)
      self.keepsLength = false
    case .percent: self.bytes = Bytes(Self.percent(self.bytes))
    }
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
  }

  private static func percent(_ bytes: Bytes) -> String {
    bytes.map { byte in
      let isPlain =
        ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 || byte == 0x2D || byte == 0x2E
      return isPlain ? String(UnicodeScalar(byte)) : "%" + ASCII.hex([byte]).uppercased()
    }.joined()
  }
}
