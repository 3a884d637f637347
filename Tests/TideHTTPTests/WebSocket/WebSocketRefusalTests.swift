import TideCore
import Testing

@testable import TideHTTP

@Suite struct WebSocketRefusalTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let hex: String
    var sender = WebSocketReader.Sender.server
    var allowsCompression = false
    var code = WebSocketFailure.Code.protocolError
    var testDescription: String { self.name }
  }

  static let cases = [
    Case(name: "reserved data opcode", hex: "8300"),
    Case(name: "reserved control opcode", hex: "8b00"),
    Case(name: "second reserved bit", hex: "a100", allowsCompression: true),
    Case(name: "third reserved bit", hex: "9100", allowsCompression: true),
    Case(name: "compression that was not agreed on", hex: "c100"),
    Case(name: "compressed control frame", hex: "c900", allowsCompression: true),
    Case(name: "compression bit on a continuation", hex: "4100c000", allowsCompression: true),
    Case(name: "fragmented ping", hex: "0900"),
    Case(name: "masked by a server", hex: "818037fa213d"),
    Case(name: "not masked by a client", hex: "8100", sender: .client),
    Case(name: "ping of 126 bytes", hex: "897e007e"),
    Case(name: "close with a 64-bit length", hex: "887f0000000000000002"),
    Case(name: "16 bits for a length of 125", hex: "827e007d"),
    Case(name: "64 bits for a length of 65535", hex: "827f000000000000ffff"),
    Case(name: "length with its top bit set", hex: "827f8000000000000000"),
    Case(name: "continuation of nothing", hex: "8000"),
    Case(name: "continuation after the message's end", hex: "81008000"),
    Case(name: "message within a message", hex: "0101418100"),
    Case(name: "close with half a code", hex: "880103"),
    Case(name: "close code 999", hex: "880203e7"),
    Case(name: "close code 1004", hex: "880203ec"),
    Case(name: "close code 1005", hex: "880203ed"),
    Case(name: "close code 1006", hex: "880203ee"),
    Case(name: "close code 1015", hex: "880203f7"),
    Case(name: "close code 2999", hex: "88020bb7"),
    Case(name: "close code 5000", hex: "88021388"),
    Case(name: "reason that is not UTF-8", hex: "880303e8ff", code: .invalidText),
    Case(name: "reason cut within a character", hex: "880403e8e282", code: .invalidText),
    Case(name: "text that is not UTF-8", hex: "8102c0af", code: .invalidText),
    Case(name: "text cut within a character", hex: "8102e282", code: .invalidText),
    Case(name: "text whose last frame is empty, cut", hex: "0102e2828000", code: .invalidText),
    Case(name: "surrogate across two frames", hex: "0101ed8002a080", code: .invalidText),
  ]

  @Test("What RFC 6455 forbids fails with its close code, however it is cut", arguments: Self.cases)
  func refused(of refusal: Case) {
    let stream = WebSocketReaderTests.bytes(refusal.hex)
    for parts in everyCut(of: stream) {
      let outcome = WebSocketOutcome.of(
        parts,
        from: refusal.sender,
        allowsCompression: refusal.allowsCompression
      )
      #expect(outcome.failure?.code == refusal.code)
      #expect(outcome.failure?.closeCode == refusal.code.rawValue)
    }
  }

  @Test("A frame is refused at the first byte that is wrong", arguments: ["83", "a1", "c1", "09"])
  func atOnce(hex: String) {
    let outcome = WebSocketOutcome.of([WebSocketReaderTests.bytes(hex)], from: .server)
    #expect(outcome.failure?.code == .protocolError)
  }

  @Test(
    "Close codes that may be sent are read with their reasons",
    arguments: [1000, 1001, 1003, 1007, 1008, 1011, 1014, 3000, 4999] as [UInt16]
  )
  func closeCodes(code: UInt16) throws {
    let frame = WebSocketWriter.close(code, reason: "因為", mask: 5)
    let outcome = WebSocketOutcome.of([frame], from: .client)
    guard case .control(.close, let payload) = outcome.seen.first else {
      Issue.record("no close")
      return
    }
    let close = try WebSocketClose(payload: payload)
    #expect(close.code == code)
    #expect(close.reason == "因為")
  }

  @Test("A close frame may say nothing")
  func emptyClose() throws {
    #expect(WebSocketOutcome.of([WebSocketReaderTests.bytes("8800")], from: .server).hasClosed)
    #expect(try WebSocketClose(payload: Bytes()).code == nil)
  }

  @Test("Compressed text is not checked here, nor is binary, but the next text is")
  func uncheckedPayloads() {
    let stream = WebSocketReaderTests.bytes("c102c0af8202c0af8102c0af")
    let outcome = WebSocketOutcome.of([stream], from: .server, allowsCompression: true)
    #expect(outcome.messages == ["text \u{FFFD}\u{FFFD}", "binary \u{FFFD}\u{FFFD}"])
    #expect(outcome.failure?.code == .invalidText)
  }
}
