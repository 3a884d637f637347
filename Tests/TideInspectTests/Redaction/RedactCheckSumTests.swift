import Foundation
import Testing
import TideCoding
import TideCore
import TideCrypto

@testable import TideInspect

/// Sums that stand beside what was changed.
@Suite struct RedactCheckSumTests {
  private static func redact(
    _ body: Bytes,
    _ fields: [(String, String)] = []
  ) throws -> RedactedBody? {
    let context = try makeContext()
    return context.redact(
      body: body,
      head: request("/", fields),
      direction: .request,
      findings: context.findings([body], fields)
    )
  }

  private static func object(_ body: Bytes) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(body.array)) as? [String: Any])
  }

  /// The ways that a sum of some bytes is written.
  enum Written: CaseIterable {
    case crcDecimal, crcHex, crcUpper, crcPrefixed, adler, md5, md5Upper, sha1, sha256, md5Base64
    case sha256URL, sha512

    func text(_ bytes: Bytes) -> String {
      let crc = CheckSum.crc32.sum(bytes)
      let hex = String(crc, radix: 16)
      let padded = String(repeating: "0", count: 8 - hex.count) + hex
      return switch self {
      case .crcDecimal: "\(crc)"
      case .crcHex: padded
      case .crcUpper: padded.uppercased()
      case .crcPrefixed: "0x" + padded
      case .adler: "\(CheckSum.adler32.sum(bytes))"
      case .md5: ASCII.hex(Digest.md5.hash(bytes))
      case .md5Upper: ASCII.hex(Digest.md5.hash(bytes)).uppercased()
      case .sha1: ASCII.hex(Digest.sha1.hash(bytes))
      case .sha256: ASCII.hex(Digest.sha256.hash(bytes))
      case .md5Base64: Base64.standard.encode(Digest.md5.hash(bytes))
      case .sha256URL: Base64.url.encode(Digest.sha256.hash(bytes))
      case .sha512: ASCII.hex(Digest.sha512.hash(bytes))
      }
    }
  }

  @Test("The sum of a value beside it becomes that of the new value", arguments: Written.allCases)
  func ofValue(written: Written) throws {
    let data = Base64.standard.encode(Array("{\"imei\":\"\(Phone.imei)\"}".utf8))
    let inner = Bytes("{\"imei\":\"\(Phone.imei)\"}")
    for isInner in [false, true] {
      let sum = written.text(isInner ? inner : Bytes(data))
      let body = Bytes("{\"data\":\"\(data)\",\"check\":\"\(sum)\",\"other\":\"\(data.count)\"}")
      let result = try #require(try Self.redact(body))
      let object = try Self.object(result.body)
      let text = try #require(object["data"] as? String)
      #expect(text != data)
      let decoded = Bytes(try #require(Base64.standard.decode(Array(text.utf8))))
      #expect(object["check"] as? String == written.text(isInner ? decoded : Bytes(text)))
      #expect(!result.isSignatureBroken)
    }
  }

  @Test("A number stays a number, in a form, under gzip and base64 as browsers sent it")
  func form() throws {
    let inner = Bytes("[{\"imei\":\"\(Phone.imei)\",\"t\":1}]")
    let packed = Gzip.encode(inner, format: .gzip)
    let list = Base64.standard.encode(packed.array)
    let escaped = list.replacing("+", with: "%2B").replacing("/", with: "%2F")
      .replacing("=", with: "%3D")
    for summed in [inner, packed, Bytes(list), Bytes(escaped)] {
      let crc = CheckSum.crc32.sum(summed)
      let body = Bytes("data_list=\(escaped)&gzip=1&crc=\(crc)")
      let fields = [("Content-Type", "application/x-www-form-urlencoded")]
      let result = try #require(try Self.redact(body, fields))
      let parts = result.body.text.split(separator: "&").map {
        $0.split(separator: "=", maxSplits: 1)
      }
      let written = String(parts[0][1])
      let text = try #require(written.removingPercentEncoding)
      let unpacked = Bytes(try #require(Base64.standard.decode(Array(text.utf8))))
      let limits = DecodingLimits(decodedBytes: 1 << 20, ratio: 100)
      let plain = try Gzip.decode(unpacked, format: .gzip, limits: limits)
      #expect(!plain.text.contains(Phone.imei))
      let now =
        summed == inner
        ? plain : summed == packed ? unpacked : Bytes(summed == Bytes(list) ? text : written)
      #expect(parts[2][1] == "\(CheckSum.crc32.sum(now))")
    }
    let data = "id \(Phone.imei)"
    let number = Bytes("{\"d\":\"\(data)\",\"crc\":\(CheckSum.crc32.sum(Bytes(data)))}")
    let object = try Self.object(try #require(try Self.redact(number)).body)
    let text = try #require(object["d"] as? String)
    #expect(object["crc"] as? UInt32 == CheckSum.crc32.sum(Bytes(text)))
  }

  @Test("The sum of a group as it is written becomes that of the new group")
  func group() throws {
    let group = "{\"imei\":\"\(Phone.imei)\",\"n\":[1,2]}"
    let sum = ASCII.hex(Digest.sha1.hash(Bytes(group)))
    let result = try #require(
      try Self.redact(Bytes("{\"body\":\(group),\"head\":{\"sha\":\"\(sum)\"}}"))
    )
    let after = try #require(result.body.text.firstRange(of: "{\"imei\":\"")).lowerBound
    let text = result.body.text[after...].prefix(group.count)
    #expect(result.body.text.hasSuffix("\"\(ASCII.hex(Digest.sha1.hash(Bytes(String(text)))))\"}}"))
  }

  @Test("What only looks like a sum stays")
  func others() throws {
    let sum = ASCII.hex(Digest.md5.hash(Bytes("something else")))
    let body = Bytes("{\"imei\":\"\(Phone.imei)\",\"md5\":\"\(sum)\",\"n\":1408097600}")
    let result = try #require(try Self.redact(body))
    #expect(result.body.text.hasSuffix("\"md5\":\"\(sum)\",\"n\":1408097600}"))
    #expect(!result.isSignatureBroken)
  }

  @Test("A signature over what was changed is broken, one over nothing that was changed is not")
  func signatures() throws {
    let sum = ASCII.hex(HMAC.sha256(key: [1], Bytes("any")))
    let short = sum.prefix(16)
    let text = Base64.standard.encode(HMAC.sha256(key: [1], Bytes("any")))
    let imei = "\"imei\":\"\(Phone.imei)\""
    let broken = [
      "{\(imei),\"sign\":\"\(sum)\"}", "{\(imei),\"X-Signature\":\"\(text)\"}",
      "{\"head\":{\"appSign\":\"\(short)\"},\"body\":{\(imei)}}",
      "{\"req\":{\(imei)},\"api_sig\":\"\(sum.uppercased())\"}",
      "imei=\(Phone.imei)&sig=\(sum)",
    ]
    for body in broken { #expect(try #require(try Self.redact(Bytes(body))).isSignatureBroken) }
    let whole = [
      "{\(imei),\"sign\":\"Leo\"}", "{\(imei),\"design\":\"\(sum)\"}",
      "{\(imei),\"id\":\"\(sum)\"}",
      "{\"apps\":[{\"n\":1,\"cert_sig\":\"\(sum)\"},{\"n\":2}],\"d\":{\(imei)}}",
      // A sum that anybody can make is none, whatever it is called.
      "{\"d\":\"i=\(Phone.imei)\",\"sign\":\"\(ASCII.hex(Digest.md5.hash(Bytes("i=\(Phone.imei)"))))\"}",
      "{\(imei),\"sign\":\"\(Phone.hex(.md5, Phone.imei))\"}",
    ]
    for body in whole { #expect(!(try #require(try Self.redact(Bytes(body))).isSignatureBroken)) }
  }

  @Test("A token's signature is broken by a change of what it says, but not if it has none")
  func tokens() throws {
    let payload = Base64.url.encode(Array("{\"sub\":\"x\",\"imei\":\"\(Phone.imei)\"}".utf8))
    for (algorithm, isBroken) in [("HS256", true), ("none", false)] {
      let head = Base64.url.encode(Array("{\"alg\":\"\(algorithm)\",\"typ\":\"JWT\"}".utf8))
      let token =
        "\(head).\(payload).\(isBroken ? Base64.url.encode(HMAC.sha256(key: [1], Bytes("x"))) : "")"
      let result = try #require(try Self.redact(Bytes("{\"t\":\"\(token)\",\"n\":1}")))
      #expect(result.isSignatureBroken == isBroken)
      #expect(!result.body.text.contains(payload))
    }
  }
}
