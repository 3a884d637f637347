import Foundation
import Testing
import TideCoding
import TideCore
import TideCrypto

@testable import TideInspect

@Suite struct RedactionTests {
  private static let body = """
    {"ts":1408097600528,"d":{"imei":["\(Phone.imei)",\(Phone.imsi)],"op":"\(Phone.carrier)"},
     "sim":{"iccid":"8988 6920 0000 0000 001","n":"+886 912-345-678","id":\(Phone.iccid)},
     "c":[{"n":"\(Phone.hanName)","p":"0955-555-501"},{"n":"\\u6797\\u6021\\u541b"}],
     "md5":"\(Phone.hex(.md5, Phone.imei).uppercased())","h":"\(Phone.h(Phone.imsi))",
     "mac":"E4-34-F1-2F-5B-17","a":"\(Phone.androidID.uppercased())","g":"\(Phone.gaid)",
     "cut":"\(Phone.hex(.md5, Phone.imei).dropFirst(8).prefix(16))",
     "b":"\(Phone.base64("{\"imei\":\"\(Phone.imei)\",\"n\":\"\(Phone.hanName)\"}"))",
     "x":"\(ASCII.hex(Array(Phone.imei.utf8)))","mail":"\(Phone.email)","t":"Re: \(Phone.sms)"}
    """

  private func redact(
    _ context: InspectionContext,
    _ body: Bytes,
    _ fields: [(String, String)] = []
  ) -> RedactedBody? {
    context.redact(
      body: body,
      head: request("/", fields),
      direction: .request,
      findings: context.findings([body], fields)
    )
  }

