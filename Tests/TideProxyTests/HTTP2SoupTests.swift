import Testing
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

/// HTTP/2 peers that do anything in any order.
@Suite struct HTTP2SoupTests {
  @Test(
    "Whatever the peers do, nothing traps, every flow ends, and what is whole is what was sent",
    arguments: 0..<40
  )
  func soup(seed: Int) throws {
    var random = Seeded(state: UInt64(seed))
    let mode = Mode.allCases[seed % 4]
    var limits = Limits()
    limits.streamWindow = 1 << 16
    limits.connectionWindow = 1 << 17
    limits.heldPerConnection = 40_000
    let rules = [
      rule("imei", seed % 2 == 0 ? .redact : .block, holdsBody: seed % 3 == 0) {
        $0.finding = ["imei"]
      }
    ]
    let book = try Playbook(mode: mode, rules: rules, limits: limits)
    try book.tunnel(offering: ["h2"], selecting: "h2")
    let play = try HTTP2Play(
      book,
      seed % 5 == 0 ? .pieces : .whole,
      deviceLimits: limits,
      serverLimits: limits,
      offersWebSocket: seed % 4 == 1,
      isLenient: true
    )
    var sent: [String: String] = [:]
    var open: [(path: String, stream: StreamID)] = []
    let bodies = ["", "hello", " imei=\(World.imei) ", String(repeating: "z", count: 30_000)]
    for step in 0..<120 where !book.isFinished {
      let body = bodies[Int.random(in: 0..<bodies.count, using: &random)]
      let isLast = Bool.random(using: &random)
      let pick = open.randomElement(using: &random)
      switch Int.random(in: 0..<30, using: &random) {
      case 0..<7:
        let path = "/\(step)"
        let type = ["application/x-ndjson", "application/grpc", "text/plain"][step % 3]
        open.append((path, play.open("POST", path, [("content-type", type)])))
        sent[path] = ""
      case 7..<14:
        guard let pick else { continue }
        sent[pick.path, default: ""] += body
        play.upload(Bytes(body), on: pick.stream, isLast: isLast)
        if isLast { open.removeAll { $0.path == pick.path } }
      case 14..<18:
        if let pick { try play.reply(to: pick.path, 200, [], body, isLast: isLast) }
      case 18..<21: if let pick { try play.send(body, to: pick.path, isLast: isLast) }
      case 21:
        if let pick { play.deviceResets(pick.stream, .cancel) }
        open.removeAll { $0.path == pick?.path }
      case 22: if let pick { try play.serverResets(pick.path, .internalError) }
      case 23: play.give(.congested(.downstream))
      case 24: play.give(.drained(.downstream))
      case 25: if let id = book.upstream { play.give(.congested(.upstream(id))) }
      case 26: if let id = book.upstream { play.give(.drained(.upstream(id))) }
      case 27:
        book.sink.isFull.toggle()
        if !book.sink.isFull { play.give(.roomAvailable) }
      case 28: play.tick(afterSeconds: UInt64.random(in: 0..<20, using: &random))
      default:
        guard step > 100 else { continue }
        switch seed % 4 {
        case 0: play.give(.shutdown)
        case 1: play.attempt { play.server.codec.goAway(.noError) }
        case 2: book.serverCloses(.reset)
        default: book.deviceCloses()
        }
      }
    }
    book.sink.isFull = false
    play.give(.roomAvailable)
    play.give(.drained(.downstream))
    if let id = book.upstream { play.give(.drained(.upstream(id))) }
    if mode == .record || mode == .observe {
      for asked in play.asked where asked.isWhole {
        #expect(asked.text == sent[asked.path], "\(asked)")
      }
    }
    #expect(play.device.failure == nil, "the machine speaks HTTP/2 to the device")
    #expect(play.server.failure == nil, "the machine speaks HTTP/2 to the server")
    book.expectCleanEnd()
  }
}
