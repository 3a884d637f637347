import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct ShareSafeTests {
  private static let imei = "490154203237518"
  private let cases = CasesFolder()

  /// An export of everything, with what it holds in base64 opened.
  private func export(
    _ events: [FlowEvent],
    known: [ShareSafe.KnownValue] = []
  ) throws -> (text: String, safe: ShareSafe, reader: CaseReader) {
    let reader = try CaseReader(self.cases.record(events))
    var options = ExportOptions(toolVersion: "0.1.0")
    options.hasContents = true
    let safe = try ShareSafe.prepare(reader, known: known)
    options.shareSafe = safe
    let file = self.cases.path + "/safe.ndjson"
    try NDJSONExporter.export(reader, to: file, options: options)
    var text = String(decoding: try read(file), as: UTF8.self)
    for line in try read(file).split(separator: 0x0A) {
      let row = try #require(
        try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
      )
      for message in try #require(row["messages"] as? [[String: Any]]) {
        for member in [message["head"], (message["body"] as? [String: Any])?["data"]] {
          let data = (member as? String).flatMap { Data(base64Encoded: $0) } ?? Data()
          text += "\n" + String(decoding: data, as: UTF8.self)
        }
      }
    }
    return (text, safe, reader)
  }

  @Test("A value found in one flow is gone from every other, in every spelling that is known")
  func spellings() throws {
    let imei = Self.imei
    let base64 = Data(imei.utf8).base64EncodedString()
    let nested = Data("{\"id\":\"\(imei)\"}".utf8).base64EncodedString()
    let md5 = Hex.encode(Digest.md5.hash(Bytes(imei)))
    let sha256 = Hex.encode(Digest.sha256.hash(Bytes(imei))).uppercased()
    let spellings = [
      imei, "49 015420 323751 8", "49-015420-323751-8", base64, nested, md5, sha256,
      Hex.encode(Array(imei.utf8)), String(md5.prefix(16)),
    ]
    var events = try Play.exchange(1)
    for (index, spelling) in spellings.enumerated() {
      let number = UInt64(index + 2)
      events += try Play.exchange(
        number,
        request: Bytes(#"{"note":"see \#(spelling) there"}"#),
        findings: [],
        heads: (
          "POST /v1/report HTTP/1.1\r\nHost: a.example\r\nX-Note: \(spelling)\r\n"
            + "Content-Type: application/json\r\n\r\n",
          "HTTP/1.1 200 OK\r\n\r\n"
        )
      )
    }
    let text = try self.export(events).text
    for spelling in spellings { #expect(!text.contains(spelling), "\(spelling)") }
    #expect(text.contains(#"{"note":"see [imei#1] there"}"#))
    #expect(text.contains("X-Note: [imei#1]"))
  }

  @Test(
    "A value that nobody found is gone if the caller knows it, under the number of its findings"
  )
  func known() throws {
    var events = try Play.exchange(1)
    events += try Play.exchange(2, request: "tel=+886 912-345-678&q=0912345678", findings: [])
    let phone = ShareSafe.KnownValue(kind: "msisdn", value: "+886912345678")
    let imei = ShareSafe.KnownValue(kind: "imei", value: "490154203237518")
    let text = try self.export(events, known: [phone, imei]).text
    #expect(!text.contains("345-678") && !text.contains("912345678"))
    #expect(text.contains("[imei#1]") && !text.contains("imei#2"))
    #expect(text.contains("[msisdn#1]"))
  }

  @Test("Numbers are stable: the same value the same one, another value another")
  func numbers() throws {
    let second = Finding(
      kind: .imei,
      certainty: .certain,
      location: .body,
      direction: .request,
      path: "$.other",
      encoding: [],
      range: 35..<50,
      value: "356938035643809",
      inspector: "needles"
    )
    let body: Bytes =
      #"{"imei":"490154203237518","other":"356938035643809","again":490154203237518}"#
    let events = try Play.exchange(1, request: body, findings: [Play.finding(), second])
    let export = try self.export(events)
    #expect(
      export.text.contains(#"{"imei":"[imei#1]","other":"[imei#2]","again":"[imei#1]"}"#)
    )
    let found = try export.reader.findings()
    let values = try found.map { finding in
      try #require(JSONValue(Bytes(finding.json))?.object["value"]?.string)
    }
    #expect(
      values.map { export.safe.placeholder(kind: "imei", value: $0) } == ["[imei#1]", "[imei#2]"]
    )
  }

  @Test("A content in which a value's place is not known is withheld whole")
  func unmapped() throws {
    let beyond = Finding(
      kind: .email,
      certainty: .likely,
      location: .body,
      direction: .request,
      path: "",
      encoding: ["gzip", "base64"],
      range: 5_000..<5_020,
      value: "someone@vendor.example",
      inspector: "email"
    )
    let events = try Play.exchange(1, request: "c29tZW9uZUB2ZW5kb3I", findings: [beyond])
    let text = try self.export(events).text
    #expect(!text.contains("c29tZW9uZUB2ZW5kb3I"))
    #expect(text.contains("[withheld]"))
  }

  @Test("Cookies, credentials, devices and their addresses are not handed on; names of fields are")
  func credentials() throws {
    let events = try Play.exchange(
      1,
      request: "from 192.0.2.10",
      findings: [],
      heads: (
        "POST /v1 HTTP/1.1\r\nHost: a.example\r\nCookie: sid=hunter2; theme=dark\r\n"
          + "Authorization: Bearer open sesame\r\nX-Api-Key: hunter3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nSet-Cookie: sid=hunter2; Path=/; HttpOnly\r\n\r\n"
      )
    )
    let text = try self.export(events).text
    for secret in ["hunter2", "dark", "sesame", "hunter3", "redmi", "192.0.2.10"] {
      #expect(!text.contains(secret), "\(secret)")
    }
    #expect(text.contains("Cookie: sid=[cookie#") && text.contains("; theme=[cookie#"))
    #expect(text.contains("Authorization: Bearer [credential#"))
    #expect(text.contains("; Path=/; HttpOnly"))
    #expect(text.contains("from [device#1]"))
  }

  @Test("A trailer section has no start line: its first field is looked through as the others")
  func trailers() throws {
    var events = try Play.exchange(1)
    let trailers: Bytes = "x-first: 490154203237518\r\nx-second: 490154203237518\r\n\r\n"
    events.insert(.trailers(FlowID(1), .response, .original, trailers), at: events.count - 2)
    let reader = try CaseReader(self.cases.record(events))
    let safe = try ShareSafe.prepare(reader)
    let scrubbed = safe.scrubbed(head: trailers, of: FlowID(1), .response, isTrailer: true)
    #expect(scrubbed.text == "x-first: [imei#1]\r\nx-second: [imei#1]\r\n\r\n")
  }

  @Test("What looks like a key, a digest or an identifier is not handed on; words and times are")
  func tokens() throws {
    let scrubber = ShareSafeScrubber(key: Array(repeating: 7, count: 32))
    for token in [
      "550e8400-e29b-41d4-a716-446655440000", "d41d8cd98f00b204e9800998ecf8427e",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6", "466920123456789", "Kx8/v1Qp/9zT+aB3dE/f0g=",
      #"Kx8\/v1Qp\/9zT+aB3dE\/f0g="#,
    ] {
      let scrubbed = scrubber.scrub("a \(token) b", .json)
      #expect(scrubbed.contains("[token#"), "\(token)")
      #expect(!scrubbed.contains(token.prefix(5)) && !scrubbed.contains(token.suffix(6)))
    }
    for word in [
      "Mozilla/5.0 (Linux; Android 14)", "1795370645123", "application/octet-stream",
      "https://a.example/v1/report", "Mon, 23 Nov 2026 07:08:04 GMT", "internationalization",
    ] {
      #expect(scrubber.scrub(word) == word)
    }
    #expect(
      scrubber.scrub("--aBcDeF0123456789xyzQ") == "--" + scrubber.scrub("aBcDeF0123456789xyzQ")
    )
  }

  @Test("A placeholder leaves a URL a URL and a host a host")
  func places() throws {
    var scrubber = ShareSafeScrubber(key: [1])
    let value = scrubber.insert(.init(kind: "android_id", tag: "1"))
    scrubber.needles.insert("9774d56d682e549c".utf8, value)
    #expect(
      scrubber.scrub(url: "https://9774d56d682e549c.v.example:8443/p?id=9774D56D682E549C#x")
        == "https://android-id-1.v.example:8443/p?id=%5Bandroid_id%231%5D#x"
    )
    #expect(scrubber.scrub(#"{"a":"9774d56d682e549c"}"#, .json) == #"{"a":"[android_id#1]"}"#)
  }

  @Test("Short values go where they are whole words, and nowhere else")
  func short() {
    var scrubber = ShareSafeScrubber(key: [1])
    let value = scrubber.insert(.init(kind: "ssid", tag: "1"))
    scrubber.needles.insert("home".utf8, value)
    #expect(scrubber.scrub("at Home, homeless, home") == "at [ssid#1], homeless, [ssid#1]")
  }

  @Test("Without the case's secret values are still taken out by their bytes")
  func withoutSecret() throws {
    let path = try self.cases.record(Play.exchange(1))
    try FileManager.default.removeItem(atPath: path + "/secret")
    let known = ShareSafe.KnownValue(kind: "imsi", value: "466920123456789")
    let safe = try ShareSafe.prepare(CaseReader(path), known: [known])
    #expect(safe.text("x 490154203237518 y") == "x [imei#1] y")
    #expect(safe.text("466920123456789") == "[imsi#1]")
  }

  @Test("Each entry names its lines by their leaves, but those that a guess could be tried on")
  func origin() throws {
    let export = try self.export(Play.exchange(1) + Play.exchange(2))
    let lines = try logLines(export.reader.path)
    let rows = export.text.split(separator: "\n").prefix(2)
    var named = 0
    for row in rows {
      let object = JSONValue(Bytes(String(row)))?.object
      for line in object?["original"]?.object["lines"]?.array ?? [] {
        let number = try #require(line.array.first?.integer)
        guard let leaf = line.array.last?.string else { continue }
        let sum = Digest.sha256.hash([0x00] + lines[Int(number) - 1])
        #expect(leaf == Hex.encode(sum))
        named += 1
      }
    }
    // The hellos of these events have too few random bytes to hide anything.
    #expect(named == 0)
  }
}
