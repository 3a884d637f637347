import Foundation
import Testing
import TideCoding
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct ExportTests {
  private let cases = CasesFolder()
  private var options: ExportOptions { ExportOptions(toolVersion: "0.1.0") }
  private var file: String { self.cases.path + "/out" }

  private func entries(_ path: String) throws -> [[String: Any]] {
    var options = self.options
    options.replaces = true
    try HARExporter.export(CaseReader(path), to: self.file, options: options)
    let root = try JSONSerialization.jsonObject(with: Data(try read(self.file))) as? [String: Any]
    return try #require((root?["log"] as? [String: Any])?["entries"] as? [[String: Any]])
  }

  @Test("Flows come in the order they began, though they end in another, and open ones come too")
  func order() throws {
    var events: [FlowEvent] = []
    var ends: [FlowEvent] = []
    for number in 1...3 as ClosedRange<UInt64> {
      for event in try Play.exchange(number) {
        switch event {
        case .flowEnded where number == 2: continue
        case .flowEnded, .connectionClosed: ends.insert(event, at: 0)
        default: events.append(event)
        }
      }
    }
    let path = try self.cases.record(events + ends)
    let flows = try self.entries(path).map { entry in
      (entry["_tidewaiter"] as? [String: Any])?["flow"] as? String
    }
    #expect(flows == ["f-000001", "f-000002", "f-000003"])
  }

  @Test("Flows that outlast a thousand others do not hold those up")
  func longFlow() throws {
    var events = try Play.exchange(1).filter {
      if case .flowEnded = $0 { false } else { true }
    }
    for number in 2...1_200 as ClosedRange<UInt64> {
      events += try Play.exchange(number, request: "", response: "", findings: [])
    }
    let path = try self.cases.record(events)
    let summary = try NDJSONExporter.export(CaseReader(path), to: self.file, options: self.options)
    #expect(summary.flows == 1_200)
    let first = try #require(try read(self.file).split(separator: 0x0A).first)
    #expect(String(decoding: first, as: UTF8.self).hasPrefix(#"{"flow":"f-000002""#))
  }

  @Test("A first flow's times are those of its connection's lines, in milliseconds")
  func timings() throws {
    let entry = try #require(try self.entries(self.cases.record(Play.exchange())).first)
    let timings = try #require(entry["timings"] as? [String: Double])
    // Connected at 100, decided at 101, hello at 102, secured at 103, begun at 104.
    #expect(timings["dns"] == -1)
    #expect(timings["connect"] == 2)
    #expect(timings["ssl"] == 1)
    #expect(timings["blocked"] == 2)
    #expect(entry["startedDateTime"] as? String == Play.time(100).rfc3339)
  }

  @Test("A content that is larger than a piece is the same byte for byte, as text and in base64")
  func large() throws {
    var bytes = [UInt8](repeating: 0x41, count: 3_000_001)
    for index in stride(from: 0, to: bytes.count, by: 7) { bytes[index] = 0xE6 }
    let text = Bytes(String(repeating: "日本\"語\n", count: 200_000))
    var events = try Play.exchange(1, request: text, response: Bytes(bytes), findings: [])
    events += try Play.exchange(2, findings: [])
    let entry = try #require(try self.entries(self.cases.record(events)).first)
    let post = (entry["request"] as? [String: Any])?["postData"] as? [String: Any]
    #expect(post?["text"] as? String == text.text)
    let content = (entry["response"] as? [String: Any])?["content"] as? [String: Any]
    #expect(content?["encoding"] as? String == "base64")
    let decoded = (content?["text"] as? String).flatMap { Data(base64Encoded: $0) }
    #expect(decoded.map(Array.init) == bytes)
  }

  @Test("A content that the case has no more is counted and said, and the rest is exported")
  func missing() throws {
    let path = try self.cases.record(Play.exchange())
    let digest = Hex.encode(Digest.sha256.hash(Bytes("thank you")))
    try FileManager.default.removeItem(atPath: path + "/" + BodyLayout.relativePath(digest))
    let summary = try HARExporter.export(CaseReader(path), to: self.file, options: self.options)
    #expect(summary.missing == 1)
    let warc = try WARCExporter.export(
      CaseReader(path),
      to: self.file + ".warc",
      options: self.options
    )
    #expect(warc.missing == 1)
    let text = String(decoding: try read(self.file + ".warc"), as: UTF8.self)
    #expect(text.contains("WARC-Truncated: unspecified"))
  }

  @Test("A file that is there stays as it is, and what failed leaves nothing behind")
  func existing() throws {
    let path = try self.cases.record(Play.exchange())
    try write(Array("mine".utf8), to: self.file)
    #expect(throws: EvidenceFailure.self) {
      try HARExporter.export(CaseReader(path), to: self.file, options: self.options)
    }
    #expect(try read(self.file) == Array("mine".utf8))
    #expect(throws: EvidenceFailure.self) {
      try HARExporter.export(CaseReader(path), to: path + "/x.har", options: self.options)
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: self.cases.path)
    #expect(!names.contains { $0.hasSuffix(".part") })
  }

  @Test("A summary's digest and size are those of the file")
  func summary() throws {
    let path = try self.cases.record(Play.exchange())
    let summary = try NDJSONExporter.export(CaseReader(path), to: self.file, options: self.options)
    let bytes = try read(self.file)
    #expect(summary.file.bytes == UInt64(bytes.count))
    #expect(summary.file.sha256 == Hex.encode(Digest.sha256.hash(bytes)))
  }

  @Test("Progress is told from the log's start to its end")
  func progress() throws {
    let path = try self.cases.record(Play.exchange())
    var states: [ExportProgress.State] = []
    let progress = ExportProgress { states.append($0) }
    try HARExporter.export(
      CaseReader(path),
      to: self.file,
      options: self.options,
      progress: progress
    )
    #expect(states.allSatisfy { (0...1).contains($0.fraction) && $0.step == "exporting" })
    #expect(!states.isEmpty)
  }

  @Test("A head of HTTP/2 becomes one of HTTP/1.1 for a web archive")
  func secondHead() throws {
    let flow = try #require(try self.flow(Play.exchange()))
    let head: Bytes = """
      :method: POST\r
      :scheme: https\r
      :authority: api.vendor.example\r
      :path: /v1?x=1\r
      cookie: a=b\r
      cookie: c=d\r
      content-type: text/plain\r
      \r

      """
    let made = WARCHead(head, flow.record, .request, contentSize: 5, isDecoded: false).bytes.text
    #expect(
      made
        == "POST /v1?x=1 HTTP/1.1\r\nHost: api.vendor.example\r\ncontent-type: text/plain\r\n"
        + "cookie: a=b; c=d\r\nContent-Length: 5\r\n\r\n"
    )
    let answer = WARCHead(
      ":status: 204\r\nx: y\r\n\r\n",
      flow.record,
      .response,
      contentSize: 0,
      isDecoded: false
    )
    #expect(answer.bytes.text == "HTTP/1.1 204 \r\nx: y\r\n\r\n")
  }

  @Test("A chunked message gets its length, and one without transfer coding is left to the byte")
  func framing() throws {
    let flow = try #require(try self.flow(Play.exchange()))
    let chunked: Bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA:  b\r\n\r\n"
    let made = WARCHead(chunked, flow.record, .response, contentSize: 7, isDecoded: false).bytes
    #expect(made.text == "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 7\r\n\r\n")
    let plain: Bytes = "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nA:  b\r\n\r\n"
    let same = WARCHead(plain, flow.record, .response, contentSize: 0, isDecoded: false).bytes
    #expect(same == plain)
  }

  @Test("Text is told from other bytes however it is cut")
  func text() {
    let text = Array("aé日🐙".utf8)
    for cut in 0...text.count {
      var check = TextCheck()
      check.take(Bytes(Array(text[..<cut])))
      check.take(Bytes(Array(text[cut...])))
      #expect(check.isText)
    }
    for wrong in [[0x61, 0x00], [0xFF], [0xE6, 0x97], [0xC3, 0x28]] as [[UInt8]] {
      var check = TextCheck()
      check.take(Bytes(wrong))
      #expect(!check.isText)
    }
  }

  @Test("gzip made piece by piece is one member after another, each of which decodes")
  func gzip() throws {
    var encoder = GzipEncoder()
    var whole: [UInt8] = []
    for member in ["first", String(repeating: "second ", count: 50_000)] {
      for piece in member.utf8.split(separator: 0x65, omittingEmptySubsequences: false) {
        whole += encoder.encode(Bytes(Array(piece)))
      }
      whole += encoder.finish()
    }
    let limits = DecodingLimits(decodedBytes: 1 << 20, ratio: 10_000)
    let decoded = try Gzip.decode(Bytes(whole), limits: limits)
    #expect(decoded.text == "first" + String(repeating: "scond ", count: 50_000))
  }

  private func flow(_ events: [FlowEvent]) throws -> ExportFlow? {
    let reader = try CaseReader(self.cases.record(events))
    var walk = try ExportWalk(reader, filter: .all, progress: nil)
    var found: ExportFlow?
    try walk.forEachFlow { found = $0 }
    return found
  }
}
