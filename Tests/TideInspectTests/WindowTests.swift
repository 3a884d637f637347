import Testing
import TideCoding
import TideCore
import TideCrypto

@testable import TideInspect

/// The property that streaming stands on: where a body is cut changes nothing.
@Suite struct WindowTests {
  private static let small = """
    {"imei":"\(Phone.imei)","m":"\(Phone.mac)","x":"\(Phone.base64("~" + Phone.email))",
    "h":"\(Phone.h(Phone.imei))","u":"imei%22%3A%22353918057012342","n":"\(Phone.hanName)",
    "filler":"\(String(repeating: "lorem ", count: 40))","last":"\(Phone.own)","o":"\(Phone.imsi)1"}
    """

  @Test("One cut, at every place, gives the findings of the whole body")
  func everyCut() throws {
    let context = try makeContext()
    let body = Bytes(Self.small)
    let whole = context.findings([body])
    #expect(whole.count == 7)
    for cut in 1..<body.count {
      #expect(context.findings([body.slice(0..<cut), body.dropping(first: cut)]) == whole)
    }
    #expect(context.findings(body.map { Bytes([$0]) }) == whole)
  }

  @Test("Any cuts of a long body give the findings of the whole body", arguments: 0..<6)
  func randomCuts(seed: UInt64) throws {
    let context = try makeContext()
    var generator = SeededGenerator(state: seed)
    let body = Self.longBody(&generator)
    let whole = context.findings([body])
    #expect(whole.count > 40)
    for largest in [3, 100, 5_000, 100_000] {
      var pieces: [Bytes] = []
      var rest = body
      while !rest.isEmpty {
        // Tiny pieces only at first: a hundred thousand of them prove no more than a thousand.
        let most = pieces.count > 1_000 ? 50_000 : largest
        let piece = rest.slice(0..<min(rest.count, .random(in: 1...most, using: &generator)))
        pieces.append(piece)
        rest = rest.dropping(first: piece.count)
      }
      #expect(context.findings(pieces) == whole)
    }
  }

  @Test("Cuts of a compressed body change nothing either")
  func compressedCuts() throws {
    let context = try makeContext()
    let body = Gzip.encode(Bytes(Self.small))
    let fields = [("Content-Encoding", "gzip")]
    let whole = context.findings([body], fields)
    #expect(whole.count == 7)
    for cut in 1..<body.count {
      #expect(context.findings([body.slice(0..<cut), body.dropping(first: cut)], fields) == whole)
    }
  }

  @Test("No byte of a match is releasable before the match is reported")
  func holdBack() throws {
    let context = try makeContext()
    var generator = SeededGenerator(state: 99)
    let body = Self.longBody(&generator)
    let inspection = try #require(
      context.makeBodyInspection(head: request("/"), direction: .request)
    )
    let whole = context.findings([body])
    var findings: [Finding] = []
    var rest = body
    while !rest.isEmpty {
      let piece = rest.slice(0..<min(rest.count, .random(in: 1...3_000, using: &generator)))
      rest = rest.dropping(first: piece.count)
      inspection.receive(piece, &findings)
      let released = Int(inspection.releasable)
      let known = Set(findings)
      #expect(!whole.contains { $0.range.lowerBound < released && !known.contains($0) })
      let came = body.count - rest.count
      // What fits one window is opened as a whole; of more, only what may still match is held.
      let held = came > context.plan.limits.windowBytes ? context.plan.horizon * 3 / 2 : came
      #expect(came - released <= held)
    }
    inspection.finish(&findings)
    #expect(inspection.releasable == UInt64(body.count))
  }

  /// JSON of some hundred kilobytes with values of every form, whole and broken, at random places.
  private static func longBody(_ generator: inout SeededGenerator) -> Bytes {
    var body = "["
    let snippets = [
      "\"\(Phone.imei)\"", Phone.imsi, "{\"imei\":\"353918057012342\"}", "\"\(Phone.mac)\"",
      "{\"wifi_mac\":\"94:CE:C4:87:67:0F\"}", "\"\(Phone.hex(.sha256, Phone.imei))\"",
      "\"\(Phone.base64(Phone.carrier + Phone.imei))\"", "{\"mail\":\"someone@post.test\"}",
      "\"\(Phone.imei)1\"", "\"\(Phone.hanName)\(Phone.hanName)\"", "8988692000000000001",
      "\"%2B886912345678%22490154203237518\"", "\"\(Phone.imei.dropLast())\"",
    ]
    for index in 0..<120 {
      let count = Int.random(in: 0...4_000, using: &generator)
      let filler = String(
        decoding: [UInt8](repeating: 0x61 + UInt8(index % 26), count: count),
        as: UTF8.self
      )
      body += "{\"k\(index)\":\"\(filler)\",\"v\":"
      body += snippets.randomElement(using: &generator) ?? "0"
      body += "},"
    }
    return Bytes(body + "0]")
  }
}
