import Testing
import TideCoding
import TideCore
import TideCrypto

@testable import TideInspect

/// What was found by hand in 2014 (DETECTION.md section 1), in each place it can travel.
@Suite struct KnownAnswerTests {
  @Test("The registration of 2014 is seen in path, query, fields and cookies")
  func head() throws {
    let context = try makeContext()
    let head = request(
      "/pass/activate/dev/\(Phone.h(Phone.imei))/activating?imsi=\(Phone.h(Phone.imsi))"
        + "&type=MXPH&externalId=%2B886955555501&op=Formosa+Harbour%20Telecom",
      [
        ("X-Device-Id", Phone.hex(.sha1, Phone.imei)),
        ("Cookie", "theme=dark; phone=0912345678; d=\(Phone.base64(Phone.imei))"),
        ("Content-Length", "490154203237518"),
      ]
    )
    #expect(
      context.inspect(head: head, direction: .request).map(\.line) == [
        "imei certain path  cut16 base64url sha1",
        "imsi certain query imsi cut16 base64url sha1",
        "contact_phone certain query externalId",
        "carrier certain query op",
        "imei certain header x-device-id sha1",
        "msisdn certain cookie phone",
        "imei certain cookie d base64",
      ]
    )
  }

  @Test("Ranges count from the target's start, also in the query, and from the field's value")
  func ranges() throws {
    let context = try makeContext()
    let head = request("/a/\(Phone.imei)?x=\(Phone.imsi)", [("X-Id", "id=\(Phone.androidID)")])
    let findings = context.inspect(head: head, direction: .request)
    #expect(findings.map(\.range) == [3..<18, 21..<36, 3..<19])
    #expect(head.target.slice(findings[1].range) == Bytes(Phone.imsi))
    #expect(findings[1].value == Bytes(Phone.imsi))
  }

  @Test("JSON: the paths lead to the values, plain, hashed, escaped and in base64")
  func json() throws {
    let context = try makeContext()
    let body = """
      {"ts":1408097600528,"d":{"imei":["\(Phone.imei)",\(Phone.imsi)],"op":"\(Phone.carrier)"},
       "sim":{"iccid":"8988 6920 0000 0000 001","n":"+886 912-345-678"},
       "c":[{"n":"\(Phone.hanName)","p":"0955-555-501"},{"n":"\\u6797\\u6021\\u541b"}],
       "md5":"\(Phone.hex(.md5, Phone.imei).uppercased())",
       "mac":"\(Phone.hex(.md5, "E434F12F5B17"))",
       "cut":"\(Phone.hex(.md5, Phone.imei).dropFirst(8).prefix(16))",
       "b":"\(Phone.base64("{\"imei\":\"\(Phone.imei)\"}"))","t":"Re: \(Phone.sms)"}
      """
    #expect(
      context.findings(body).map(\.line) == [
        "imei certain body $.d.imei[0]", "imsi certain body $.d.imei[1]",
        "carrier certain body $.d.op", "iccid certain body $.sim.iccid",
        "msisdn certain body $.sim.n", "contact_name certain body $.c[0].n",
        "contact_phone certain body $.c[0].p", "contact_name certain body $.c[1].n",
        "imei certain body $.md5 md5", "wifi_mac certain body $.mac md5",
        "imei certain body $.cut cut16 md5", "imei certain body $.b > $.imei base64",
        "sms_text certain body $.t",
      ]
    )
  }

  @Test("Forms: the keys name the values; escapes and plus signs are seen through")
  func form() throws {
    let context = try makeContext()
    let body =
      "imei=\(Phone.imei)&op=Formosa+Harbour+Telecom&phone=%2b886912345678"
      + "&data=%7B%22i%22%3A%22\(Phone.imsi)%22%7D&n=%e6%9E%97%E6%80%A1%E5%90%9B"
      + "&mac=e4%3A34%3AF1%3A2f%3A5b%3A17&mail=mei.harbour77%40post.test&g="
      + "F863BFF5564848C0BE98B209E5C95708&twice=%252B886955555501"
    let type = [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")]
    #expect(
      context.findings(body, type).map(\.line) == [
        "imei certain body imei", "carrier certain body op", "msisdn certain body phone",
        "imsi certain body data > $.i", "contact_name certain body n", "wifi_mac certain body mac",
        "email certain body mail", "gaid certain body g",
        "contact_phone certain body twice percent",
      ]
    )
  }

  @Test(
    "Compressed JSON is decoded, and the coding is the outermost layer",
    arguments: [true, false]
  )
  func compressed(isGzip: Bool) throws {
    let context = try makeContext()
    let body = Gzip.encode(
      Bytes("{\"id\":\"\(Phone.hex(.sha256, Phone.own))\"}"),
      format: isGzip ? .gzip : .raw
    )
    let name = isGzip ? "gzip" : "deflate"
    let findings = context.findings([body], [("Content-Encoding", name)])
    #expect(findings.map(\.line) == ["msisdn certain body $.id \(name) sha256"])
    #expect(findings.first?.range == 7..<71)
  }

  @Test("A value is one finding, however many spellings and inspectors see it")
  func once() throws {
    let context = try makeContext()
    let body =
      "{\"phone\":\"+886912345678\",\"imei\":\"\(Phone.imei)\",\"email\":\"\(Phone.email)\"}"
    #expect(
      context.findings(body).map(\.line) == [
        "msisdn certain body $.phone", "imei certain body $.imei", "email certain body $.email",
      ]
    )
  }

  @Test("Base64 is found at each of its alignments, in both alphabets", arguments: 0..<3)
  func alignments(shift: Int) throws {
    let context = try makeContext()
    let text = String(repeating: "?", count: shift) + "~" + Phone.email + "~" + Phone.hanName + "~"
    for encoded in [Base64.standard, .url].map({ $0.encode(Array(text.utf8)) }) {
      let findings = context.findings("[\"\(encoded)\"]")
      #expect(findings.map(\.kind) == [.email, .contactName])
    }
  }

  @Test("Each digest of each spelling is found: whole or cut, hexadecimal or base64")
  func digests() throws {
    let context = try makeContext()
    let spellings = ["+886912345678", "886912345678", "00886912345678", "0912345678"]
    for spelling in spellings {
      for digest in [Digest.md5, .sha1, .sha256] {
        let bytes = digest.hash(Array(spelling.utf8))
        let hex = ASCII.hex(bytes)
        for text in [
          hex, hex.uppercased(), String(hex.prefix(16)), Base64.standard.encode(bytes),
          Base64.url.encode(bytes), String(Base64.url.encode(bytes).prefix(16)),
        ] {
          let findings = context.findings("{\"id\": \"\(text)\"}")
          #expect(findings.map(\.kind) == [.msisdn])
          #expect(findings.first?.encoding.last == digest.rawValue)
        }
      }
    }
  }
}
