import Testing

@testable import TideProxy

/// When a connection needs its ticks, and when it only grows older.
@Suite struct RestTests {
  @Test("At rest is who is between exchanges, and at no moment of one", arguments: Cut.allCases)
  func betweenExchanges(cut: Cut) throws {
    let book = try Playbook(cut)
    #expect(!book.machine.isAtRest, "a stranger's patience is short")
    try book.tunnel()
    #expect(book.machine.isAtRest)
    book.device("GET / HTTP/1.1\r\nHo")
    #expect(!book.machine.isAtRest, "a head has to come in time")
    book.device("st: api.example\r\n\r\n")
    #expect(!book.machine.isAtRest)
    book.server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
    #expect(!book.machine.isAtRest)
    book.server("k")
    #expect(book.machine.isAtRest)
    book.tick(afterSeconds: 301)
    #expect(!book.machine.isAtRest, "its time is over")
    book.expectCleanEnd()
  }

  @Test("So it is with streams")
  func betweenStreams() throws {
    let play = try HTTP2Play()
    #expect(play.book.machine.isAtRest)
    _ = play.get("/a")
    #expect(!play.book.machine.isAtRest)
    try play.reply(to: "/a", 200, [], "ok")
    #expect(play.book.machine.isAtRest)
    play.expectCleanEnd()
  }
}
