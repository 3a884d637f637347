import Foundation
import Testing
import TideCoding
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct IndexTests {
  private let cases = CasesFolder()

  @Test(
    "A flow's JSON has the contract's members, in order, and what the enforcing modes would do"
  )
  func flowMembers() throws {
    let reader = try CaseReader(self.cases.record(Play.exchange()))
    let flow = try #require(try reader.flows().first)
    #expect(
      String(decoding: flow.json, as: UTF8.self) == """
        {"flow":"f-000001","device":"redmi","client":"192.0.2.10",\
        "started":"2026-11-22T18:04:05.104000Z","ended":"2026-11-22T18:04:05.160000Z",\
        "method":"POST","url":"https://api.vendor.example/v1/report?n=1&q=%22\\"",\
        "host":"api.vendor.example","sni":"api.vendor.example","port":443,"protocol":"http/1.1",\
        "address":"203.0.113.7","candidates":[{"address":"203.0.113.7","region":"XX"},\
        {"address":"198.51.100.9","region":"unknown"}],"region":"XX","treatment":"intercepted",\
        "status":200,"request_bytes":26,"response_bytes":9,"findings":1,"decided":"redact",\
        "applied":"log","rule":"identifiers","exposure":null,"error":null,\
        "shadow":{"redact":"redact","block":"redact"}}
        """
    )
    let finding = try #require(try reader.findings().first)
    let line = try read(reader.path + "/findings.ndjson").dropLast()
    #expect(finding.json == Array(line))
  }

  @Test("An index made while the case grows equals one made at the end")
  func incremental() throws {
    let path = self.cases.path + "/test"
    var settings = RecorderSettings()
    settings.segmentSize = 8_192
    var grown: CaseReader?
    for number in 1...12 as ClosedRange<UInt64> {
      let recorder = try EvidenceRecorder(
        case: self.cases.open(),
        settings: settings,
        log: { _ in }
      )
      for event in try Play.exchange(number) { _ = recorder.offer(event) }
      try recorder.close(seal: false)
      let reader = try grown ?? CaseReader(path)
      grown = reader
      #expect(try reader.flows().count == Int(number))
    }
    let incremental = try #require(grown)
    let flows = try incremental.flows().map(\.json)
    let findings = try incremental.findings().map(\.json)
    let detail = try incremental.flow(FlowID(7)).json
    try FileManager.default.removeItem(atPath: path + "/flows.sqlite")
    let rebuilt = try CaseReader(path)
    #expect(try rebuilt.flows().map(\.json) == flows)
    #expect(try rebuilt.findings().map(\.json) == findings)
    #expect(try rebuilt.flow(FlowID(7)).json == detail)
    #expect(findings.count == 12)
  }

  @Test("An index of another log, or one that is no database, is made anew")
  func foreignIndex() throws {
    let first = try self.cases.record(Play.exchange(1), name: "first")
    let second = try self.cases.record(Play.exchange(2) + Play.exchange(3), name: "second")
    #expect(try CaseReader(second).flows().count == 2)
    try write(try read(second + "/flows.sqlite"), to: first + "/flows.sqlite")
    #expect(try CaseReader(first).flows().map(\.flow.number) == [1])
    try write(
      Array("not a database, but long enough to be looked at".utf8),
      to: first + "/flows.sqlite"
    )
    #expect(try CaseReader(first).flows().map(\.flow.number) == [1])
  }

  @Test("A flow that is open is shown without an end, with what was found so far")
  func openFlow() throws {
    let reader = try CaseReader(self.cases.record(Array(Play.exchange().prefix(8))))
    let flow = try #require(try reader.flows().first)
    #expect(flow.ended == nil)
    #expect(flow.status == nil)
    #expect(flow.findings == 1)
    #expect(flow.decided == "redact")
  }

  @Test(
    "Flows come in pages, from either end, from any flow on, and the reader may be asked meanwhile"
  )
  func pages() throws {
    var events: [FlowEvent] = []
    for number in 1...1_203 as ClosedRange<UInt64> {
      events.append(
        try #require(
          try Play.exchange(number).first { if case .flowStarted = $0 { true } else { false } }
        )
      )
    }
    let reader = try CaseReader(self.cases.record(events))
    var seen: [UInt64] = []
    try reader.forEachFlow { flow throws(EvidenceFailure) in
      seen.append(flow.flow.number)
      if flow.flow.number == 600 { _ = try reader.flow(FlowID(1)) }
      return true
    }
    #expect(seen == Array(1...1_203))
    seen = []
    try reader.forEachFlow(after: FlowID(1_000), newestFirst: true) {
      flow throws(EvidenceFailure) in
      seen.append(flow.flow.number)
      return seen.count < 600
    }
    #expect(seen == Array((400...999).reversed()))
  }

  @Test("A flow's detail has its messages, contents, findings, notes and its connection's facts")
  func detail() throws {
    var events = try Play.exchange()
    events.insert(.note(FlowID(1), "not inspected to its end", time: Play.time(9)), at: 8)
    events.insert(.head(FlowID(1), .request, .sent, "POST /redacted HTTP/1.1\r\n\r\n"), at: 8)
    events.insert(.body(FlowID(1), .request, .sent, "{}"), at: 9)
    let reader = try CaseReader(self.cases.record(events))
    let detail = try reader.flow(FlowID(1))
    let request = try #require(detail.message(.request))
    #expect(request.head.text.hasPrefix("POST /v1/report?n=1 HTTP/1.1\r\nHost: api.vendor.example"))
    let body = try #require(request.body)
    #expect(try reader.body(body.sha256).text == #"{"imei":"490154203237518"}"#)
    #expect(body.isComplete && body.size == 26)
    #expect(detail.message(.request, .sent)?.body?.size == 2)
    #expect(detail.message(.response)?.body?.size == 9)
    #expect(detail.findings.map(\.kind) == ["imei"])
    #expect(detail.notes == ["not inspected to its end"])
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(detail.json)) as? [String: Any]
    )
    let connection = try #require(object["connection"] as? [[String: Any]])
    #expect(connection.map { $0["type"] as? String } == ["decided", "hello", "handshake"])
    #expect((object["messages"] as? [[String: Any]])?.count == 3)
    let chain = try #require((connection[2]["chain"] as? [String])?.first)
    #expect(try reader.body(chain) == "leaf certificate")
    let failure = #expect(throws: EvidenceFailure.self) { try reader.flow(FlowID(9)) }
    #expect(failure?.code == .notFound)
    for name in ["../../secret", String(repeating: "0", count: 64), ""] {
      #expect(throws: EvidenceFailure.self) { try reader.body(name) }
    }
  }

  @Test("A case that is being recorded can be read, and a torn last line waits for its end")
  func whileRecording() throws {
    let path = try self.cases.record(Play.exchange(1) + Play.exchange(2))
    let file = LogReader.path(of: 1, in: path)
    let whole = try read(file)
    let reader = try CaseReader(path)
    try write(whole.prefix(whole.count - 700), to: file)
    _ = try reader.flows()
    try write(whole, to: file)
    #expect(try reader.flows().map(\.ended) == CaseReader(path).flows().map(\.ended))
    #expect(try reader.flows().allSatisfy { $0.ended != nil })
    #expect(try reader.entries(ofType: "stop").count == 1)
    #expect(try reader.watched == ["XX"])
  }

  @Test("HAR has one entry for each exchange, which any JSON reader understands")
  func har() throws {
    var events = try Play.exchange(1)
    events += try Play.exchange(2, response: Bytes([0xFF, 0x00, 0x80]), status: 204)
    let path = try self.cases.record(events)
    let file = self.cases.path + "/out.har"
    let options = ExportOptions(toolVersion: "0.1.0")
    #expect(try HARExporter.export(CaseReader(path), to: file, options: options).flows == 2)
    let root = try #require(
      try JSONSerialization.jsonObject(with: Data(try read(file))) as? [String: Any]
    )
    let log = try #require(root["log"] as? [String: Any])
    #expect(log["version"] as? String == "1.2")
    let entries = try #require(log["entries"] as? [[String: Any]])
    #expect(entries.count == 2)
    let request = try #require(entries[0]["request"] as? [String: Any])
    #expect(request["method"] as? String == "POST")
    #expect(request["httpVersion"] as? String == "HTTP/1.1")
    #expect(
      (request["headers"] as? [[String: String]])?.first == [
        "name": "Host", "value": "api.vendor.example",
      ]
    )
    #expect((request["cookies"] as? [[String: String]])?.map { $0["name"] } == ["a", "c"])
    #expect(
      (request["queryString"] as? [[String: String]])?.last == ["name": "q", "value": "\"\""]
    )
    let post = try #require(request["postData"] as? [String: Any])
    #expect(post["text"] as? String == #"{"imei":"490154203237518"}"#)
    #expect(post["mimeType"] as? String == "application/json")
    let response = try #require(entries[0]["response"] as? [String: Any])
    #expect(response["status"] as? Int == 200)
    #expect(response["statusText"] as? String == "OK")
    #expect((response["content"] as? [String: Any])?["text"] as? String == "thank you")
    #expect(entries[0]["serverIPAddress"] as? String == "203.0.113.7")
    let binary = try #require(
      (entries[1]["response"] as? [String: Any])?["content"] as? [String: Any]
    )
    #expect(binary["text"] as? String == "/wCA")
    #expect(binary["encoding"] as? String == "base64")
    for name in ["startedDateTime", "time", "cache", "timings", "connection"] {
      #expect(entries[0][name] != nil)
    }
  }

  @Test("HAR decodes a gzip content and tells its size apart from the size on the wire")
  func gzipContent() throws {
    let text = String(repeating: "hello, reader ", count: 50)
    let coded = Gzip.encode(Bytes(text))
    var events = try Play.exchange(1, response: coded)
    let index = try #require(events.lastIndex { if case .head = $0 { true } else { false } })
    events[index] = .head(
      FlowID(1),
      .response,
      .original,
      "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-type: text/plain\r\n\r\n"
    )
    let path = try self.cases.record(events)
    let file = self.cases.path + "/out.har"
    let options = ExportOptions(toolVersion: "0.1.0")
    try HARExporter.export(CaseReader(path), to: file, options: options)
    let root = try JSONSerialization.jsonObject(with: Data(try read(file))) as? [String: Any]
    let entries = (root?["log"] as? [String: Any])?["entries"] as? [[String: Any]]
    let response = try #require(entries?.first?["response"] as? [String: Any])
    let content = try #require(response["content"] as? [String: Any])
    #expect(content["text"] as? String == text)
    #expect(content["size"] as? Int == text.utf8.count)
    #expect(response["bodySize"] as? Int == coded.count)
  }
}
