import Testing
import TideCore

@testable import TideEvidence

@Suite struct FlowFilterTests {
  private let cases = CasesFolder()

  private func parse(_ text: String) throws(EvidenceFailure) -> FlowFilter {
    try FlowFilter.parse(
      text.split(separator: " ").map(String.init),
      at: Play.time(60_000),
      watched: ["XX", "lab"]
    )
  }

  /// A case of three flows: 1 to a watched region, 2 to another one and plain, 3 without findings.
  private func reader() throws -> CaseReader {
    let yy = Region(name: "YY", sets: ["clouds"], countries: ["YY"])
    let likely = Finding(
      kind: .email,
      certainty: .likely,
      location: .query,
      direction: .response,
      path: "q",
      encoding: ["base64"],
      range: 0..<3,
      value: "a@b.example",
      inspector: "email"
    )
    let path = try self.cases.record(
      Play.exchange(1)
        + Play.exchange(
          2,
          host: "www.other.example",
          device: "tablet",
          region: yy,
          request: Bytes(String(repeating: "x", count: 3_000)),
          findings: [likely],
          status: 404
        )
        + Play.exchange(300, host: "cdn.third.example", request: "{}", findings: [])
    )
    return try CaseReader(path)
  }

  @Test(
    "Each word lets through the flows that it names",
    arguments: [
      ("", [1, 2, 300]), ("region:XX", [1, 300]), ("region:xx,YY", [1, 2, 300]),
      ("region:clouds", [2]), ("region:watched", [1, 300]), ("region:unknown", [1, 2, 300]),
      ("device:tablet", [2]), ("device:tab*", [2]), ("-device:tablet", [1, 300]),
      ("host:*.example", [1, 2, 300]), ("host:*.vendor.example", [1]), ("host:vendor.example", []),
      ("host:www.other.example host:cdn.third.example", [2, 300]),
      ("-host:*.other.example", [1, 300]),
      ("ip:203.0.113.0/24", [1, 2, 300]), ("ip:198.51.100.9", [1, 2, 300]), ("ip:192.0.2.1", []),
      ("port:443", [1, 2, 300]), ("port:80,8000-9000", []), ("asn:AS64500", [1, 300]),
      ("asn:1", []),
      ("protocol:http/1.1", [1, 2, 300]), ("method:post", [1, 2, 300]), ("method:GET", []),
      ("path:/v1/*", [1, 2, 300]), ("path:/v1", []), ("type:application/json", [1, 2, 300]),
      ("type:text/*", [1, 2, 300]), ("type:image/*", []), ("type:text/* direction:request", []),
      ("size:>=2KiB", [2]), ("size:>1 size:<=26", [1, 2, 300]),
      ("size:>=26 direction:request", [1, 2]), ("size:<=9 direction:response", [1, 2, 300]),
      ("finding:imei", [1]), ("finding:imei,email", [1, 2]), ("finding:*", [1, 2]),
      ("-finding:imei", [2, 300]), ("-finding:*", [300]), ("certainty:likely", [2]),
      ("finding:imei certainty:likely", []), ("finding:email direction:request", []),
      ("finding:email direction:response", [2]), ("decided:redact", [1, 2]),
      ("decided:allow", [300]),
      ("applied:log", [1, 2]), ("rule:identifiers", [1, 2]), ("-rule:ident*", [300]),
      ("status:404", [2]), ("status:4xx", [2]), ("status:>=300", [2]),
      ("status:200-299", [1, 300]),
      ("treatment:intercepted", [1, 2, 300]), ("treatment:refused", []), ("since:40s", [300]),
      ("until:40s", [1, 2]), ("since:2026-11-22T18:04:05.200Z until:2026-11-22T18:04:06Z", [2]),
      ("since:2026-11-22", [1, 2, 300]), ("since:2026-11-22T18:05", []),
      ("region:XX finding:imei -host:*.third.example since:10m", [1]),
    ] as [(String, [UInt64])]
  )
  func words(text: String, wanted: [UInt64]) throws {
    let flows = try self.reader().flows(self.parse(text))
    #expect(flows.map(\.flow.number) == wanted)
  }

