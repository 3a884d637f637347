import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct RecorderTests {
  @Test("Each line carries the hash that docs/evidence-format.md defines, from 64 zeros on")
  func chain() throws {
    let cases = CasesFolder()
    let path = try cases.record(Play.exchange())
    var previous = String(repeating: "0", count: 64)
    for (index, line) in try logLines(path).enumerated() {
      let text = String(decoding: line, as: UTF8.self)
      let cut = try #require(text.range(of: ",\"hash\":", options: .backwards))
      let wanted = Hex.encode(Digest.sha256.hash(Bytes(previous + text[..<cut.lowerBound])))
      #expect(text[cut.upperBound...] == "\"\(wanted)\"}")
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
      )
      #expect(object["seq"] as? Int == index + 1)
      #expect(object["prev"] as? String == previous)
      previous = wanted
    }
  }

  @Test("Every event becomes a line of its type, in order")
  func types() throws {
    let cases = CasesFolder()
    let path = try cases.record(Play.exchange())
    let types = try logObjects(path).map { $0["type"] as? String }
    #expect(
      types == [
        "start", "clock", "connection", "decided", "hello", "handshake", "flow-start", "head",
        "finding", "head", "body", "body", "flow-end", "connection-end", "stop", "tree-head",
      ]
    )
    let start = try logObjects(path)[6]
    #expect(start["flow"] as? String == "f-000001")
    #expect(start["url"] as? String == "https://api.vendor.example/v1/report?n=1&q=%22\"")
    #expect(start["time"] as? String == "2026-11-22T18:04:05.104000Z")
    #expect(start["address"] as? String == "203.0.113.7")
    #expect((start["candidates"] as? [[String: Any]])?.count == 2)
  }

  @Test("A case's files are for its owner alone")
  func permissions() throws {
    let cases = CasesFolder()
    let path = try cases.record(Play.exchange(), seal: .generate())
    let files = try #require(FileManager.default.enumerator(atPath: path))
    var count = 0
    for case let name as String in files {
      let attributes = try FileManager.default.attributesOfItem(atPath: path + "/" + name)
      let isFolder = attributes[.type] as? FileAttributeType == .typeDirectory
      #expect(attributes[.posixPermissions] as? Int == (isFolder ? 0o700 : 0o600), "\(name)")
      count += 1
    }
    #expect(count > 8)
  }

  @Test("A finding's value is kept only as an HMAC under the case's secret, in both places")
  func findings() throws {
    let cases = CasesFolder()
    let path = try cases.record(Play.exchange(request: "{}"))
    let secret = try read(path + "/secret")
    let wanted = "hmac:" + Hex.encode(HMAC.sha256(key: secret, "imei\u{0}490154203237518"))
    let line = try #require(try read(path + "/findings.ndjson").split(separator: 0x0A).first)
    let text = String(decoding: line, as: UTF8.self)
    #expect(
      text == """
        {"flow":"f-000001","time":"2026-11-22T18:04:05.105000Z","device":"redmi",\
        "url":"https://api.vendor.example/v1/report?n=1&q=%22\\"","direction":"request",\
        "region":"XX","address":"203.0.113.7","kind":"imei","certainty":"certain",\
        "location":"body","path":"$.d.imei","encoding":["plain"],"offset":9,"length":15,\
        "value":"\(wanted)","decided":"redact","applied":"log","rule":"identifiers"}
        """
    )
    let event = try #require(try logObjects(path).first { $0["type"] as? String == "finding" })
    #expect(event["value"] as? String == wanted)
    let log = try read(LogReader.path(of: 1, in: path))
    #expect(!String(decoding: log, as: UTF8.self).contains("490154203237518"))
  }

  @Test(
    "A body in any number of pieces is kept under its digest and reads back",
    arguments: [0, 1, 65_535, 65_536, 65_537, 300_000]
  )
  func bodies(size: Int) throws {
    let cases = CasesFolder()
    var generator = Seeded(seed: 7)
    let content = Bytes((0..<size).map { _ in UInt8.random(in: 0...63, using: &generator) })
    var events = try Array(Play.exchange().prefix(6))
    var start = 0
    while start < size {
      let end = min(size, start + Int.random(in: 1...40_000, using: &generator))
      events.append(.body(FlowID(1), .request, .original, content.slice(start..<end)))
      start = end
    }
    if size == 0 { events.append(.body(FlowID(1), .request, .original, content)) }
    events.append(try #require(try Play.exchange().dropLast().last))
    let path = try cases.record(events)
    let body = try #require(try logObjects(path).first { $0["type"] as? String == "body" })
    let digest = Hex.encode(Digest.sha256.hash(content))
    #expect(body["sha256"] as? String == digest)
    #expect(body["size"] as? Int == size)
    #expect(body["complete"] as? Bool == true)
    var reader = try BodyReader(root: path, sha256: digest)
    var whole = Bytes()
    while let part = try reader.next() { whole.append(part) }
    #expect(whole == content)
    #expect(try Folder.names(in: path + "/bodies/tmp").isEmpty)
  }

  @Test("A body is marked incomplete when its flow failed or was still open at the end")
  func incompleteBodies() throws {
    let cases = CasesFolder()
    var events = try Array(Play.exchange(1).prefix(7))
    events += try Array(Play.exchange(2).prefix(7))
    let failure = FlowFailure(.truncated, origin: .downstream, detail: "cut")
    events.append(
      .flowEnded(
        FlowEnd(
          flow: FlowID(1),
          time: Play.time(500),
          status: 0,
          requestBytes: 26,
          responseBytes: 0,
          findings: 0,
          verdict: .pass,
          exposure: nil,
          failure: failure
        )
      )
    )
    let path = try cases.record(events)
    let objects = try logObjects(path)
    let bodies = objects.filter { $0["type"] as? String == "body" }
    #expect(bodies.map { $0["flow"] as? String } == ["f-000001", "f-000002"])
    #expect(bodies.allSatisfy { $0["complete"] as? Bool == false })
    let end = try #require(objects.first { $0["type"] as? String == "flow-end" })
    #expect((end["error"] as? [String: String])?["code"] == "truncated")
  }

  @Test("In observe mode neither heads nor bodies are kept, findings are")
  func observe() throws {
    let cases = CasesFolder()
    var settings = RecorderSettings()
    settings.keepsBodies = false
    let path = try cases.record(Play.exchange(), settings: settings)
    let types = try logObjects(path).compactMap { $0["type"] as? String }
    #expect(!types.contains("head") && !types.contains("body"))
    #expect(types.contains("finding") && types.contains("flow-end"))
  }

  @Test("A large head goes to bodies/, a small one stands in its line")
  func largeHead() throws {
    let cases = CasesFolder()
    let large = Bytes("GET /" + String(repeating: "x", count: 5_000) + " HTTP/1.1\r\n\r\n")
    var events = try Array(Play.exchange().prefix(5))
    events.append(.head(FlowID(1), .request, .original, large))
    events.append(.head(FlowID(1), .response, .original, "HTTP/1.1 200 OK\r\n\r\n"))
    let path = try cases.record(events)
    let heads = try logObjects(path).filter { $0["type"] as? String == "head" }
    #expect(heads[0]["sha256"] as? String == Hex.encode(Digest.sha256.hash(large)))
    #expect(heads[0]["data"] == nil)
    #expect(
      heads[1]["data"] as? String == Base64.standard.encode("HTTP/1.1 200 OK\r\n\r\n" as Bytes)
    )
  }

  @Test("Marks and notes of the proxy's own are lines of their type")
  func marks() throws {
    let cases = CasesFolder()
    let recorder = try cases.recorder()
    recorder.mark("SIM inserted \u{1} “é”\n")
    recorder.note(type: "reload", fields: ["rules": "default.yaml"])
    try recorder.close(seal: false)
    let objects = try logObjects(cases.path + "/test")
    #expect(objects[2]["type"] as? String == "mark")
    #expect(objects[2]["text"] as? String == "SIM inserted \u{1} “é”\n")
    #expect(objects[3]["rules"] as? String == "default.yaml")
    #expect(recorder.statistics.events == 6)
  }

  @Test("A segment that is full is followed by one that begins with the counters")
  func rotation() throws {
    let cases = CasesFolder()
    var settings = RecorderSettings()
    settings.segmentSize = 8_192
    let events = try (1...20).flatMap { try Play.exchange($0) }
    let path = try cases.record(events, settings: settings)
    let segments = try LogReader(root: path).segments
    #expect(segments.count > 3)
    let first = try #require(try logObjects(path, segment: segments.count).first)
    #expect(first["type"] as? String == "segment")
    #expect(first["number"] as? Int == segments.count)
    #expect(try CaseVerifier.verify(path).outcome == .intact)
    let again = try cases.open()
    #expect(again.isContinued)
    #expect(again.nextFlowNumber == 21)
    #expect(again.nextConnectionNumber == 21)
    #expect(again.tail.findings == 20)
  }

  @Test("Many loops may offer at once: nothing is lost and each one's order is kept")
  func concurrentOffers() throws {
    let cases = CasesFolder()
    let recorder = try cases.recorder()
    DispatchQueue.concurrentPerform(iterations: 4) { loop in
      for index in 0..<2_000 {
        _ = recorder.offer(.note(FlowID(UInt64(loop + 1)), "\(index)", time: Play.time(0)))
      }
    }
    try recorder.close(seal: false)
    var next = [Int](repeating: 0, count: 5)
    for object in try logObjects(cases.path + "/test") where object["type"] as? String == "note" {
      let flow = try #require((object["flow"] as? String).flatMap { FlowID(text: $0) })
      #expect(object["text"] as? String == "\(next[Int(flow.number)])")
      next[Int(flow.number)] += 1
    }
    #expect(next == [0, 2_000, 2_000, 2_000, 2_000])
    #expect(try CaseVerifier.verify(cases.path + "/test").outcome == .intact)
  }
}

/// SplitMix64: the same numbers in every run.
struct Seeded: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { self.state = seed }

  mutating func next() -> UInt64 {
    self.state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = self.state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