  @Test("A redacted body has its length and its JSON, and none of the values")
  func json() throws {
    let context = try makeContext()
    let body = Bytes(Self.body)
    let result = try #require(self.redact(context, body))
    #expect(result.changes.count == context.findings([body]).count)
    #expect(result.changes.count == 20)
    #expect(result.body.count == body.count)
    #expect(Self.valuesLeft(context, result.body, of: body).isEmpty)
    // The same keys and the same types of leaves, in Foundation's eyes.
    let before = try JSONSerialization.jsonObject(with: Data(body.array))
    let after = try JSONSerialization.jsonObject(with: Data(result.body.array))
    #expect(Self.shape(before) == Self.shape(after))
    // Every byte outside the findings is as it was.
    var position = 0
    // Values inside one layer have its place.
    for change in result.changes where change.range.lowerBound >= position {
      #expect(
        body.slice(position..<change.range.lowerBound)
          == result.body.slice(position..<change.range.lowerBound)
      )
      position = change.range.upperBound
    }
    #expect(body.dropping(first: position) == result.body.dropping(first: position))
  }

  @Test("Digests become digests of the pseudonym, base64 becomes base64 of it, in the same case")
  func encodings() throws {
    let context = try makeContext()
    let result = try #require(self.redact(context, Bytes(Self.body)))
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(result.body.array)) as? [String: Any]
    )
    let d = try #require(object["d"] as? [String: Any])
    let list = try #require(d["imei"] as? [Any])
    let imei = try #require(list[0] as? String)
    #expect(imei.count == 15 && imei != Phone.imei)
    #expect(Luhn.checkDigit(after: imei.utf8.dropLast().map { $0 }) == imei.utf8.last)
    #expect(object["md5"] as? String == Phone.hex(.md5, imei).uppercased())
    #expect(object["cut"] as? String == String(Phone.hex(.md5, imei).dropFirst(8).prefix(16)))
    #expect(object["h"] as? String == Phone.h("\(list[1])"))
    #expect(object["x"] as? String == ASCII.hex(Array(imei.utf8)))
    let inner = try #require((object["b"] as? String).flatMap { Data(base64Encoded: $0) })
    let leaf = try #require(try JSONSerialization.jsonObject(with: inner) as? [String: String])
    let contacts = try #require(object["c"] as? [[String: String]])
    #expect(leaf == ["imei": imei, "n": contacts[0]["n"] ?? ""])
    #expect(contacts[1]["n"] == contacts[0]["n"])
    #expect((object["mac"] as? String)?.uppercased() == object["mac"] as? String)
  }

  @Test("Forms keep their escapes and their length")
  func form() throws {
    let context = try makeContext()
    let body = Bytes(
      "op=Formosa+Harbour+Telecom&p=%2b886912345678&n=%e6%9E%97%E6%80%A1%E5%90%9B"
        + "&m=e4%3A34%3AF1%3A2f%3A5b%3A17&mail=mei.harbour77%40post.test&u=someone%40post.test"
    )
    let result = try #require(self.redact(context, body))
    #expect(result.changes.count == 6)
    #expect(result.body.count == body.count)
    #expect(context.findings([result.body]).isEmpty)
    let text = result.body.text
    #expect(text.contains("&p=%2b88694"))
    #expect(text.split(separator: "&").suffix(2).allSatisfy { $0.contains("%40") })
    #expect(!text.contains("post.test"))
    #expect(
      text.split(separator: "&").map { $0.prefix { $0 != "=" } } == [
        "op", "p", "n", "m", "mail", "u",
      ]
    )
  }

  @Test(
    "A compressed body is decoded, replaced and compressed again",
    arguments: ["gzip", "deflate"]
  )
  func compressed(coding: String) throws {
    let context = try makeContext()
    let plain = Bytes(Self.body)
    let format: DeflateFormat = coding == "gzip" ? .gzip : .zlib
    let fields = [("Content-Encoding", coding)]
    let result = try #require(self.redact(context, Gzip.encode(plain, format: format), fields))
    let limits = DecodingLimits(decodedBytes: 1 << 20, ratio: 100)
    let decoded = try Gzip.decode(result.body, format: format, limits: limits)
    #expect(decoded == self.redact(context, plain)?.body)
    #expect(Self.valuesLeft(context, decoded, of: plain).isEmpty)
  }

  @Test("A head keeps its length and every other byte; its raw bytes are gone")
  func head() throws {
    let context = try makeContext()
    let made = request(
      "/dev/\(Phone.h(Phone.imei))/\(Phone.imei)?imsi=\(Phone.imsi)&x=1&p=%2B886912345678",
      [
        ("X-Device-Id", "id=\(Phone.imei);v=2"), ("Accept", "*/*"),
        ("Cookie", "theme=dark; d=\(Phone.base64(Phone.imei)); m=\(Phone.mac)"),
        ("Authorization", "Basic \(Phone.base64(Phone.email + ":secret"))"),
      ]
    )
    let head = MessageHead(
      start: made.start,
      fields: made.fields,
      raw: "GET the values as they were"
    )
    let findings = context.inspect(head: head, direction: .request)
    #expect(findings.count == 8)
    let result = try #require(
      context.redact(head: head, direction: .request, findings: findings)
    )
    #expect(result.changes.count == 8)
    #expect(result.head.raw.isEmpty)
    // A pseudonym under a name may well be found as one: what counts is that no value is left.
    let left = Set(context.inspect(head: result.head, direction: .request).map { Seen($0) })
    #expect(left.isDisjoint(with: findings.map { Seen($0) }))
    #expect(result.head.target.count == head.target.count)
    #expect(!result.head.fields.buffer.text.contains(Phone.imei))
    for index in 0..<head.fields.count {
      #expect(result.head.fields.name(at: index) == head.fields.name(at: index))
      #expect(result.head.fields.value(at: index).count == head.fields.value(at: index).count)
    }
    let basic = String(
      decoding: result.head.fields.first("authorization") ?? Bytes(),
      as: UTF8.self
    )
    let decoded = Data(base64Encoded: String(basic.dropFirst(6))).map {
      String(decoding: $0, as: UTF8.self)
    }
    #expect(decoded?.hasSuffix(":secret") == true)
    #expect(decoded?.count == Phone.email.count + 7)
  }

  @Test("Only what is asked for is replaced")
  func someOnly() throws {
    let context = try makeContext()
    let body = Bytes("{\"imei\":\"\(Phone.imei)\",\"imsi\":\"\(Phone.imsi)\"}")
    let findings = context.findings([body]).filter { $0.kind == .imsi }
    let result = try #require(
      context.redact(body: body, head: request(), direction: .request, findings: findings)
    )
    #expect(result.changes.map(\.kind) == [.imsi])
    #expect(result.changes.map(\.path) == ["$.imsi"])
    let left = Set(context.findings([result.body]).map(\.value))
    #expect(left.contains(Bytes(Phone.imei)) && !left.contains(Bytes(Phone.imsi)))
    let none = context.redact(body: body, head: request(), direction: .request, findings: [])
    #expect(none?.body == body)
  }

  @Test("What cannot be redacted soundly is not redacted at all")
  func unsound() throws {
    let context = try makeContext()
    let body = Bytes("{\"imei\":\"\(Phone.imei)\"}")
    let findings = context.findings([body])
    // One of its places stands for the value: it is replaced in all of them.
    let twice = Bytes("{\"imei\":\"\(Phone.imei)\",\"md5\":\"\(Phone.hex(.md5, Phone.imei))\"}")
    for finding in context.findings([twice]) {
      let result = context.redact(
        body: twice,
        head: request(),
        direction: .request,
        findings: [finding]
      )
      #expect(result?.changes.map(\.path) == ["$.imei", "$.md5"])
    }
    // A finding that is not there, an unknown coding, a damaged body, the server's own name.
    #expect(
      context.redact(body: "{}", head: request(), direction: .request, findings: findings) == nil
    )
    for coding in ["br", "gzip", "gzip, gzip"] {
      let head = request("/", [("Content-Encoding", coding)])
      #expect(context.redact(body: body, head: head, direction: .request, findings: []) == nil)
    }
    let host = MessageHead(
      start: .request(method: "GET", target: "/"),
      fields: HeaderFields([("Host", "\(Phone.androidID).tracker.example")])
    )
    let found = context.inspect(head: host, direction: .request)
    #expect(found.map(\.kind.name) == ["android_id"])
    #expect(context.redact(head: host, direction: .request, findings: found) == nil)
    let absolute = request("http://\(Phone.androidID).tracker.example/x")
    let target = context.inspect(head: absolute, direction: .request)
    #expect(target.count == 1)
    #expect(context.redact(head: absolute, direction: .request, findings: target) == nil)
  }

  @Test("Values that patterns find are replaced in their own spelling")
  func patterns() throws {
    let context = try makeContext([])
    let body = Bytes(
      "{\"imei\":353918057012342,\"bssid\":\"94-CE-C4-87-67-0F\",\"mail\":\"Some.One%40post.test\"}"
    )
    #expect(context.findings([body]).map(\.kind.name) == ["imei", "bssid", "email"])
    let result = try #require(self.redact(context, body))
    #expect(result.body.count == body.count)
    let text = result.body.text
    #expect(text.contains("\"imei\":47"))
    #expect(text.contains("%40"))
    #expect(!text.contains("353918057012342") && !text.contains("94-CE") && !text.contains("post"))
    #expect(result.changes[1].pseudonym.count == 12)
  }

  /// The values of `original` that are still in `body`; a pseudonym may well look like a value.
  private static func valuesLeft(
    _ context: InspectionContext,
    _ body: Bytes,
    of original: Bytes
  ) -> Set<Bytes> {
    Set(context.findings([original]).map(\.value))
      .intersection(context.findings([body]).map(\.value))
  }

  private static func shape(_ value: Any) -> String {
    switch value {
    case let object as [String: Any]:
      "{"
        + object.sorted { $0.key < $1.key }.map { $0.key + ":" + self.shape($0.value) }
        .joined(separator: ",") + "}"
    case let list as [Any]: "[" + list.map(self.shape).joined(separator: ",") + "]"
    case is String: "s"
    default: "n"
    }
  }
}
