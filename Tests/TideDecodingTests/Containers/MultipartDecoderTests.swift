import Testing
import TideCore

@testable import TideDecoding

@Suite struct MultipartDecoderTests {
  private let decoder = MultipartDecoder()

  private static let text = Bytes(
    [
      "--Xy7", "Content-Disposition: form-data; name=\"imei\"", "Content-Length: 6", "", "490154",
      "--Xy7", "Content-Disposition: form-data; name=\"f\"; filename=\"490154203237518.txt\"",
      "Content-Type: text/plain", "X-Device: abc", "", "line one", "line two", "--Xy7",
      "content-transfer-encoding: base64", "", "aGVsbG8gd29y", "bGQ=", "--Xy7",
      "Content-Disposition: form-data; name=q; filename*=UTF-8''%E6%9E%97.txt",
      "Content-Transfer-Encoding: quoted-printable", "", "a=3Db=", "c=E6=9E=97", "--Xy7",
      "Content-Disposition: form-data; name=\"empty\"", "", "", "--Xy7--", "epilogue",
    ].joined(separator: "\r\n")
  )

  @Test("Parts are groups by name, contents decoded leaves")
  func parts() {
    #expect(
      leaves(opened(self.decoder, Self.text, .content), Self.text) == [
        "$.imei=490154", "$.f.filename=490154203237518.txt", "$.f.X-Device=abc",
        "$.f=line one\r\nline two", "$[2]=hello world", "$.q.filename=\u{6797}.txt",
        "$.q=a=bc\u{6797}",
      ]
    )
  }

  @Test(
    "A declared boundary is used where the first line is a preamble, or a wrong one is declared"
  )
  func boundary() {
    let preamble: Bytes = "hello\n--b\nContent-Disposition: form-data; name=a\n\n1\n--b--"
    #expect(leaves(opened(self.decoder, preamble, .content, boundary: "b"), preamble) == ["$.a=1"])
    let layer = opened(self.decoder, Self.text, .content, boundary: "other")
    #expect(layer?.nodes.isEmpty == false)
    #expect(opened(self.decoder, preamble, .content) == nil)
  }

  @Test("A cut body gives the parts that are there, a nested one is a leaf that opens")
  func cutAndNested() {
    let cut = Self.text.slice(0..<190)
    #expect(leaves(opened(self.decoder, cut), cut).first == "$.imei=490154")
    let nested: Bytes =
      "--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX-A: 1\r\n\r\nin\r\n--b--\r\n--a--\r\n"
    let outer = opened(self.decoder, nested)
    let inner = outer?.nodes.last?.value(in: nested)
    #expect(inner.map { leaves(opened(self.decoder, $0), $0) } == ["$[0].X-A=1", "$[0]=in"])
  }

  @Test(
    "Rules, dashes and option lists are no multipart",
    arguments: [
      "-----\n-----\n", "--\r\n--\r\n", "--verbose\nfile\n", "- a\n- b\n", "--x--\r\n\r\n",
    ]
  )
  func notMultipart(_ text: String) {
    #expect(opened(self.decoder, Bytes(text)) == nil)
  }

  @Test("Contents keep their transfer encoding, and a length that is written is put right")
  func closing() throws {
    let layer = try #require(opened(self.decoder, Self.text))
    let content = try #require(layer.nodes.firstIndex { !$0.isGroup })
    let closed = self.decoder.close(layer, over: Self.text, replacing: [content: "12345678901"])
    #expect(closed?.text.contains("Content-Length: 11\r\n\r\n12345678901\r\n--Xy7\r\n") == true)
    #expect(
      self.decoder.close(layer, over: Self.text, replacing: [content: "1\r\n--Xy7\r\n2"]) == nil
    )
    for seed: UInt64 in 1...8 {
      #expect(
        roundTripFaults(self.decoder, Self.text, seed: seed) { node, old, numbers in
          switch node.key {
          case .text, .name: Bytes("other-\(numbers.next() % 1000)")
          case .none, .index, .field: otherValue(node, old, &numbers)
          }
        } == []
      )
    }
  }

  @Test("No bytes make it trap")
  func hostile() {
    var numbers = SeededNumbers(11)
    let pieces = [
      "--b", "\r\n", "\n", "--", ":", "Content-Disposition: form-data; name=", "\"", "filename*=''",
      ";", "a",
      "\u{0}", "content-length: 1", "Content-Transfer-Encoding: base64", "=", "=3", "\\",
    ]
    for _ in 0..<400 {
      var text = "--b\r\n"
      for _ in 0..<Int(numbers.next() % 20) {
        text += pieces[Int(numbers.next() % UInt64(pieces.count))]
      }
      let bytes = Bytes(text)
      guard let layer = opened(self.decoder, bytes) else { continue }
      for index in layer.nodes.indices where !layer.nodes[index].isGroup {
        _ = self.decoder.close(layer, over: bytes, replacing: [index: "x\u{0}"])
      }
      #expect(self.decoder.close(layer, over: bytes, replacing: [:]) == bytes)
    }
  }
}
