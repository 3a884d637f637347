import TideCore
import TideHTTP
import Testing

@Suite struct HeadParsingTests {
  @Test(
    "A request head keeps its method, target, and fields in order and case, without white space"
  )
  func requestHead() {
    let outcome = receiveHoweverCut(
      """
      GET /a?b=c HTTP/1.1\r\nHost: one.example\r\nX-Two:\t 2 \t\r\nx-two:three\r\nEmpty:\r\n\
      Text: caf\u{E9} a\tb\r\n\r\n
      """,
      as: .server
    )
    let head = """
      GET /a?b=c 1.1 | Host=one.example | X-Two=2 | x-two=three | Empty= | Text=caf\u{E9} a\tb
      """
    #expect(outcome == Outcome(seen: [.head(head), .end]))
  }

  @Test("The fields point into the head's own bytes, and those are the bytes that came")
  func fieldsPointIntoRaw() throws {
    let input: Bytes = "GET / HTTP/1.1\r\nHost: one.example\r\n\r\n"
    var before: Bytes = "\r\n"
    before.append(input)
    var parts: [MessagePart] = []
    var codec = HTTP1Codec(role: .server, limits: Limits())
    try codec.receive(before, &parts)
    guard case .head(let head) = parts.first else {
      Issue.record("no head")
      return
    }
    #expect(head.raw == input)
    #expect(head.fields.buffer == input)
    #expect(head.fields.slots[0].value == 22..<33)
  }

  @Test(
    "A status line's reason may be empty, hold spaces and any text, or be missing with its space",
    arguments: [
      ("HTTP/1.1 200 OK", "1.1 200 OK"), ("HTTP/1.1 200 ", "1.1 200 "),
      ("HTTP/1.1 200", "1.1 200 "), ("HTTP/1.0 404 Not  Found ", "1.0 404 Not  Found "),
      ("HTTP/1.1 999 caf\u{E9}\tx", "1.1 999 caf\u{E9}\tx"),
    ]
  )
  func statusLine(line: String, expected: String) {
    let input = Bytes(line + "\r\nContent-Length: 0\r\n\r\n")
    let outcome = receiveHoweverCut(input, as: .client(["GET"]))
    #expect(outcome == Outcome(seen: [.head(expected + " | Content-Length=0"), .end]))
  }

  @Test("A later minor version is read as 1.1")
  func laterMinorVersion() {
    let outcome = receiveHoweverCut("GET / HTTP/1.7\r\nHost: a.example\r\n\r\n", as: .server)
    #expect(outcome == Outcome(seen: [.head("GET / 1.1 | Host=a.example"), .end]))
  }

  @Test("An HTTP/1.0 request needs no Host")
  func oldRequest() {
    let outcome = receiveHoweverCut("GET / HTTP/1.0\r\n\r\n", as: .server)
    #expect(outcome == Outcome(seen: [.head("GET / 1.0"), .end]))
  }

  @Test("A CONNECT needs no Host: its target says where it goes")
  func connectWithoutHost() {
    let outcome = receiveHoweverCut("CONNECT a.example:443 HTTP/1.1\r\n\r\n", as: .server)
    #expect(outcome == Outcome(seen: [.head("CONNECT a.example:443 1.1"), .end]))
  }

  @Test("One empty line before a request is skipped, and a second one is refused")
  func emptyLines() {
    let request: Bytes = "GET / HTTP/1.0\r\n\r\n"
    var one: Bytes = "\r\n"
    one.append(request)
    #expect(receiveHoweverCut(one, as: .server).seen == [.head("GET / 1.0"), .end])
    var two: Bytes = "\r\n"
    two.append(one)
    #expect(receiveHoweverCut(two, as: .server) == Outcome(failure: .malformedHead))
  }

  @Test("A method of 32 bytes is read, one of 33 refused")
  func longMethods() {
    let method = String(repeating: "M", count: 32)
    let longest = receiveHoweverCut(Bytes("\(method) / HTTP/1.0\r\n\r\n"), as: .server)
    #expect(longest.seen == [.head("\(method) / 1.0"), .end])
    let longer = receiveHoweverCut(Bytes("M\(method) / HTTP/1.0\r\n\r\n"), as: .server)
    #expect(longer == Outcome(failure: .malformedHead))
  }

  @Test("Exactly RFC 9110's token characters may stand in a field name")
  func tokenCharacters() {
    let token = Set(
      "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8
    )
    for byte in UInt8.min...UInt8.max where byte != 0x3A {
      var input = Array("GET / HTTP/1.0\r\nA".utf8)
      input += [byte] + Array("B: c\r\n\r\n".utf8)
      let outcome = receive([Bytes(input)], as: .server)
      #expect((outcome.failure == nil) == token.contains(byte), "octet \(byte)")
    }
  }

  @Test("Controls other than HTAB are refused in a field value, and every other octet kept")
  func valueCharacters() {
    for byte in UInt8.min...UInt8.max {
      let input = Array("GET / HTTP/1.0\r\nA: b".utf8) + [byte] + Array("c\r\n\r\n".utf8)
      let outcome = receive([Bytes(input)], as: .server)
      let isLegal = byte == 0x09 || byte >= 0x20 && byte != 0x7F
      #expect((outcome.failure == nil) == isLegal, "octet \(byte)")
    }
  }
}
