import Testing
import TideCoding
import TideCore
import TideCrypto

@testable import TideInspect

/// What an app would send that wants its values to arrive, or what carries them to break.
@Suite struct RedactHostileTests {
  @Test("A value in a field's name, a trailer's name or a method is found, and refused")
  func fixedPlaces() throws {
    let context = try makeContext()
    let named = request("/", [("X-\(Phone.imei)", "1")])
    let called = request("/", [], method: "REPORT-\(Phone.imei)")
    for head in [named, called] {
      let findings = context.inspect(head: head, direction: .request)
      #expect(findings.map(\.kind.name) == ["imei"])
      #expect(context.redact(head: head, direction: .request, findings: findings) == nil)
    }
    let trailers = HeaderFields([("x-\(Phone.androidID)", "1"), ("x-sum", "0")])
    let findings = context.inspect(trailers: trailers, direction: .request)
    #expect(findings.map(\.kind.name) == ["android_id"])
    let redacted = context.redact(trailers: trailers, direction: .request, findings: findings)
    #expect(redacted == nil)
  }

  @Test("One value in five forms in one object is replaced in all of them by one pseudonym")
  func forms() throws {
    let context = try makeContext()
    func object(_ imei: String) -> String {
      let plain = "\(imei)|\(Phone.hex(.md5, imei))|\(Phone.hex(.sha256, imei))"
      return "{\"n\":1,\"all\":\"\(plain)\",\"b\":\"\(Phone.base64(imei))\","
        + "\"x\":\"\(ASCII.hex(Array(imei.utf8)))\",\"z\":[2]}"
    }
    let result = try #require(self.redacted(Bytes(object(Phone.imei)), context)).text
    let other = String(result.dropFirst(14).prefix(15))
    #expect(other != Phone.imei && other.utf8.allSatisfy(ASCII.isDigit))
    #expect(result == object(other))
  }

  @Test("Parts in gzip in base64 in an object keep their heads, their order and their boundary")
  func nested() throws {
    let context = try makeContext()
    func parts(_ value: String) -> String {
      "--quay\r\nContent-Disposition: form-data; name=\"id\"; filename=\"a.txt\"\r\n\r\n\(value)\r\n"
        + "--quay\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n7\r\n--quay--\r\n"
    }
    let packed = Base64.standard.encode(Gzip.encode(Bytes(parts(Phone.imei))).array)
    let body = Bytes("{\"v\":2,\"data\":\"\(packed)\",\"end\":true}")
    let text = try #require(self.redacted(body, context)).text
    #expect(text.hasPrefix("{\"v\":2,\"data\":\"") && text.hasSuffix("\",\"end\":true}"))
    let data = Array(text.utf8.dropFirst(15).dropLast(13))
    let gzip = Bytes(try #require(Base64.standard.decode(data)))
    let inside = try Gzip.decode(gzip, limits: DecodingLimits(decodedBytes: 1 << 20, ratio: 100))
    let lines = inside.text.split(separator: "\r\n", omittingEmptySubsequences: false)
    let value = try #require(lines.dropFirst(3).first)
    #expect(inside.text == parts(String(value)))
    #expect(value != Phone.imei && value.utf8.count == 15)
  }

  @Test("A value in protobuf under a key of one byte is replaced, and every length is right")
  func underKey() throws {
    let context = try makeContext()
    func message(_ imei: String) -> [UInt8] {
      // {1: 3, 2: "app.pier", 3: {1: imei}, 5: "4g"}
      [0x08, 3, 0x12, 8] + Array("app.pier".utf8) + [0x1A, 17, 0x0A, 15] + Array(imei.utf8)
        + [0x2A, 2] + Array("4g".utf8)
    }
    let body = Bytes(message(Phone.imei).map { $0 ^ 0xA5 })
    let inside = try #require(self.redacted(body, context)).map { $0 ^ 0xA5 }
    let other = String(decoding: inside[16..<31], as: UTF8.self)
    #expect(inside == message(other) && other != Phone.imei)
  }

  @Test("A path keeps its segments whatever base64 makes of a pseudonym; else it is refused")
  func segments() throws {
    let address = DeviceProfile.Identifier(kind: .wifiMAC, value: Phone.mac)
    let profile = DeviceProfile(name: "redmi", addresses: [], identifiers: [address])
    let raw: [UInt8] = [0xE4, 0x34, 0xF1, 0x2F, 0x5B, 0x17]
    let head = request("/v2/bd3b5811/\(Base64.standard.encode(raw))/done")
    var refused = 0
    for secret in UInt8(0)..<48 {
      let context = try makeContext([profile], secret: secret)
      let findings = context.inspect(head: head, direction: .request)
      #expect(findings.map(\.kind.name) == ["wifi_mac"])
      let result = context.redact(head: head, direction: .request, findings: findings)
      guard let result else {
        refused += 1
        continue
      }
      let segments = String(decoding: result.head.target, as: UTF8.self).split(separator: "/")
      #expect(segments.count == 4 && segments[3] == "done" && segments[2].utf8.count == 8)
    }
    // A slash in eight characters: one in eight.
    #expect((1..<24).contains(refused))
  }

  /// The body with all that is found in it replaced, and nothing found afterwards.
  private func redacted(_ body: Bytes, _ context: InspectionContext) -> Bytes? {
    let findings = context.findings([body])
    guard !findings.isEmpty,
      let result = context.redact(
        body: body,
        head: request(),
        direction: .request,
        findings: findings
      )
    else { return nil }
    return context.findings([result.body]).isEmpty ? result.body : nil
  }
}
