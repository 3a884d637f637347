import TideCore
import Testing

@testable import TideHTTP

@Suite struct WebSocketWriterTests {
  @Test("The examples of RFC 6455 §5.7 are written as it says")
  func examples() {
    let hello = Bytes("Hello")
    #expect(ASCII.hex(WebSocketWriter.frame(.text, hello, mask: nil)) == "810548656c6c6f")
    #expect(
      ASCII.hex(WebSocketWriter.frame(.text, hello, mask: 0x37FA_213D)) == "818537fa213d7f9f4d5158"
    )
    #expect(
      ASCII.hex(WebSocketWriter.frame(.text, "Hel", isFinal: false, mask: nil)) == "010348656c"
    )
    #expect(ASCII.hex(WebSocketWriter.frame(.continuation, "lo", mask: nil)) == "80026c6f")
    #expect(
      ASCII.hex(WebSocketWriter.frame(.text, "", isCompressed: true, mask: nil)) == "c100"
    )
  }

  @Test(
    "A length takes as few bytes as it can",
    arguments: [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)]
  )
  func lengths(count: Int, header: Int) {
    let payload = Bytes([UInt8](repeating: 7, count: count))
    let plain = WebSocketWriter.frame(.binary, payload, mask: nil)
    let masked = WebSocketWriter.frame(.binary, payload, mask: 0x8000_0001)
    #expect(plain.count == header + count)
    #expect(masked.count == header + 4 + count)
    #expect(WebSocketOutcome.of([plain], from: .server).messages == ["binary \(payload)"])
    #expect(WebSocketOutcome.of([masked], from: .client).messages == ["binary \(payload)"])
  }

  @Test("Masking is right wherever a payload is cut")
  func maskPhase() {
    let payload = SeededBytes.of(count: 41)
    var whole = WebSocketMask(0x1234_5678)
    let expected = whole.apply(to: payload)
    #expect(expected.slice(0..<4).array == zip(payload, [0x12, 0x34, 0x56, 0x78]).map { $0 ^ $1 })
    for first in 0...payload.count {
      for second in first...payload.count {
        var mask = WebSocketMask(0x1234_5678)
        let parts = [0..<first, first..<second, second..<payload.count]
          .map { mask.apply(to: payload.slice($0)) }
        #expect(joined(parts) == expected)
      }
    }
  }

  @Test("A control frame is cut to 125 bytes, a reason between two characters")
  func controlLimits() {
    let long = Bytes([UInt8](repeating: 0x61, count: 200))
    let ping = WebSocketWriter.frame(.ping, long, isFinal: false, isCompressed: true, mask: nil)
    #expect(ping.count == 127)
    #expect(ping[0] == 0x89)
    let close = WebSocketWriter.close(1008, reason: String(repeating: "犬", count: 60), mask: 3)
    let outcome = WebSocketOutcome.of([close], from: .client)
    #expect(outcome.failure == nil && outcome.hasClosed)
    #expect(close.count == 2 + 4 + 2 + 41 * 3)
  }

  @Test("Each kind of message has its opcode", arguments: SocketMessage.Kind.allCases)
  func opcodes(kind: SocketMessage.Kind) {
    #expect(WebSocketFrame.Opcode(kind).kind == kind)
  }
}

private enum SeededBytes {
  static func of(count: Int) -> Bytes {
    var random = SeededRandom(7)
    return random.bytes(count)
  }
}
