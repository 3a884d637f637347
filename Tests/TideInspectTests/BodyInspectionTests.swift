import Testing
import TideCoding
import TideCore

@testable import TideInspect

@Suite struct BodyInspectionTests {
  private func inspection(
    _ context: InspectionContext,
    _ fields: [(String, String)] = []
  ) throws -> BodyInspection {
    try #require(context.makeBodyInspection(head: request("/", fields), direction: .request))
  }

  @Test("An unknown coding is inspected as it is, and said so")
  func unknownCoding() throws {
    let context = try makeContext()
    let inspection = try self.inspection(context, [("Content-Encoding", "compress")])
    var findings: [Finding] = []
    inspection.receive(Bytes("raw \(Phone.imei) raw"), &findings)
    inspection.finish(&findings)
    #expect(findings.map(\.line) == ["imei certain body $[1]"])
    #expect(inspection.isIncomplete && !inspection.isOverLimit)
    #expect(inspection.notes == ["unknown content coding compress: inspected as it is"])
  }

  @Test("Beyond the limit on decoded bytes nothing is searched, in plain and in coded bodies")
  func decodedLimit() throws {
    var limits = Limits()
    limits.decodedBytes = 2_000
    let context = try makeContext(limits: limits)
    let filler = String(repeating: "abcdefgh ", count: 300)
    for body in [Bytes("\(Phone.imsi) \(filler)\(Phone.imei)")] {
      for (bytes, fields) in [(body, []), (Gzip.encode(body), [("Content-Encoding", "gzip")])] {
        let inspection = try self.inspection(context, fields)
        var findings: [Finding] = []
        inspection.receive(bytes, &findings)
        inspection.finish(&findings)
        #expect(findings.map(\.kind) == [.imsi])
        #expect(inspection.isOverLimit && inspection.isIncomplete)
        #expect(inspection.notes.count == 1)
        #expect(inspection.releasable == UInt64(bytes.count))
        let head = request("/", fields)
        #expect(
          context.redact(body: bytes, head: head, direction: .request, findings: findings) == nil
        )
      }
    }
  }

  @Test("A decompression bomb stops the inspection before it is unpacked")
  func bomb() throws {
    let context = try makeContext()
    let inspection = try self.inspection(context, [("Content-Encoding", "gzip")])
    var findings: [Finding] = []
    inspection.receive(Gzip.encode(Bytes([UInt8](repeating: 0x20, count: 6 << 20))), &findings)
    inspection.finish(&findings)
    #expect(inspection.isOverLimit)
    #expect(
      inspection.notes == ["inspection stopped: more than 100 decoded bytes per encoded byte"]
    )
  }

  @Test("A cut or damaged body keeps what was found and is incomplete, but over no limit")
  func damaged() throws {
    let context = try makeContext()
    let whole = Gzip.encode(Bytes("{\"imei\":\"\(Phone.imei)\"}"))
    let cut = try self.inspection(context, [("Content-Encoding", "gzip")])
    var findings: [Finding] = []
    cut.receive(whole.slice(0..<whole.count - 4), &findings)
    cut.finish(&findings)
    #expect(findings.map(\.kind) == [.imei])
    #expect(cut.isIncomplete && !cut.isOverLimit)
    let plain = try self.inspection(context, [("Content-Encoding", "gzip")])
    findings = []
    plain.receive("this is not gzip", &findings)
    plain.receive("nor is this", &findings)
    plain.finish(&findings)
    #expect(plain.isIncomplete && plain.notes == ["inspection stopped: not gzip"])
  }

  @Test("A flood of findings ends at its limit")
  func flood() throws {
    let context = try makeContext()
    let inspection = try self.inspection(context)
    var findings: [Finding] = []
    let body = Bytes(String(repeating: "\(Phone.imei),", count: 6_000))
    inspection.receive(body, &findings)
    inspection.finish(&findings)
    #expect(findings.count == BodyInspection.mostFindings)
    #expect(inspection.isOverLimit)
  }

  @Test("Nobody reads a response's film, nor anything without needles and inspectors")
  func nobody() throws {
    let context = try makeContext()
    let film = MessageHead(
      start: .response(status: 200, reason: "OK"),
      fields: HeaderFields([("Content-Type", "Video/mp4")])
    )
    #expect(context.makeBodyInspection(head: film, direction: .response) == nil)
    #expect(context.makeBodyInspection(head: film, direction: .request) != nil)
    let idle = try makeContext([], inspectors: ["needles"])
    #expect(idle.makeBodyInspection(head: request(), direction: .request) == nil)
  }

  @Test("A coded body's bytes are releasable once all that they decode to is settled")
  func codedRelease() throws {
    let context = try makeContext()
    var generator = SeededGenerator(state: 3)
    let noise = (0..<200_000).map { _ in UInt8.random(in: 0x20...0x7E, using: &generator) }
    let coded = Gzip.encode(Bytes(noise))
    let inspection = try self.inspection(context, [("Content-Encoding", "gzip")])
    var findings: [Finding] = []
    var last: UInt64 = 0
    var rest = coded
    while !rest.isEmpty {
      let piece = rest.slice(0..<min(rest.count, 10_000))
      rest = rest.dropping(first: piece.count)
      inspection.receive(piece, &findings)
      #expect(inspection.releasable >= last)
      last = inspection.releasable
      #expect(last < UInt64(coded.count))
    }
    #expect(last > UInt64(coded.count) / 2)
    inspection.finish(&findings)
    #expect(inspection.releasable == UInt64(coded.count))
    #expect(!inspection.isIncomplete)
  }
}