  @Test(
    "For findings, words about findings ask of the finding and the others of its flow",
    arguments: [
      ("", ["imei", "email"]), ("finding:imei", ["imei"]), ("direction:response", ["email"]),
      ("device:tablet", ["email"]), ("certainty:certain region:XX", ["imei"]),
      ("-finding:imei", ["email"]), ("since:59s until:2m", []), ("applied:log", ["imei", "email"]),
      ("status:404", ["email"]), ("since:59830ms", nil), ("since:59s", []),
    ] as [(String, [String]?)]
  )
  func findings(text: String, wanted: [String]?) throws {
    guard let wanted else {
      #expect(throws: EvidenceFailure.self) { try self.parse(text) }
      return
    }
    #expect(try self.reader().findings(self.parse(text)).map(\.kind) == wanted)
  }

  @Test(
    "What has no meaning is refused with the word and what was meant",
    arguments: [
      ("imei", "key:value"), ("finding:", "missing"), ("regoin:XX", "did you mean `region`?"),
      ("zzzzzz:1", "keys: device host"), ("ip:300.1.1.1", "no address"), ("port:0x10", "number"),
      ("port:99999", "65535"), ("port:9-3", "range"), ("size:big", ">=256KiB"),
      ("size:99999999999999999999", "size"), ("size:18446744073709551615GiB", "size"),
      ("certainty:certian", "did you mean `certain`?"), ("decided:maybe", "allow, log, redact"),
      ("since:yesterday", "10m"), ("status:9999", "999"), ("-direction:up", "request, response"),
    ]
  )
  func refused(word: String, clue: String) throws {
    let failure = #expect(throws: EvidenceFailure.self) { try self.parse(word) }
    #expect(failure?.code == .badFilter)
    #expect(failure?.detail.contains("`\(word)`") == true)
    #expect(failure?.detail.contains(clue) == true, "\(failure?.detail ?? "")")
  }

  @Test("A pattern's stars match any run, also none, without blowing up")
  func patterns() {
    func matches(_ text: String, _ pattern: String) -> Bool {
      Pattern.matches(text.utf8, pattern.utf8)
    }
    #expect(matches("/a/b/c", "/a/*") && matches("/a/", "/a/*") && matches("x", "*"))
    #expect(matches("ABC", "*b*") && matches("aXbXc", "a*b*c") && !matches("aXbXd", "a*b*c"))
    #expect(!matches("a", "") && matches("", "**"))
    let long = String(repeating: "a", count: 2_000)
    #expect(!matches(long, String(repeating: "a*", count: 20) + "b"))
  }

  @Test("Times are read back as they were written, and nothing else is a time")
  func times() {
    for nanoseconds in [0, 1_795_370_645_123_456_000, -86_400_000_000_000, 951_782_400_000_000_000]
    {
      let time = WallTime(nanoseconds: Int64(nanoseconds))
      #expect(WallTime(rfc3339: time.rfc3339) == time)
    }
    for text in ["", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00", "x"] {
      #expect(WallTime(rfc3339: text) == nil)
    }
  }

  @Test(
    "A word about a header asks the heads of the flow, of both ways or of the one that is named"
  )
  func headers() throws {
    let plain =
      "GET / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: VendorSDK/2.1\r\nX: 1\r\nX: 2\r\n\r\n"
    let answer = "HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n"
    let second = ":method: GET\r\n:path: /\r\nuser-agent: curl/8\r\n"
    let path = try self.cases.record(
      Play.exchange(1, heads: (plain, answer))
        + Play.exchange(2, protocolName: "h2", heads: (second, ":status: 200\r\nserver: x\r\n"))
    )
    let reader = try CaseReader(path)
    func flows(_ words: String) throws -> [UInt64] {
      let filter = try self.parse(words)
      let shown = try reader.flows(filter).map(\.flow.number)
      #expect(
        try reader.flows().filter { try reader.shows($0, filter) }.map(\.flow.number) == shown
      )
      return shown
    }
    #expect(try flows("header.user-agent:*sdk*") == [1])
    #expect(try flows("header.User-Agent:vendorsdk/*,curl*") == [1, 2])
    #expect(try flows("header.user-agent:vendorsdk/* header.user-agent:curl*") == [1, 2])
    #expect(try flows("header.x:2") == [1])
    #expect(try flows("-header.x:*") == [2])
    #expect(try flows("header.server:*") == [1, 2])
    #expect(try flows("header.server:* direction:request") == [])
    #expect(try flows("header.server:nginx direction:response") == [1])
    #expect(try flows("header.user-agent:* header.x:1") == [1])
    #expect(try flows("header.user-agent:* protocol:h2") == [2])
    #expect(try reader.findings(self.parse("header.x:1")).map(\.flow.number) == [1])
    #expect(throws: EvidenceFailure.self) { try self.parse("header:x") }
    #expect(throws: EvidenceFailure.self) { try self.parse("header.:x") }
  }
}
