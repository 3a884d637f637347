import Testing
import TideCore
import TideCrypto

@testable import TideInspect

/// What looks like an identifier and is none (DETECTION.md section 2).
@Suite struct NegativeTests {
  @Test(
    "Nothing is found in what is no identifier",
    arguments: [
      "{\"ts\":1408097600528,\"t0\":\"1408097600528123\"}",
      // Order numbers with a right check digit, of 15 and 19 digits.
      "{\"order_no\":\"353918057012342\",\"oid\":8812345678901234564}",
      "{\"uuid\":\"0f8fad5b-d9cb-469f-a165-70867728950e\"}",
      "{\"md5\":\"9e107d9d372bb6826bd81d3542a419d6\",\"sha1\":\"2fd4e1c67a2d28fced849ee1bb76e7391b93eb12\"}",
      "{\"mac\":\"02:00:00:00:00:00\",\"wifi_mac\":\"00:00:00:00:00:00\",\"m\":\"ff:ff:ff:ff:ff:ff\"}",
      "{\"mac\":\"00:11:22:33:44:55\",\"bssid\":\"aa:bb:cc:dd:ee:ff\",\"node\":\"94:ce:c4:87:67:0f\"}",
      "{\"imei\":\"000000000000000\",\"imei2\":\"123456789012345\",\"deviceid\":\"111111111111111\"}",
      "{\"imei\":\"358888880000001\",\"tac\":\"49015420\",\"mccmnc\":\"46692\"}",
      // Identifiers inside longer numbers and words.
      "{\"run\":\"1490154203237518\",\"b\":\"4901542032375180\",\"c\":4669201234567890}",
      "{\"n\":\"xTide Waiter QX7\",\"a\":\"a9774d56d682e549c\",\"b\":\"9774d56d682e549cf\"}",
      "{\"p\":\"10912345678\",\"q\":\"+8869123456789\"}",
      // A part of a digest that is not one of the usual cuts, and a digest inside a longer run.
      "{\"h\":\"\(Phone.hex(.sha1, Phone.imei).prefix(20))\",\"i\":\"0\(Phone.hex(.md5, Phone.imei))\"}",
      "{\"h\":\"\(Phone.hex(.md5, Phone.imei).prefix(7))\",\"i\":\"\(Phone.hex(.md5, Phone.imei).prefix(9))\"}",
      // In base64 too, the number is a longer one.
      "{\"b\":\"\(Phone.base64("id=1490154203237518"))\",\"c\":\"\(Phone.base64("4901542032375180"))\"}",
      "{\"fingerprint\":\"mac 94:ce:c4:87:67:0f:aa:01:94:ce:c4:87:67:0f:aa:01\"}",
      "{\"img\":\"icon@2x.png\",\"css\":\"@media\",\"at\":\"a@b\",\"m\":\"..@x.example\"}",
    ]
  )
  func nothing(body: String) throws {
    let context = try makeContext()
    #expect(context.findings(body).map(\.line) == [])
    #expect(context.findings("q=" + body, [("Content-Type", "text/plain")]).map(\.line) == [])
  }

  @Test("Nothing is found in the fields of an ordinary request")
  func ordinaryHead() throws {
    let context = try makeContext()
    let head = request(
      "/search?ts=1408619348790&page=32&q=tide+table&seq=10513",
      [
        ("User-Agent", "okhttp/3.12.1"), ("Accept-Language", "zh-TW,zh;q=0.9"),
        ("If-Modified-Since", "Wed, 06 Aug 2014 08:11:00 GMT"),
        ("ETag", "\"1f44207d3dcb941ed76877fb28b31317\""),
        ("X-Request-Id", "0dc8f451-291b-40e6-9127-29aa08c0a254"),
        ("Cookie", "sess=c401e8c23ae94880af18acde; _ga=GA1.2.3428276226.4732920158"),
      ]
    )
    #expect(context.inspect(head: head, direction: .request).isEmpty)
  }

  @Test("Arbitrary bytes never trap, in any container or coding")
  func arbitraryBytes() throws {
    let context = try makeContext()
    var generator = SeededGenerator(state: 5)
    let alphabet = Array("{}[]\":,\\%u&=;@.-490154203237518e4:ABab+/".utf8)
    for round in 0..<300 {
      let bytes = (0..<Int.random(in: 0...300, using: &generator)).map { _ in
        round % 2 == 0
          ? alphabet.randomElement(using: &generator) ?? 0 : .random(in: 0...255, using: &generator)
      }
      for fields in [
        [], [("Content-Type", "application/x-www-form-urlencoded")], [("Content-Encoding", "gzip")],
        [("Content-Encoding", "deflate")], [("Content-Encoding", "br")],
      ] {
        _ = context.findings([Bytes(bytes)], fields)
      }
      let head = MessageHead(
        start: .request(method: "GET", target: Bytes(bytes)),
        fields: HeaderFields([("Cookie", Bytes(bytes).text)])
      )
      let findings = context.inspect(head: head, direction: .request)
      _ = context.redact(head: head, direction: .request, findings: findings)
    }
  }
}
