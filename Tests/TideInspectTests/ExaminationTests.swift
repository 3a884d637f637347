import TideCoding
import TideCore
import TideCrypto
import Testing

@testable import TideInspect

/// What is seen through layers, and where it is said to be.
@Suite struct ExaminationTests {
  @Test("A value is followed through layers of any kind, and its way is told, outermost first")
  func nesting() throws {
    let context = try makeContext()
    let json = Bytes("{\"d\":{\"imei\":\"\(Phone.imei)\"}}")
    let zipped = Base64.standard.encode(Gzip.encode(json, format: .gzip).array)
    let form = "v=1&data=" + zipped.escaped + "&crc=1"
    let found = context.findings([Bytes(form)], Self.form)
    #expect(found.map(\.line) == ["imei certain body data > $.d.imei base64 gzip"])
    // It is boxed where its outermost layer stands.
    #expect(found.first?.range == 9..<9 + zipped.escaped.utf8.count)
    let twice = Bytes(
      "{\"log\":\"{\\\"p\\\":\\\"{\\\\\\\"i\\\\\\\":\\\\\\\"\(Phone.imsi)\\\\\\\"}\\\"}\"}"
    )
    #expect(
      context.findings([twice]).map(\.line) == ["imsi certain body $.log > $.p > $.i"]
    )
  }

  @Test("The same value in one place is one finding, whoever sees it")
  func once() throws {
    let context = try makeContext()
    let body = Bytes("{\"imei\":\"\(Phone.base64("id=\(Phone.imei);"))\"}")
    #expect(context.findings([body]).count == 1)
    let escaped = Bytes("{\"n\":\"\\u6797\\u6021\\u541b\"}")
    #expect(context.findings([escaped]).map(\.line) == ["contact_name certain body $.n"])
  }

  @Test("What the profile knows is certain, also where a pattern sees it further inside")
  func surer() throws {
    let context = try makeContext()
    let text = Bytes("GET /profile?imei=\(Phone.imei) HTTP/1.1")
    let found = context.findings([text])
    #expect(found.map(\.kind) == [.imei])
    #expect(found.map(\.certainty) == [.certain])
  }

  @Test("A name in a layer around counts where the inner layer has none")
  func names() throws {
    let context = try makeContext([])
    let imei = "353918057012342"
    let bare = Bytes("{\"imei\":\"\(Phone.base64("[\"\(imei)\"]"))\"}")
    #expect(context.findings([bare]).map(\.kind) == [.imei])
    let other = Bytes("{\"order\":\"\(Phone.base64("[\"\(imei)\"]"))\"}")
    #expect(context.findings([other]).isEmpty)
  }

  @Test("What is longer than a window is searched as it passes, and opened at its end")
  func long() throws {
    let context = try makeContext()
    let filler = (0..<9_000).map { "\"k\($0)\":\"value\"" }.joined(separator: ",")
    let inner = Base64.standard.encode(
      Gzip.encode(Bytes("{\"imei\":\"\(Phone.imei)\"}"), format: .gzip).array
    )
    let body = Bytes("{\"imsi\":\"\(Phone.imsi)\",\(filler),\"data\":\"\(inner)\"}")
    #expect(body.count > context.plan.limits.windowBytes)
    #expect(
      context.findings([body]).map(\.line) == [
        "imsi certain body $.imsi", "imei certain body $.data > $.imei base64 gzip",
      ]
    )
  }

  @Test("Over a limit the rest is not opened, and that is said")
  func limits() throws {
    var limits = Limits()
    limits.decodedDepth = 2
    let shallow = try makeContext(limits: limits)
    var text = "{\"imei\":\"\(Phone.imei)\"}"
    for _ in 0..<3 { text = "{\"a\":\"\(Phone.base64(text))\"}" }
    let deep = try Self.inspect(shallow, Bytes(text))
    #expect(deep.findings.isEmpty)
    #expect(deep.inspection.isIncomplete)
    #expect(deep.inspection.notes == ["not every layer was opened: the limit on depth was met"])
    let whole = try Self.inspect(makeContext(), Bytes(text))
    #expect(whole.findings.map(\.kind) == [.imei])
    #expect(!whole.inspection.isIncomplete)
  }

  @Test("A bomb in a layer is refused, and what is around it is still searched")
  func bomb() throws {
    let context = try makeContext()
    let bomb = Gzip.encode(Bytes([UInt8](repeating: 0x20, count: 32 << 20)), format: .gzip)
    let body = Bytes(
      "{\"imsi\":\"\(Phone.imsi)\",\"z\":\"\(Base64.standard.encode(bomb.array))\"}"
    )
    let result = try Self.inspect(context, body)
    #expect(result.findings.map(\.kind) == [.imsi])
    #expect(result.inspection.isOverLimit)
    #expect(result.inspection.isIncomplete)
  }

  @Test("Time runs out once, and everything after it is left closed")
  func time() throws {
    final class Watch: MonotonicClock {
      func now() -> UInt64 { Self.reading.next() }
      static let reading = Reading()
      final class Reading: @unchecked Sendable {
        // Sendable: this test alone reads it.
        private var time: UInt64 = 0
        func next() -> UInt64 {
          self.time += 200_000_000
          return self.time
        }
      }
    }
    let plan = try makeContext().plan
    let context = try InspectionContext(plan, clock: Watch())
    let filler = (0..<40_000).map { "\"k\($0)\":\"value\"" }.joined(separator: ",")
    let result = try Self.inspect(context, Bytes("{\(filler),\"i\":\"\(Phone.imei)\"}"))
    // What passed was searched; no time was left to open it.
    #expect(result.findings.map(\.kind) == [.imei])
    #expect(result.inspection.notes == ["not every layer was opened: the limit on time was met"])
  }

  @Test("Bodies that are gathered at once are bounded, and those beyond are searched as they pass")
  func gathering() throws {
    var limits = Limits()
    limits.gatheredPerLoop = 200_000
    let context = try makeContext(limits: limits)
    let filler = Bytes("{\"a\":\"" + String(repeating: "word ", count: 30_000))
    let first = try #require(context.makeBodyInspection(head: request(), direction: .request))
    let second = try #require(context.makeBodyInspection(head: request(), direction: .request))
    var findings: [Finding] = []
    first.receive(filler, &findings)
    second.receive(filler, &findings)
    #expect(second.isIncomplete)
    #expect(!first.isIncomplete)
    second.receive(Bytes("\(Phone.imei)\"}"), &findings)
    second.finish(&findings)
    #expect(findings.map(\.kind) == [.imei])
    first.finish(&findings)
    #expect(context.gathered == 0)
  }

  private static let form = [("Content-Type", "application/x-www-form-urlencoded")]

  private static func inspect(
    _ context: InspectionContext,
    _ body: Bytes
  ) throws -> (findings: [Finding], inspection: BodyInspection) {
    let inspection = try #require(
      context.makeBodyInspection(head: request(), direction: .request)
    )
    var findings: [Finding] = []
    inspection.receive(body, &findings)
    inspection.finish(&findings)
    return (findings, inspection)
  }
}

extension String {
  /// With base64's three special characters escaped.
  fileprivate var escaped: String {
    self.utf8.map { byte in
      switch byte {
      case 0x2B: "%2B"
      case 0x2F: "%2F"
      case 0x3D: "%3D"
      default: String(UnicodeScalar(byte))
      }
    }.joined()
  }
}
