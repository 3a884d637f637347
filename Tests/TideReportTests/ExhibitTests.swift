import Foundation
import Testing
import TideCoding
import TideCore
import TideCrypto

@testable import TideReport

@Suite struct ExhibitTests {
  private static let checked = "Checked: the boxed bytes are a spelling"

  private func report(
    _ body: Bytes,
    _ finding: Finding,
    head: String = "POST /v1 HTTP/1.1\r\nHost: a.example\r\n\r\n"
  ) throws -> String {
    try MadeCase([.sends(.init(head: head, body: body, findings: [finding], at: -60))]).report()
  }

  @Test("A value that is written as it is is boxed where the record says")
  func plain() throws {
    let report = try MadeCase([.sends(.imei(at: -60))]).report()
    #expect(report.boxes == ["490154203237518"])
    #expect(report.contains("{&quot;d&quot;:{&quot;imei&quot;:&quot;<mark>"))
    #expect(report.contains(Self.checked))
    #expect(report.contains("<span>JSON<code>$.d.imei</code></span>"))
  }

  @Test("A value in base64 in JSON in a form is found again, layer by layer")
  func nested() throws {
    let json = #"{"id":["x",{"imei":"490154203237518"}]}"#
    let data = Base64.standard.encode(Array(json.utf8))
    let body = Bytes("a=1&data=" + data.replacing("=", with: "%3D") + "&z=2")
    let report = try self.report(
      body,
      .of(
        .imei,
        "490154203237518",
        path: "data > $.id[1].imei",
        encoding: ["base64"],
        range: 9..<body.count - 4
      )
    )
    #expect(report.boxes.last == "490154203237518")
    #expect(report.boxes.count == 2)
    #expect(report.contains(Self.checked))
    #expect(report.contains("<span>form field<code>data</code></span>"))
    #expect(report.contains("<span>Base64</span>"))
    #expect(report.contains("<span>JSON<code>$.id[1].imei</code></span>"))
  }

  @Test("A content coding is taken off first")
  func coded() throws {
    let json: Bytes = #"{"imei":"490154203237518"}"#
    let body = ContentEncoder.encode(json, [.gzip], like: json)
    let report = try self.report(
      body,
      .of(.imei, "490154203237518", path: "$.imei", encoding: ["gzip"], range: 9..<24),
      head: "POST /v1 HTTP/1.1\r\nHost: a.example\r\nContent-Encoding: gzip\r\n\r\n"
    )
    #expect(report.boxes == ["490154203237518"])
    #expect(report.contains(Self.checked))
    #expect(report.contains("<li><span>gzip</span></li>"))
  }

  @Test("Of a digest the bytes are boxed that the record names, and it is said what they are")
  func digest() throws {
    let digest = Hex.encode(Digest.md5.hash(Array("490154203237518".utf8)))
    let body = Bytes("h=\(digest)&x=1")
    let report = try self.report(
      body,
      .of(.imei, "490154203237518", path: "h", encoding: ["md5"], range: 2..<34)
    )
    #expect(report.boxes == [digest])
    #expect(report.contains("The bytes are a digest of the value"))
    #expect(!report.contains(Self.checked))
  }

  @Test("A telephone number as dialled at home is shown to be the one of the profile")
  func national() throws {
    let report = try self.report(
      "phone=0912%20345%20678",
      .of(.msisdn, "886912345678", path: "phone", range: 6..<22)
    )
    #expect(report.boxes == ["0912%20345%20678", "0912 345 678"])
    #expect(report.contains(Self.checked))
  }

  @Test("Query, cookie and field are found in the head")
  func head() throws {
    let head =
      "GET /a?imei=490154203237518&b=1 HTTP/1.1\r\nHost: a.example\r\nX-Dev: v=490154203237518;q\r\n\r\n"
    for finding in [
      Finding.of(.imei, "490154203237518", location: .query, path: "imei", range: 8..<23),
      Finding.of(.imei, "490154203237518", location: .header, path: "x-dev", range: 2..<17),
    ] {
      let report = try self.report("", finding, head: head)
      #expect(report.boxes == ["490154203237518"])
      #expect(report.contains(Self.checked))
    }
  }

  @Test("A WebSocket message is the part that a finding in it counts from")
  func socket() throws {
    let made = try MadeCase([
      .sends(
        .init(
          findings: [
            .of(.imei, "490154203237518", location: .websocket, path: "$.i", range: 6..<21)
          ],
          message: #"{"i":"490154203237518"}"#,
          at: -60
        )
      )
    ])
    let report = try made.report()
    #expect(report.boxes == ["490154203237518"])
    #expect(report.contains(Self.checked))
    #expect(report.contains("<span>WebSocket message</span>"))
  }

  @Test("A place that is not in the recorded bytes is not guessed at")
  func notFound() throws {
    let report = try self.report(
      "short",
      .of(.imei, "490154203237518", path: "$.imei", range: 400..<415)
    )
    #expect(report.boxes.isEmpty)
    #expect(report.contains("could not be found again in the recorded bytes"))
  }

  @Test("Without kept content the record stands alone, and that is said")
  func observed() throws {
    let report = try MadeCase([.sends(.imei(at: -60))], keepsBodies: false).report()
    #expect(report.boxes.isEmpty)
    #expect(report.contains("No content is kept in this mode"))
  }

  @Test("Bytes around a value stay text: markup, controls and turned lines are shown, not done")
  func hostile() throws {
    let before = "<script>alert(1)</script>\u{202E}\u{0007}\""
    let body = Bytes("x=" + before + " 490154203237518 </mark><b>")
    let start = 3 + before.utf8.count
    let report = try self.report(body, .of(.imei, "490154203237518", range: start..<start + 15))
    #expect(report.boxes == ["490154203237518"])
    #expect(!report.contains("<script"))
    #expect(!report.contains("</mark><b>"))
    #expect(!report.contains("\u{202E}"))
    #expect(report.contains("⟨U+202E⟩⟨U+0007⟩"))
  }

  @Test("Bytes of a body never stop the report, whatever they are")
  func noise() throws {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    func next() -> UInt8 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 56)
    }
    let sendings = (0..<40).map { index in
      let bytes = Bytes((0..<(index * 7 + 1)).map { _ in next() })
      let encodings = [[], ["base64"], ["gzip", "hex"], ["md5"], ["cut16", "base64url", "sha1"]]
      return MadeCase.Happening.sends(
        .init(
          host: "h\(index).example",
          body: bytes,
          findings: [
            .of(
              .imei,
              "490154203237518",
              path: index % 3 == 0 ? "" : "$.a > $.b",
              encoding: encodings[index % 5],
              range: index..<index + 1 + index * 5
            )
          ],
          at: -60
        )
      )
    }
    #expect(try MadeCase(sendings).report().contains("Exhibit 30"))
  }
}
