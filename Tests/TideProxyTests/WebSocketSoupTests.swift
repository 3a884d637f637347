import Testing
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

/// WebSockets whose ends say anything, compressed or not, in pieces of any size.
@Suite struct WebSocketSoupTests {
  @Test(
    "Every message arrives once and in order, and only what is to be redacted differs",
    arguments: 0..<24
  )
  func soup(seed: Int) throws {
    var random = Seeded(state: UInt64(seed))
    let mode = Mode.allCases[seed % 4]
    let way = SocketWay.allCases[seed / 4 % 2]
    let rules = [rule("imei", .redact) { $0.finding = ["imei"] }]
    let play = try SocketPlay(
      way,
      seed % 3 == 0 ? .pieces : .whole,
      mode: mode,
      rules: rules,
      extensions: "permessage-deflate"
    )
    let texts = ["", "hello", "imei=\(World.imei) ", String(repeating: "hello ", count: 600)]
    var sent: [[String]] = [[], []]
    for _ in 0..<60 {
      let text = texts[Int.random(in: 0..<texts.count, using: &random)]
      let side = Int.random(in: 0...1, using: &random)
      let end = side == 0 ? play.device : play.server
      var frames: [Bytes] = []
      switch Int.random(in: 0..<4, using: &random) {
      case 0: frames = [end.frame(.text, text)]
      case 1: frames = [end.compressed(text)]
      case 2: frames = [end.frame(.ping, "p")]
      default:
        frames = [end.frame(.text, text, isFinal: false), end.frame(.continuation, "!")]
      }
      for frame in frames {
        if side == 0 { play.deviceSends(frame) } else { try play.serverSends(frame) }
      }
      let isPing = frames.count == 1 && frames[0] == end.frame(.ping, "p")
      sent[side].append(isPing ? "ping p" : "text \(text)" + (frames.count > 1 ? "!" : ""))
    }
    for (side, end) in [play.server, play.device].enumerated() {
      // Redaction makes a message one frame.
      let heard = end.heard.map { $0.replacing(" in 2", with: "") }
      #expect(end.failure == nil)
      #expect(heard.map(\.count) == sent[side].map(\.count))
      for (got, was) in zip(heard, sent[side]) {
        if mode == .redact || mode == .block, was.contains(World.imei) {
          #expect(!got.contains(World.imei) && got.hasPrefix("text imei="))
        } else {
          #expect(got == was)
        }
      }
    }
    play.expectCleanEnd()
  }
}
