import Foundation
import Testing
import TideCoding
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct SearchTests {
  private let cases = CasesFolder()

  private func parse(_ text: String) throws(EvidenceFailure) -> FlowFilter {
    try FlowFilter.parse(
      text.split(separator: " ").map(String.init),
      at: Play.time(60_000),
      watched: ["XX"]
    )
  }

  private func numbers(_ reader: CaseReader, _ words: String) throws -> [UInt64] {
    try reader.flows(self.parse(words)).map(\.flow.number)
  }

  private static let hosts = ["api.vendor.example", "www.other.example", "cdn.third.example"]
  private static let agents = ["SDK/1.0", "sdk/2.0 (x)", "curl/8"]

  /// Flows that differ in all that a filter may ask.
  private func variety(_ count: UInt64, _ random: inout Seeded) throws -> [FlowEvent] {
    var events: [FlowEvent] = []
    for number in 1...count {
      let name = ["XX", "YY", "ZZ"].randomElement(using: &random) ?? ""
      let kinds: [FindingKind] = [.imei, .email, .imsi]
      let findings = (0..<Int.random(in: 0...2, using: &random)).map { _ in
        Finding(
          kind: kinds.randomElement(using: &random) ?? .imei,
          certainty: Certainty.allCases.randomElement(using: &random) ?? .certain,
          location: .body,
          direction: Bool.random(using: &random) ? .request : .response,
          path: "",
          encoding: [],
          range: 0..<3,
          value: "value",
          inspector: "test"
        )
      }
      let agent = Self.agents.randomElement(using: &random) ?? ""
      let host = Self.hosts.randomElement(using: &random) ?? ""
      events += try Play.exchange(
        number,
        host: host,
        device: Bool.random(using: &random) ? "redmi" : "tablet",
        region: Region(name: name, sets: name == "YY" ? ["clouds"] : [], countries: [name]),
        request: Bytes(String(repeating: "x", count: Int.random(in: 0...50, using: &random))),
        response: Bytes(String(repeating: "y", count: Int.random(in: 0...50, using: &random))),
        findings: findings,
        status: [200, 204, 404, 500].randomElement(using: &random) ?? 200,
        protocolName: Bool.random(using: &random) ? "h2" : "http/1.1",
        heads: (
          "POST /v1/report?n=\(number) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: \(agent)\r\n"
            + "X-Number: \(number % 7)\r\n\r\n",
          "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: "
            + "\(Bool.random(using: &random) ? "text/plain" : "application/json; a=b")\r\n\r\n"
        )
      )
    }
    return events
  }

  private static let words = [
    "device:tablet", "device:r*", "host:*.example", "host:*.vendor.example",
    "host:cdn.third.example",
    "ip:203.0.113.0/24", "ip:198.51.100.9", "ip:192.0.2.1", "port:443", "port:80", "region:XX",
    "region:clouds,ZZ", "region:watched", "asn:64500", "protocol:h2", "direction:request",
    "direction:response", "method:post", "method:GET", "path:/v1/*", "path:*port",
    "path:*a*b*c*d*e*",
    "path:/v1", "header.user-agent:sdk*", "header.user-agent:*s*d*k*/*2*", "header.server:nginx",
    "header.x-number:3", "header.none:*", "type:text/*", "type:application/json", "size:>=20",
    "size:<=10", "size:<1", "finding:imei", "finding:*", "finding:email,imsi", "certainty:certain",
    "certainty:likely,possible", "decided:redact", "decided:allow", "applied:log", "rule:ident*",
    "status:404", "status:2xx", "status:>=400", "treatment:intercepted", "treatment:refused",
    "since:57s", "until:57s", "since:2026-11-22T18:04:07Z",
  ]

  @Test(
    "What the index finds is what the filter itself lets through, flow by flow and finding by finding"
  )
  func agreesWithFilter() throws {
    var random = Seeded(seed: 6)
    let reader = try CaseReader(self.cases.record(self.variety(80, &random)))
    let flows = try reader.flows()
    let findings = try reader.findings()
    var details: [FlowID: FlowDetail] = [:]
    for flow in flows { details[flow.flow] = try reader.flow(flow.flow) }
    #expect(flows.count == 80 && findings.count > 40)
    for _ in 0..<600 {
      let words = (0..<Int.random(in: 1...4, using: &random)).map { _ in
        (Int.random(in: 0..<4, using: &random) == 0 ? "-" : "")
          + (Self.words.randomElement(using: &random) ?? "")
      }
      let filter = try FlowFilter.parse(words, at: Play.time(60_000), watched: ["XX"])
      let wanted = flows.filter { flow in
        filter.matches(flow)
          && details[flow.flow].map { Self.heads(of: $0, satisfy: filter) } == true
      }
      #expect(try reader.flows(filter).map(\.flow) == wanted.map(\.flow), "\(words)")
      let found = findings.filter { finding in
        guard let detail = details[finding.flow] else { return false }
        return filter.matches(finding, of: detail.record) && Self.heads(of: detail, satisfy: filter)
      }
      #expect(try reader.findings(filter).map(\.sequence) == found.map(\.sequence), "\(words)")
    }
  }

  /// Asks the heads themselves.
  private static func heads(of flow: FlowDetail, satisfy filter: FlowFilter) -> Bool {
    let direction = filter.terms.first { $0.key == .direction && !$0.isNegated }
    let heads = flow.messages.filter { message in
      message.stage == .original && direction?.accepts(message.direction.rawValue) != false
    }.map { RawHead($0.head) }
    return filter.terms.filter { $0.key == .header }.allSatisfy { term in
      let hasField = heads.contains { head in
        head.fields.contains { $0.name.lowercased() == term.field && term.accepts($0.value) }
      }
      return hasField != term.isNegated
    }
  }

  @Test(
    "A field with more values than a set has room for is found by each of them, before and after"
  )
  func manyValues() throws {
    var events: [FlowEvent] = []
    for number in 1...400 as ClosedRange<UInt64> {
      events += try Play.exchange(
        number,
        findings: [],
        heads: (
          "GET / HTTP/1.1\r\nX-Id: id-\(number)-\(number % 2)\r\nX-Long: \(String(repeating: "l", count: 600))\r\n\r\n",
          "HTTP/1.1 200 OK\r\n\r\n"
        )
      )
    }
    let reader = try CaseReader(self.cases.record(events))
    for number in [1, 255, 256, 257, 258, 400] as [UInt64] {
      #expect(try self.numbers(reader, "header.x-id:id-\(number)-*") == [number])
    }
    #expect(try self.numbers(reader, "header.x-id:*-1") == (1...400).filter { $0 % 2 == 1 })
    #expect(try self.numbers(reader, "-header.x-id:*-1") == (1...400).filter { $0 % 2 == 0 })
    #expect(try self.numbers(reader, "header.x-id:*i*d*-*7*-*1").contains(257))
    #expect(try self.numbers(reader, "header.x-long:ll*").count == 400)
    #expect(try self.numbers(reader, "header.x-id:* direction:response") == [])
  }

  @Test("text: finds words of heads and of decoded contents, wherever they are and however spelt")
  func text() throws {
    let json = #"{"name":"\u738b\u5c0f\u660e","note":"first\nsecond","n":"86-490154"}"#
    var events = try Play.exchange(
      1,
      request: Bytes(json),
      response: Gzip.encode("compressed words of an answer"),
      heads: (
        "POST /search?q=caf%C3%A9+noir HTTP/1.1\r\nContent-Type: application/json\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: text/plain\r\n\r\n"
      )
    )
    events += try Play.exchange(
      2,
      request: "user=%E7%8E%8B%E5%A4%A7&note=two+words",
      response: Bytes("\u{8B}PNG pretend pixels"),
      heads: (
        "POST /f HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n"
      )
    )
    events += try Play.exchange(
      3,
      request: Bytes([0, 1, 2] + Array("protobufvalue".utf8) + [8, 0x61, 0x62, 0]),
      response: "",
      heads: (
        "POST /p HTTP/1.1\r\nContent-Type: application/x-protobuf\r\nX-Note: Seldom\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nX-Early: tooearly\r\n\r\n"
      )
    )
    events.insert(
      .message(
        FlowID(3),
        .request,
        .original,
        SocketMessage(
          kind: .text,
          payload: "spoken over a socket",
          size: 20,
          frames: 1,
          isCompressed: false
        ),
        time: Play.time(350)
      ),
      at: events.count - 2
    )
    let reader = try CaseReader(self.cases.record(events))
    let wanted: [(String, [UInt64])] = [
      ("text:王小明", [1]), ("text:小明", [1]), ("text:王", [1, 2]), ("text:明小", []),
      ("text:second", [1]), ("text:nsecond", []), ("text:compressed", [1]), ("text:compress", []),
      ("text:compress*", [1]), ("text:WORDS", [1, 2]), ("text:words+of+an", [1]),
      ("text:of+words", []),
      ("text:café", [1]), ("text:CAFÉ+noir", [1]), ("text:86-490154", [1]), ("text:490154", [1]),
      ("text:pixels", []), ("text:protobufvalue", [3]), ("text:ab", []), ("text:seldom", [3]),
      ("text:tooearly", []), ("text:socket", [3]), ("text:socket,compressed", [1, 3]),
      ("-text:socket", [1, 2]), ("text:words device:redmi -text:compressed", [2]),
      ("text:nowhere", []),
    ]
    for (words, numbers) in wanted {
      #expect(try self.numbers(reader, words) == numbers, "\(words)")
      let filter = try self.parse(words)
      let shown = try reader.flows().filter { try reader.shows($0, filter) }
      #expect(shown.map(\.flow.number) == numbers, "shows \(words)")
    }
    #expect(try reader.findings(self.parse("text:socket")).map(\.flow.number) == [3])
    let failure = #expect(throws: EvidenceFailure.self) { try self.parse("text:***") }
    #expect(failure?.code == .badFilter)
  }

  @Test(
    "Words are runs of letters and digits, each character of Chinese, and nothing of what escapes them",
    arguments: [
      ("Hello, World-2", .plain, "hello world 2"), ("", .plain, ""), ("---", .plain, ""),
      ("ÀÉ naïve Ωmega", .plain, "àé naïve ωmega"), ("a王b 한국어", .plain, "a 王 b 한국어"),
      ("%41%e7%8e%8b+x%", .encoded, "a 王 x"), (#"\u0041\ud83d\ude00b\\n\u12"#, .json, "a b n 12"),
      ("ab abcd 12 12345", .binary, "abcd 12345"), ("a_b.c", .plain, "a b c"),
    ] as [(String, SearchText.Form, String)]
  )
  func words(text: String, form: SearchText.Form, wanted: String) {
    #expect(String(decoding: SearchText.words(of: Bytes(text), form), as: UTF8.self) == wanted)
  }

  @Test(
    "A word counts by its first 64 bytes, bytes that are no UTF-8 separate, and any bytes may come"
  )
  func oddWords() {
    let long = String(repeating: "x", count: 100)
    #expect(SearchText.words(of: Bytes(long + " y"), .plain).count == 64 + 2)
    let broken = Bytes([0x61, 0xFF, 0x62, 0xE7, 0x8E, 0x63, 0xF4, 0x90, 0x80, 0x80, 0x64])
    #expect(String(decoding: SearchText.words(of: broken, .plain), as: UTF8.self) == "a b c d")
    var random = Seeded(seed: 1)
    for _ in 0..<500 {
      let bytes = Bytes((0..<50).map { _ in UInt8.random(in: 0...255, using: &random) })
      for form in [.plain, .json, .encoded, .binary] as [SearchText.Form] {
        #expect(String(validating: SearchText.words(of: bytes, form), as: UTF8.self) != nil)
      }
    }
  }

  @Test(
    "An index made bit by bit is, all of it, the one that is made at once; one that lies is found out"
  )
  func rebuilt() throws {
    var random = Seeded(seed: 9)
    let events = try self.variety(40, &random)
    var settings = RecorderSettings()
    settings.segmentSize = 16_384
    let path = self.cases.path + "/test"
    var reader: CaseReader?
    // Cut anywhere: in the middle of flows too.
    var rest = events[...]
    while !rest.isEmpty {
      let recorder = try self.cases.recorder(settings: settings)
      let count = min(rest.count, Int.random(in: 1...60, using: &random))
      for event in rest.prefix(count) { _ = recorder.offer(event) }
      rest = rest.dropFirst(count)
      try recorder.close(seal: false)
      reader = try reader ?? CaseReader(path)
      _ = try reader?.flows()
    }
    #expect(try CaseIndex.check(path) == [])
    #expect(!FileManager.default.fileExists(atPath: path + "/flows.sqlite-check"))
    let report = try CaseIndex.rebuild(path)
    #expect(report.flows == 40 && report.size > 0)
    #expect(try CaseIndex.check(path) == [])
    // The index is a file like any other.
    var file = Data(try read(path + "/flows.sqlite"))
    let place = try #require(file.firstRange(of: Data("/v1/report?n=7&".utf8)))
    file[place.upperBound - 2] = 0x38
    try write(file, to: path + "/flows.sqlite")
    let differences = try CaseIndex.check(path)
    #expect(differences.contains { $0.contains(": missing: ") })
  }

  @Test("A flow's detail has what was replaced in it")
  func redactions() throws {
    var events = try Play.exchange()
    let change = RedactionRecord(
      kind: .imei,
      location: .body,
      path: "$.imei",
      range: 9..<24,
      pseudonym: "350000000000006"
    )
    events.insert(
      .redacted(FlowID(1), .request, [change], RuleID("identifiers"), time: Play.time(106)),
      at: events.count - 2
    )
    let detail = try CaseReader(self.cases.record(events)).flow(FlowID(1))
    #expect(detail.redactions.map(\.pseudonym) == ["350000000000006"])
  }

  @Test("Findings come from either end, over more than a page")
  func findingPages() throws {
    var events: [FlowEvent] = []
    for number in 1...700 as ClosedRange<UInt64> {
      events += try Play.exchange(number, device: number % 2 == 0 ? "tablet" : "redmi")
    }
    let reader = try CaseReader(self.cases.record(events))
    let filter = try self.parse("device:tablet")
    var seen: [UInt64] = []
    try reader.forEachFinding(filter, newestFirst: true) { finding, _ throws(EvidenceFailure) in
      seen.append(finding.flow.number)
      return seen.count < 3
    }
    #expect(seen == [700, 698, 696])
    #expect(try reader.findings(filter).count == 350)
    #expect(try reader.findings().count == 700)
  }
}
