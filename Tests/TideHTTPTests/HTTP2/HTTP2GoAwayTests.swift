import Testing
import TideCore

@testable import TideHTTP

/// How connections end in order, and what waits for room on them.
@Suite struct HTTP2GoAwayTests {
  @Test(
    "After a GOAWAY the streams in flight go on, those above its last are refused, none is opened"
  )
  func goAway() throws {
    let fed = try HandFed(.client)
    for _ in 0..<3 { _ = try fed.codec.open(requestHead(), isLast: true) }
    _ = fed.frames()
    fed.receive(Frames.goAway(3, .noError))
    #expect(fed.seen == ["goaway 3 NO_ERROR", "5 reset REFUSED_STREAM theirs"])
    #expect(!fed.codec.canOpen && !fed.codec.isOver)
    #expect(throws: HTTPFailure.self) { try fed.codec.open(requestHead(), isLast: true) }
    fed.receive(
      Frames.headers(1, [(":status", "204")], isLast: true),
      Frames.headers(3, [(":status", "204")], isLast: true)
    )
    #expect(fed.seen.suffix(4) == ["1 204 last", "1 end", "3 204 last", "3 end"])
    #expect(fed.codec.isOver)
  }

  @Test("Our own GOAWAY names the last stream we looked at, and lets it finish")
  func ownGoAway() throws {
    let pair = try Joined()
    let stream = try pair.client.open(requestHead(), isLast: true)
    try pair.run()
    pair.server.goAway(.noError)
    try pair.run()
    #expect(describe(pair.clientEvents) == ["goaway 1 NO_ERROR"])
    #expect(!pair.server.isOver)
    try pair.server.sendHead(responseHead(204), on: stream, isLast: true)
    try pair.run()
    #expect(pair.server.isOver && pair.client.isOver)
  }

  @Test("Our own GOAWAY with an error ends every stream and reads nothing more")
  func ownGoAwayWithError() throws {
    let fed = try HandFed(.server)
    fed.receive(Frames.headers(1, Frames.request(), isLast: true))
    fed.codec.goAway(.internalError)
    #expect(fed.codec.hasOutput)
    #expect(fed.goAway() == .internalError)
    #expect(fed.codec.isOver && fed.codec.openStreams == 0)
    fed.receive(Frames.headers(3, Frames.request(), isLast: true))
    #expect(fed.failure == nil && fed.seen == ["1 GET / last", "1 end"])
  }

  @Test("Requests beyond the server's limit wait in a queue that is bounded")
  func waiting() throws {
    var limits = Limits()
    limits.streams = 3
    let fed = try HandFed(.client, limits: limits, settings: [(3, 1)])
    for _ in 0..<2 {
      _ = try fed.codec.open(requestHead(), isLast: true)
      _ = fed.frames()
    }
    for _ in 0..<2 { _ = try fed.codec.open(requestHead(), isLast: true) }
    #expect(fed.frames().filter { $0.type == 1 }.map(\.stream) == [1])
    #expect(!fed.codec.canOpen)
    #expect(throws: HTTPFailure.self) { try fed.codec.open(requestHead(), isLast: true) }
    fed.codec.reset(StreamID(3), .cancel)
    fed.receive(Frames.headers(1, [(":status", "204")], isLast: true))
    #expect(fed.frames().filter { $0.type == 1 }.map(\.stream) == [1, 5])
    #expect(fed.codec.canOpen && fed.codec.openStreams == 2)
    fed.receive(Frames.goAway(5, .noError))
    #expect(fed.seen.suffix(2) == ["goaway 5 NO_ERROR", "7 reset REFUSED_STREAM theirs"])
  }
}
