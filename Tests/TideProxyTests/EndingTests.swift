import Testing
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
private let connect = "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n"
private let get = "GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"

@Suite struct BackPressureTests {
  @Test("When the recorder has no room both legs are not read until it has")
  func recorderFull() throws {
    let book = try Playbook()
    try book.tunnel()
    book.sink.isFull = true
    book.device(get)
    #expect(book.awaitsRoom)
    #expect(book.isDownstreamPaused && book.isUpstreamPaused)
    book.server(ok)
    #expect(book.deviceGot().isEmpty)
    book.sink.isFull = false
    book.give(.roomAvailable)
    #expect(!book.isDownstreamPaused && !book.isUpstreamPaused)
    #expect(book.deviceGot() == ok)
    book.expectCleanEnd()
  }

  @Test("A recorder that is full from the beginning is asked for room, once")
  func fullFromTheBeginning() throws {
    let book = try Playbook(isFull: true)
    book.give(.tick)
    book.give(.tick)
    #expect(book.log.count { if case .awaitRoom = $0 { true } else { false } } == 1)
    #expect(book.isDownstreamPaused)
    book.sink.isFull = false
    book.give(.roomAvailable)
    #expect(!book.isDownstreamPaused)
    book.expectCleanEnd()
  }

  @Test("An upstream that is opened while the recorder is full or the device slow is not read")
  func openedWhileFull() throws {
    for isFull in [true, false] {
      let book = try Playbook()
      book.device("GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n")
      if isFull { book.sink.isFull = true } else { book.give(.congested(.downstream)) }
      try book.way()
      #expect(book.isUpstreamPaused)
      book.server(ok)
      #expect(book.deviceGot().isEmpty)
      book.sink.isFull = false
      book.give(isFull ? .roomAvailable : .drained(.downstream))
      #expect(!book.isUpstreamPaused)
      #expect(book.deviceGot() == ok)
      book.expectCleanEnd()
    }
  }

  @Test("While the recorder has no room nobody is late, and every wait begins anew after it")
  func fullAndLate() throws {
    let book = try Playbook()
    try book.tunnel()
    book.sink.isFull = true
    book.device(get)
    book.tick(afterSeconds: 61)
    #expect(book.deviceGot().isEmpty)
    book.sink.isFull = false
    book.give(.roomAvailable)
    book.tick(afterSeconds: 1)
    book.server(ok)
    #expect(book.deviceGot() == ok)
    book.expectCleanEnd()
  }

  @Test("A slow device pauses the server's leg, a slow server the device's")
  func congestion() throws {
    let book = try Playbook()
    try book.tunnel()
    let leg = try #require(book.upstream.map { Leg.upstream($0) })
    book.give(.congested(.downstream))
    #expect(book.isUpstreamPaused && !book.isDownstreamPaused)
    book.give(.drained(.downstream))
    #expect(!book.isUpstreamPaused)
    book.give(.congested(leg))
    #expect(book.isDownstreamPaused && !book.isUpstreamPaused)
    book.give(.drained(leg))
    #expect(!book.isDownstreamPaused)
    book.expectCleanEnd()
  }

  @Test("A leg is read again only when the last reason not to has gone")
  func twoReasons() throws {
    let book = try Playbook()
    try book.tunnel()
    let leg = try #require(book.upstream.map { Leg.upstream($0) })
    book.give(.congested(leg))
    book.sink.isFull = true
    book.device(get)
    book.sink.isFull = false
    book.give(.drained(leg))
    book.device(get)
    book.give(.roomAvailable)
    #expect(!book.isDownstreamPaused)
    book.expectCleanEnd()
  }

  @Test("A server that goes away while it is slow does not leave the device unread")
  func slowServerGone() throws {
    let book = try Playbook()
    book.device("GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n")
    try book.way()
    let leg = try #require(book.upstream.map { Leg.upstream($0) })
    book.give(.congested(leg))
    book.server(ok)
    book.serverCloses()
    #expect(!book.isDownstreamPaused)
    book.device("GET http://api.example/2 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    #expect(book.resolving != nil)
    book.expectCleanEnd()
  }

  @Test("What a device pipelines is read as far as there is room, and answered in full")
  func endlessPipeline() throws {
    var limits = Limits()
    limits.headBytes = 2_048
    let book = try Playbook(limits: limits)
    try book.tunnel()
    for _ in 0..<30 { book.device(String(repeating: get, count: 10)) }
    #expect(book.isDownstreamPaused)
    var answers = 0
    for _ in 0..<300 {
      #expect(book.machine.deviceCodec.bufferedCount < 4_096)
      book.server(ok)
      answers += book.deviceGot().components(of: "200 OK")
    }
    #expect(answers == 300)
    #expect(!book.isDownstreamPaused)
    book.expectCleanEnd()
  }

  @Test("What a server sends beyond its answer is not read without end")
  func endlessAnswer() throws {
    let book = try Playbook()
    try book.tunnel()
    book.device("POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 5\r\n\r\n")
    book.server(ok)
    for _ in 0..<40 { book.server(String(repeating: "x", count: 10_000)) }
    #expect(book.isUpstreamPaused)
    book.device("hello")
    #expect(book.deviceGot() == ok)
    book.expectCleanEnd()
  }
}

@Suite struct EndingTests {
  @Test(
    "A head that does not end in time closes the connection, plain or inside TLS",
    arguments: [true, false]
  )
  func headTime(isSecure: Bool) throws {
    let book = try Playbook()
    if isSecure { try book.tunnel() }
    book.device("GET / HT")
    book.tick(afterSeconds: 10)
    book.device("TP")
    #expect(book.downstreamClose == nil)
    book.tick(afterSeconds: 6)
    #expect(book.downstreamClose == .afterFlush)
    #expect(book.closures == [.idleTimeout])
    book.expectCleanEnd()
  }

