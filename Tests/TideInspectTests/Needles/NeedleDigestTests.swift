import Testing
import TideCore
import TideCrypto

@testable import TideInspect

/// Digests, with answers that anybody can compute with md5sum and its relatives.
@Suite struct NeedleDigestTests {
  /// The test string of RFC 1321 and FIPS 180-4, as a serial number; five bytes are certain.
  private static let serial = "message digest"

  @Test("The published digests of a value are found")
  func known() throws {
    let search = try NeedleSearch([("serial", Self.serial)])
    // RFC 1321, appendix A.5.
    #expect(search.finds("serial md5", in: "f96b697d7cb7938d525a2f31aaf161d0"))
    #expect(search.finds("serial md5", in: "F96B697D7CB7938D525A2F31AAF161D0"))
    #expect(search.finds("serial sha1", in: "c12252ceda8be8994d5fa0290a47231c1d16aae3"))
    #expect(
      search.finds(
        "serial sha256",
        in: "f7846f55cf23e14eebeab5b4e1550cad5b509e3348fbc4efa3a1413d393cb650"
      )
    )
  }

  @Test("Digests are found whole, cut, in base64 and as bytes, not otherwise cut")
  func written() throws {
    let search = try NeedleSearch([("serial", Self.serial)])
    let md5 = "f96b697d7cb7938d525a2f31aaf161d0"
    #expect(search.finds("serial cut8 md5", in: "f96b697d"))
    #expect(search.finds("serial cut16 md5", in: "f96b697d7cb7938d"))
    #expect(search.finds("serial cut16 md5", in: "7cb7938d525a2f31"))
    #expect(search.finds("serial cut32 sha1", in: "c12252ceda8be8994d5fa0290a47231c"))
    #expect(
      search.matches("\"\(md5.prefix(20))\" \"\(md5.prefix(10))\" \"0\(md5)\" \"\(md5)0\"").isEmpty
    )
    for digest in [Digest.md5, .sha1, .sha256] {
      let hash = digest.hash(Array(Self.serial.utf8))
      let name = digest.rawValue
      #expect(search.finds("serial bytes \(name)", in: hash, edge: [0x61]))
      let whole = Base64.url.encode(hash)
      #expect(
        search.finds("serial base64url \(name)", in: whole)
          || search.finds("serial base64 \(name)", in: whole)
      )
      #expect(
        search.finds("serial cut16 base64url \(name)", in: String(whole.prefix(16)))
          || search.finds("serial cut16 base64 \(name)", in: String(whole.prefix(16)))
      )
      let eight = String(whole.prefix(8))
      #expect(
        search.finds("serial cut8 base64url \(name)", in: eight)
          || search.finds("serial cut8 base64 \(name)", in: eight)
      )
      // A field of a binary message holds nothing else.
      #expect(search.finds("serial bytes \(name)", in: hash, edge: []))
    }
    // Eight hexadecimal digits are 32 bit, eight of base64 are 48.
    let short = search.set.needles.filter { $0.encoding.first == "cut8" }
    let isBase64 = { (needle: Needle) in needle.encoding.contains { $0.hasPrefix("base64") } }
    #expect(short.contains { isBase64($0) } && short.contains { !isBase64($0) })
    #expect(short.allSatisfy { ($0.certainty == .likely) == !isBase64($0) })
  }

  @Test("A digest of a digest's digits is found")
  func twice() throws {
    let search = try NeedleSearch([("imei", Phone.imei)])
    let inner = Phone.hex(.md5, Phone.imei)
    #expect(search.finds("imei md5 md5", in: Phone.hex(.md5, inner)))
    #expect(search.finds("imei sha256 md5", in: Phone.hex(.sha256, inner)))
  }

  @Test(
    "Identifiers joined with each separator, in either order, are found by their digest",
    arguments: ["", ":", "-", "_", "|", ","]
  )
  func joined(separator: String) throws {
    let search = try NeedleSearch([
      ("imei", Phone.imei), ("android_id", Phone.androidID), ("wifi_mac", Phone.mac),
    ])
    let macs = [Phone.mac, Phone.mac.uppercased(), "e434f12f5b17", "E434F12F5B17"]
    for mac in macs {
      for (ids, kind) in [
        ([Phone.imei, mac], "imei"), ([mac, Phone.imei], "wifi_mac"),
        ([Phone.imei, Phone.androidID, mac], "imei"),
        ([Phone.androidID, mac, Phone.imei], "android_id"),
      ] {
        let text = ids.joined(separator: separator)
        #expect(search.finds("\(kind) md5 joined", in: Phone.hex(.md5, text)), "\(text)")
        #expect(search.finds("\(kind) sha256 joined", in: Phone.hex(.sha256, text)))
        #expect(
          search.finds("\(kind) cut16 sha1 joined", in: String(Phone.hex(.sha1, text).prefix(16)))
        )
      }
    }
    let values = search.set.values.map(\.canonical.text)
    #expect(values.contains("\(Phone.imei)+\(Phone.androidID)"))
  }

  @Test("Identifiers of two devices are not joined")
  func notJoined() throws {
    let profiles = [("imei", Phone.imei), ("android_id", Phone.androidID)].map { kind, value in
      DeviceProfile(
        name: kind,
        addresses: [],
        identifiers: [.init(kind: FindingKind(kind), value: value)]
      )
    }
    let search = try NeedleSearch(profiles)
    #expect(search.matches("\"\(Phone.hex(.md5, Phone.imei + Phone.androidID))\"").isEmpty)
  }

  @Test("The pseudonym of joined identifiers is what their pseudonyms join to")
  func joinedPseudonym() throws {
    let pseudonyms = Pseudonymizer(secret: [UInt8](repeating: 7, count: 32))
    let parts = [(FindingKind.imei, Phone.imei), (.wifiMAC, Phone.mac)].compactMap { kind, value in
      Subject(kind, value).map { Subject.Part(kind: kind, subject: $0) }
    }
    let singles = parts.compactMap { pseudonyms.pseudonym($0.kind, $0.subject) }
    let joined = try #require(pseudonyms.pseudonym(.imei, .joined(parts)))
    #expect(joined.canonical.text == singles.map(\.canonical.text).joined(separator: "+"))
    let spelling = Spelling.joined([.canonical, .upper], separator: "|")
    let mac = try #require(singles.last?.canonical.text)
    #expect(
      spelling.bytes(of: joined).map { String(decoding: $0, as: UTF8.self) }
        == "\(singles[0].canonical.text)|\(mac.uppercased())"
    )
  }
}
