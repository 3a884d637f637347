import Testing
import TideCore
import TideCrypto

@testable import TideInspect

/// Forms of DETECTION.md section 2 that are short or binary, within layers that announce themselves by
/// little.
@Suite struct NestedFormTests {
  /// One for all bodies of a test: to compile one takes longer than to search them.
  private let context: InspectionContext

  init() throws { self.context = try makeContext() }

  private func lines(_ bodies: [String]) throws -> [String] {
    bodies.flatMap { body in
      self.context.findings(body, [("Content-Type", "text/plain")]).map(\.line)
    }
  }

  /// TBCD, integers and addresses as a SIM card, a modem or a driver gives them.
  private static let binary: [[UInt8]] = [
    [0x94, 0x10, 0x45, 0x02, 0x23, 0x73, 0x15, 0xF8],
    [0x8E, 0x4C, 0x2B, 0xEB, 0xCA, 0xBD, 0x01, 0x00],
    [0x00, 0x01, 0xBD, 0xCA, 0xEB, 0x2B, 0x4C, 0x8E],
    [0x64, 0x96, 0x02, 0x21, 0x43, 0x65, 0x87, 0xF9],
    [0xE4, 0x34, 0xF1, 0x2F, 0x5B, 0x17],
  ]

  @Test("A few bytes in base64 and base32, padded or not, are found")
  func packed() throws {
    for bytes in Self.binary {
      let standard = Base64.standard.encode(bytes)
      let texts = [
        standard, String(standard.prefix { $0 != "=" }), Base64.url.encode(bytes),
        String(decoding: Base32Text.encode(bytes), as: UTF8.self),
      ]
      for text in texts {
        #expect(try self.lines(["{\"k\":\"\(text)\"}"]).count == 1, "\(text)")
        #expect(try self.lines(["1;control;4g\n2;sync;\(text);ok"]).count == 1, "\(text)")
      }
    }
  }

  @Test("Each field of a row is opened by itself, whatever separates the fields")
  func rows() throws {
    let mac = Base64.standard.encode(Array("mac=\(Phone.mac)".utf8))
    let name = "%28%25E6%259E%2597%25E6%2580%25A1%25E5%2590%259B%29"
    let row = ["2", "sync", mac, name, Phone.hex(.sha256, Phone.imei), "ok"]
    for separator in [",", ";", "|", "\t", "\u{1}", "\u{2}", "\u{1F}", "^", "~", "#"] {
      let text = [["1", "A", "1787719830547"], row, ["3", "end", "0"]].map {
        $0.joined(separator: separator)
      }.joined(separator: "\n")
      let kinds = try Set(self.lines([text]).map { $0.prefix { $0 != " " } })
      #expect(kinds == ["wifi_mac", "contact_name", "imei"], "\(separator.debugDescription)")
    }
  }

  @Test("Fields inside fields, as Hive keeps maps, are opened too")
  func fieldsInFields() throws {
    let mail = Base64.url.encode(Array(Phone.email.utf8))
    let lines = try self.lines(["u1\u{1}m\u{3}\(mail)\u{2}n\u{3}4\u{1}end"])
    #expect(lines.map { $0.prefix { $0 != " " } } == ["email"])
  }

  @Test("Digests cut to eight characters are found within base32, base64 and hexadecimal")
  func cut() throws {
    let cut = Array(Phone.hex(.md5, Phone.androidID).prefix(8).utf8)
    let base32 = String(decoding: Base32Text.encode(cut), as: UTF8.self)
    let texts = [
      base32, base32 + "===", Base64.standard.encode(cut), Base64.url.encode(cut), ASCII.hex(cut),
      Base64.url.encode(Array(base32.utf8)),
    ]
    for text in texts {
      #expect(try self.lines(["{\"k\":\"\(text)\"}"]).count == 1, "\(text)")
      let found = self.context.inspect(
        head: request("/", [("X-Meta", text)]),
        direction: .request
      )
      #expect(found.count == 1, "\(text)")
    }
  }

  @Test("A digest's bytes are found wherever they are, and told by their digits where these are")
  func digestBytes() throws {
    let hash = Digest.sha1.hash(Array(Phone.imei.utf8))
    let base32 = String(decoding: Base32Text.encode(hash), as: UTF8.self)
    #expect(
      try self.lines(["{\"k\":\"\(base32)\"}", "{\"k\":\"\(ASCII.hex(hash))\"}"]) == [
        "imei certain body $.k base32 bytes sha1", "imei certain body $.k sha1",
      ]
    )
    let message = Bytes([0x08, 0x07, 0x12, 0x14] + hash + [0x1A, 0x02] + Array("ok".utf8))
    let found = self.context.findings([message], [("Content-Type", "application/x-protobuf")])
    #expect(found.map(\.line) == ["imei certain body $.2 bytes sha1"])
  }

  @Test("A value between letters that are heads of a binary format is found")
  func heads() throws {
    let digest = String(Phone.hex(.sha1, Phone.own).prefix(16)).uppercased()
    let text = [UInt8](arrayLiteral: 0xA2, 0x62) + Array("k1".utf8) + [0x62] + Array("v1".utf8)
    let body = Bytes(text + [0x63] + Array("uid".utf8) + [0x70] + Array(digest.utf8))
    let found = self.context.findings([body], [("Content-Type", "application/cbor")])
    #expect(found.map(\.kind) == [.msisdn])
  }

  @Test("Character references and UTF-16 are found within base64 and hexadecimal")
  func wide() throws {
    let references = Phone.androidID.utf8.enumerated().map { index, byte in
      index % 3 == 0 ? "&#\(byte);" : String(UnicodeScalar(byte))
    }.joined()
    let digits = ASCII.hex(Phone.imsi.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] })
    let document = "{\"a\":\"\(Phone.mac)\"}".utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
    for text in [
      Base64.standard.encode(Array(references.utf8)), digits, Base64.url.encode(document),
    ] {
      #expect(try self.lines(["{\"k\":\"\(text)\"}"]).count == 1, "\(text)")
    }
  }

  @Test("Joined identifiers are known by their digest with each separator")
  func joined() throws {
    for separator in ["", "|", "#", ";", "&", ","] {
      let text = [Phone.imei, Phone.androidID, Phone.mac].joined(separator: separator)
      #expect(try self.lines(["{\"k\":\"\(Phone.hex(.sha1, text))\"}"]).count == 1, "\(separator)")
    }
  }
}
