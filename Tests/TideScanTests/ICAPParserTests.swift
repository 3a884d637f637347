import Testing
import TideCore

@testable import TideScan

@Suite("ICAP answers") struct ICAPParserTests {
  /// The answer, whole, however its bytes come.
  private func parse(_ text: String, limit: Int = 1_000) throws(ScanFailure) -> ICAPResponse? {
    var parser = ICAPParser(contentLimit: limit)
    let whole = try parser.receive(Bytes(text))
    var bytewise = ICAPParser(contentLimit: limit)
    var last: ICAPResponse?
    for byte in text.utf8 { last = try bytewise.receive(Bytes([byte])) ?? last }
    #expect(last?.status == whole?.status)
    #expect(last?.content == whole?.content)
    #expect(last?.head?.status == whole?.head?.status)
    #expect(parser.isIdle == bytewise.isIdle)
    return whole
  }

  @Test("204, 100 and OPTIONS end with their head")
  func bare() throws {
    #expect(try self.parse("ICAP/1.0 204 No Content\r\n\r\n")?.status == 204)
    #expect(try self.parse("ICAP/1.0 100 Continue\r\n\r\n")?.status == 100)
    let options = try self.parse(
      "ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\nPreview: 1024\r\nEncapsulated: null-body=0\r\n\r\n"
    )
    #expect(options?.fields.first("preview") == "1024")
    #expect(options?.head == nil)
  }

  @Test("A changed message has its head and its chunks, trailers and extensions left out")
  func encapsulated() throws {
    let head = "HTTP/1.1 403 Forbidden\r\nX-Some: yes\r\n\r\n"
    let answer = try self.parse(
      "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=\(head.utf8.count)\r\n\r\n\(head)"
        + "3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
    )
    #expect(answer?.head?.status == 403)
    #expect(answer?.head?.fields.first("x-some") == "yes")
    #expect(answer?.content == "abcde")
  }

  @Test("A folded field is one line: c-icap says so what it found")
  func folded() throws {
    let answer = try self.parse(
      "ICAP/1.0 204 OK\r\nX-Violations-Found: 1\r\n\t-\r\n\tEicar\r\n\t0\r\nISTag: a\r\n\r\n"
    )
    #expect(answer?.fields.first("x-violations-found") == "1 - Eicar 0")
    #expect(answer?.fields.first("istag") == "a")
  }

  @Test(
    "What makes no sense is refused, and nothing traps",
    arguments: [
      "HTTP/1.1 200 OK\r\n\r\n",
      "ICAP/1.0 20 OK\r\n\r\n",
      "ICAP/1.0 2x4 OK\r\n\r\n",
      "ICAP/1.0\r\n\r\n",
      "\r\n\r\n",
      "ICAP/1.0 200 OK\nISTag: x\n\n\r\n\r\n",
      "ICAP/1.0 200 OK\r\nno field\r\n\r\n",
      "ICAP/1.0 200 OK\r\n: empty\r\n\r\n",
      "ICAP/1.0 200 OK\r\nA: \u{0}\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: \r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=5, res-body=9\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=-1\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=99999999999999999999\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=9999999\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-body=5\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, res-hdr=3, res-body=9\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-body=0, null-body=0\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: what=0\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=4\r\n\r\n\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=19\r\n\r\nHTTP/1.1 99 Low\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\nzz\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\n-1\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\n\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\nffffffffff\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\n7fffffff\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\n3e9\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\n1\r\nabc\r\n",
      "ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\n1\nabc\r\n",
    ]
  )
  func hostile(text: String) {
    #expect(throws: ScanFailure.self) { _ = try self.parse(text) }
  }

  @Test("Heads, lines, trailers and fields without end are cut off at their limits")
  func endless() {
    let filler = String(repeating: "a", count: 70_000)
    let fields = String(repeating: "A: b\r\n", count: 200)
    let begun = "ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\n"
    for text in [
      filler, "ICAP/1.0 200 OK\r\nA: \(filler)", "ICAP/1.0 200 OK\r\n\(fields)\r\n",
      "\(begun)1;\(filler)", "\(begun)0\r\n" + String(repeating: "T: t\r\n", count: 20_000),
    ] {
      #expect(throws: ScanFailure.self) {
        var parser = ICAPParser(contentLimit: 1_000)
        _ = try parser.receive(Bytes(text))
      }
    }
  }

  @Test("Random bytes, and random changes to an answer, never trap")
  func soup() {
    var random = SystemRandomNumberGenerator()
    let seed = Array(
      "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        .utf8
    )
    for _ in 0..<3_000 {
      var bytes = seed
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(
          in: 0...255,
          using: &random
        )
      }
      var parser = ICAPParser(contentLimit: 100)
      var rest = bytes[...]
      while !rest.isEmpty {
        let part = rest.prefix(Int.random(in: 1...30, using: &random))
        rest = rest.dropFirst(part.count)
        do throws(ScanFailure) { _ = try parser.receive(Bytes(Array(part))) } catch { break }
      }
    }
  }
}
