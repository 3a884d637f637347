import Foundation
import Testing
import TideCore

@testable import TideEvidence

@Suite struct HTTP2EvidenceTests {
  private let cases = CasesFolder()

  /// An exchange over HTTP/2, its heads as decoded field lines.
  private func exchange(
    _ protocolName: String = "h2",
    type: String = "application/json",
    request: Bytes = "{}",
    response: Bytes = "[]"
  ) throws -> [FlowEvent] {
    try Play.exchange(
      request: request,
      response: response,
      findings: [],
      protocolName: protocolName,
      heads: (
        ":method: POST\r\n:scheme: https\r\n:authority: api.vendor.example\r\n:path: /v1\r\n"
          + "content-type: \(type); charset=utf-8\r\ncookie: a=b\r\ncookie: c=d\r\n\r\n",
        ":status: 200\r\ncontent-type: \(type)\r\nlocation: /x:y\r\n\r\n"
      )
    )
  }

  private func entry(_ path: String) throws -> [String: Any] {
    let file = self.cases.path + "/out.har"
    var options = ExportOptions(toolVersion: "0.1.0")
    options.replaces = true
    try HARExporter.export(CaseReader(path), to: file, options: options)
    let root = try JSONSerialization.jsonObject(with: Data(try read(file))) as? [String: Any]
    let entries = (root?["log"] as? [String: Any])?["entries"] as? [[String: Any]]
    return try #require(entries?.first)
  }

  @Test("A head of HTTP/2 is read as well as one of HTTP/1: the type is found, HAR is as usual")
  func heads() throws {
    let path = try self.cases.record(self.exchange())
    let flow = try #require(try CaseReader(path).flows().first)
    #expect(flow.protocolName == "h2")
    #expect(flow.requestType == "application/json")
    #expect(flow.responseType == "application/json")
    let head = try #require(try CaseReader(path).flow(FlowID(1)).message(.request)?.head.text)
    #expect(head.hasPrefix(":method: POST\r\n:scheme: https\r\n"))
    let entry = try self.entry(path)
    let request = try #require(entry["request"] as? [String: Any])
    let response = try #require(entry["response"] as? [String: Any])
    #expect(request["httpVersion"] as? String == "HTTP/2")
    #expect(response["httpVersion"] as? String == "HTTP/2")
    #expect(response["statusText"] as? String == "")
    #expect(response["redirectURL"] as? String == "/x:y")
    let headers = try #require(request["headers"] as? [[String: String]])
    #expect(headers.compactMap { $0["name"] } == ["content-type", "cookie", "cookie"])
    #expect((request["cookies"] as? [[String: String]])?.map { $0["name"] } == ["a", "c"])
  }

  @Test("A gRPC message is exported as bytes, an event stream as text")
  func contents() throws {
    let path = try self.cases.record(
      self.exchange("grpc", type: "application/grpc", request: Bytes([0, 0, 0, 0, 1, 0x41]))
    )
    let request = try #require(try self.entry(path)["request"] as? [String: Any])
    #expect(request["httpVersion"] as? String == "HTTP/2")
    let post = try #require(request["postData"] as? [String: Any])
    #expect(post["text"] as? String == "AAAAAAFB")
    #expect(post["_encoding"] as? String == "base64")
    let events = try self.cases.record(
      self.exchange(type: "text/event-stream", response: "data: 1\n\n"),
      name: "events"
    )
    let response = try #require(try self.entry(events)["response"] as? [String: Any])
    #expect((response["content"] as? [String: Any])?["text"] as? String == "data: 1\n\n")
  }

  @Test("Without heads, as in observe mode, HAR names the version that the protocol implies")
  func observed() throws {
    var settings = RecorderSettings()
    settings.keepsBodies = false
    for (name, version) in [("h2", "HTTP/2"), ("http/1.1", "HTTP/1.1"), ("websocket", "")] {
      let path = try self.cases.record(
        self.exchange(name),
        name: name.filter { $0 != "/" },
        settings: settings
      )
      let request = try self.entry(path)["request"] as? [String: Any]
      #expect(request?["httpVersion"] as? String == version)
    }
  }

  @Test("What was not seen is a line, counted by kind, and shown with the connection's flows")
  func coverage() throws {
    func coverage(
      _ connection: UInt64,
      _ flow: UInt64?,
      _ kind: Coverage,
      _ detail: String
    )
      -> FlowEvent
    {
      .coverage(
        ConnectionID(connection),
        flow.map { FlowID($0) },
        kind,
        detail: detail,
        time: Play.time(20)
      )
    }
    var events = try Play.exchange(1) + Play.exchange(2)
    events.insert(coverage(1, 1, .alternativeService, "h3=\":443\""), at: 9)
    events.insert(coverage(2, nil, .alternativeService, "h3"), at: 20)
    events.insert(coverage(2, 2, .upgradeDropped, "h2c"), at: 20)
    let path = try self.cases.record(events)
    let lines = try logObjects(path).filter { $0["type"] as? String == "coverage" }
    #expect(lines.map { $0["flow"] as? String } == ["f-000001", "f-000002", nil])
    #expect(lines[0]["connection"] as? String == "c-000001")
    #expect(lines[0]["kind"] as? String == "alternative-service")
    #expect(lines[0]["detail"] as? String == "h3=\":443\"")
    let reader = try CaseReader(path)
    #expect(
      try reader.coverage() == [
        CoverageCount(kind: .alternativeService, count: 2, example: "h3=\":443\""),
        CoverageCount(kind: .upgradeDropped, count: 1, example: "h2c"),
      ]
    )
    #expect(
      try reader.flow(FlowID(2)).coverage.map(\.kind) == [.upgradeDropped, .alternativeService]
    )
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    let copy = try self.cases.copy("test", to: "copy")
    try? FileManager.default.removeItem(atPath: copy + "/flows.sqlite")
    #expect(try CaseReader(copy).coverage() == reader.coverage())
  }
}