  @Test(
    "A head whose beginning was pipelined has no more time than another",
    arguments: [true, false]
  )
  func pipelinedHeadTime(isSecure: Bool) throws {
    let book = try Playbook()
    if isSecure {
      try book.tunnel()
      book.device(get + "GET /2 HT")
    } else {
      book.device("GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\nGET htt")
      try book.way()
    }
    book.server(ok)
    book.tick(afterSeconds: 16)
    #expect(book.downstreamClose == .afterFlush)
    book.expectCleanEnd()
  }

  @Test(
    "An idle connection is closed after the idle time, without a failure",
    arguments: [0, 1, 2]
  )
  func idle(way: Int) throws {
    let book = try Playbook()
    switch way {
    case 0: break
    case 1:
      try book.tunnel()
      book.device(get)
      book.server(ok)
    default:
      book.device("GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n")
      try book.way()
      book.server(ok)
    }
    book.tick(afterSeconds: 299)
    #expect(!book.isFinished)
    book.tick(afterSeconds: 2)
    #expect(book.isFinished)
    #expect(book.closures == [nil])
    book.expectCleanEnd()
  }

  @Test("What only passing bytes need is given back after a second without any")
  func rest() throws {
    let book = try Playbook()
    try book.tunnel()
    book.device(get)
    book.server(ok)
    #expect(book.machine.down.output.capacity > 0)
    #expect(book.machine.up.output.capacity > 0)
    book.tick(afterSeconds: 2)
    #expect(book.machine.down.output.capacity == 0)
    #expect(book.machine.up.output.capacity == 0)
    #expect(book.machine.helloParser.raw.isEmpty)
    book.device(get)
    book.server(ok)
    #expect(book.deviceGot() == ok + ok)
    book.expectCleanEnd()
  }

  @Test("No hello in time, half of one, a slow server's or a slow device's handshake")
  func handshakeTimes() throws {
    for way in 0..<4 {
      let book = try Playbook()
      book.device(connect)
      book.resolve("192.0.2.7")
      if way == 3 { try book.connect(as: "api.example") } else { try book.connect() }
      book.skipGot()
      switch way {
      case 0: break
      case 1: book.deviceRaw("\u{16}\u{3}\u{1}")
      case 2: try book.deviceHandshake("api.example")  // the server never answers it
      default: book.deviceRaw(try hello(for: "api.example"))  // the device never goes on
      }
      book.tick(afterSeconds: 11)
      #expect(book.downstreamClose != nil, "\(way)")
      #expect(try book.flow().failure != nil)
      book.expectCleanEnd()
    }
  }

  @Test("A server that does not answer in time is answered for with 504")
  func responseTime() throws {
    let book = try Playbook()
    try book.tunnel()
    book.device(get)
    book.tick(afterSeconds: 60)
    #expect(book.deviceGot().isEmpty)
    book.tick(afterSeconds: 1)
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 504 "))
    #expect(try book.flow().failure == .responseTimeout)
    book.expectCleanEnd()
  }

  @Test("An exchange in which nothing moves is cut after the idle time")
  func stalled() throws {
    let book = try Playbook()
    try book.tunnel()
    book.device(get)
    book.server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    book.tick(afterSeconds: 301)
    #expect(book.downstreamClose == .abort)
    #expect(try book.flow().failure == .idleTimeout)
    book.expectCleanEnd()
  }

  @Test("A device that does not close after its last answer is closed by time, the cause kept")
  func draining() throws {
    let book = try Playbook()
    book.device("nonsense\r\n\r\n")
    #expect(book.downstreamClose == .writing)
    book.device("more nonsense")
    book.tick(afterSeconds: 3)
    #expect(book.isFinished)
    #expect(book.closures == [.malformedMessage])
    book.expectCleanEnd()
  }

  @Test("A stop closes idle connections at once", arguments: [0, 1, 2])
  func stopIdle(way: Int) throws {
    let book = try Playbook()
    if way == 1 { try book.tunnel() }
    if way == 2 {
      book.device(connect)
      book.resolve("192.0.2.7")
    }
    book.give(.shutdown)
    #expect(book.isFinished)
    #expect(book.closures == [way == 2 ? .shutdown : nil])
    book.expectCleanEnd()
  }

  @Test(
    "A stop lets an exchange end and says so in its head; a second stop ends it",
    arguments: [true, false]
  )
  func stopInExchange(isPatient: Bool) throws {
    let book = try Playbook()
    try book.tunnel()
    book.device(get)
    book.give(.shutdown)
    #expect(!book.isFinished)
    if isPatient {
      book.server(ok)
      #expect(book.deviceGot().contains("Connection: close\r\n"))
      #expect(book.downstreamClose == .writing)
      #expect(try book.flow().failure == nil)
    } else {
      book.give(.shutdown)
      #expect(book.isFinished)
      #expect(try book.flow().failure == .shutdown)
    }
    book.expectCleanEnd()
  }
}
