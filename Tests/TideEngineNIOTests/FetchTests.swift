import NIOCore
import Testing
import TideCore
import TidePolicy
import TideProxy

@testable import TideEngineNIO

@Suite struct FetchTests {
  private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer"

  private func code(_ outcome: Result<Bytes, FlowFailure>) -> FlowFailure.Code? {
    switch outcome {
    case .success: nil
    case .failure(let failure): failure.code
    }
  }

  @Test("A fetch brings the server's answer, is asked for no credentials, and is a flow of our own")
  func success() async throws {
    let bench = try await FetchBench()
    let server = try await AnswerServer(.answers(Self.ok))
    let answer = try await bench.fetch(server.get()).get()
    #expect(answer.text.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(answer.text.hasSuffix("\r\n\r\nanswer"))
    #expect(server.requests.count == 1)
    #expect(server.requests.first?.hasPrefix("GET /x.crl HTTP/1.1\r\n") == true)
    #expect(bench.sink.flows.map(\.device) == ["tidewaiter"])
    #expect(bench.sink.flows.map(\.url) == ["http://crl.example:\(server.port)/x.crl"])
    #expect(bench.sink.ends == [nil])
    #expect(try await bench.onLoop { $0.count } == 0)
    try await server.stop()
  }

  @Test("A question in a body is sent whole, and an answer may end with its connection")
  func post() async throws {
    let bench = try await FetchBench()
    let server = try await AnswerServer(.answersAndCloses("HTTP/1.1 200 OK\r\n\r\nanswer"))
    let request = Bytes(
      "POST http://crl.example:\(server.port)/ocsp HTTP/1.1\r\nHost: crl.example:\(server.port)\r\n"
        + "Content-Length: 4\r\nConnection: close\r\n\r\n\r\n\r\n"
    )
    let answer = try await bench.fetch(request).get()
    #expect(answer.text.hasSuffix("answer"))
    #expect(server.requests.first?.hasPrefix("POST /ocsp HTTP/1.1\r\n") == true)
    #expect(server.requests.first?.hasSuffix("\r\n\r\n\r\n\r\n") == true)
    try await server.stop()
  }

  @Test("An answer over the limit is none, and the case says why")
  func overLimit() async throws {
    let bench = try await FetchBench()
    let endless = "HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\nthe beginning"
    let server = try await AnswerServer(.answers(endless))
    let outcome = try await bench.fetch(server.get(), limit: 32)
    #expect(self.code(outcome) == .overLimit)
    #expect(try await bench.onLoop { $0.count } == 0)
    #expect(bench.sink.ends == [.overLimit])
    try await server.connectionIsGone()
    try await server.stop()
  }

  @Test("A server that refuses connections is a failure of its own, not a page of ours")
  func dead() async throws {
    let bench = try await FetchBench()
    let port = try SilentPort()
    let request = Bytes(
      "GET http://crl.example:\(port.number)/ HTTP/1.1\r\nHost: crl.example:\(port.number)\r\n\r\n"
    )
    #expect(self.code(try await bench.fetch(request)) == .connectionRefused)
    #expect(bench.sink.flows.map(\.device) == ["tidewaiter"])
  }

  @Test("An address of special use is not dialled for a fetch either")
  func specialUse() async throws {
    let bench = try await FetchBench(allowsLoopback: false)
    let server = try await AnswerServer(.answers(Self.ok))
    #expect(self.code(try await bench.fetch(server.get())) == .specialUse)
    let literal = Bytes(
      "GET http://127.0.0.1:\(server.port)/ HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n\r\n"
    )
    #expect(self.code(try await bench.fetch(literal)) == .specialUse)
    #expect(server.requests.isEmpty)
    try await server.stop()
  }

  @Test("A rule that blocks the host blocks the fetch, and nothing is sent")
  func blocked() async throws {
    var conditions = Conditions()
    conditions.host = ["crl.example"]
    let rule = Rule(
      id: RuleID("no-crl"),
      when: conditions,
      then: .block,
      how: nil,
      holdsBody: false,
      otherwise: .block,
      location: SourceLocation(file: "rules.yaml", line: 1, column: 1)
    )
    let bench = try await FetchBench(rules: [rule], mode: .block)
    let server = try await AnswerServer(.answers(Self.ok))
    #expect(self.code(try await bench.fetch(server.get())) == .blockedByRule)
    #expect(server.requests.isEmpty)
    try await server.stop()
  }

  @Test("Half an answer is none", arguments: [false, true])
  func cut(isInHead: Bool) async throws {
    let bench = try await FetchBench()
    let half =
      isInHead ? "HTTP/1.1 200 OK\r\nConte" : "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nans"
    let server = try await AnswerServer(.answersAndCloses(half))
    #expect(self.code(try await bench.fetch(server.get())) == .truncated)
    try await server.stop()
  }

  @Test(
    "Only http URLs of others are fetched, by requests that are whole",
    arguments: [
      ("GET http://tidewaiter.internal/ HTTP/1.1\r\nHost: tidewaiter.internal\r\n\r\n", .loop),
      ("GET / HTTP/1.1\r\nHost: tidewaiter.internal\r\n\r\n", .malformedTarget),
      ("GET https://crl.example/ HTTP/1.1\r\nHost: crl.example\r\n\r\n", .malformedTarget),
      ("CONNECT crl.example:443 HTTP/1.1\r\nHost: crl.example:443\r\n\r\n", .malformedTarget),
      ("GET http://crl.example/ HTTP/1.1\r\nHost: crl", .truncated),
      ("", .truncated),
    ] as [(String, FlowFailure.Code)]
  )
  func otherRequests(request: String, expected: FlowFailure.Code) async throws {
    let bench = try await FetchBench()
    #expect(self.code(try await bench.fetch(Bytes(request))) == expected)
    #expect(try await bench.onLoop { $0.count } == 0)
  }

  @Test("Equal fetches that are under way together are one request; others are their own")
  func sharing() async throws {
    let bench = try await FetchBench()
    let server = try await AnswerServer(.answers(Self.ok))
    let same = (0..<6).map { bench.begin(server.get(), owner: FetchBench.firstOwner + $0) }
    let other = bench.begin(server.get("/y.crl"))
    for future in same + [other] {
      #expect(try await future.get().get().text.hasSuffix("answer"))
    }
    #expect(server.requests.count == 2)
    // What is over is not remembered here: that is the cache's.
    _ = try await bench.fetch(server.get())
    #expect(server.requests.count == 3)
    try await server.stop()
  }

  @Test("A server that never answers has five seconds")
  func time() async throws {
    let bench = try await FetchBench()
    let server = try await AnswerServer(.waits)
    let outcome = bench.begin(server.get())
    try await bench.onLoop { fetches in
      let now = Clock.now().instant.nanoseconds
      fetches.tick(at: Instant(nanoseconds: now + 4_000_000_000))
      #expect(fetches.count == 1)
      fetches.tick(at: Instant(nanoseconds: now + 5_000_000_001))
      #expect(fetches.count == 0)
    }
    #expect(self.code(try await outcome.get()) == .responseTimeout)
    #expect(bench.sink.ends == [.responseTimeout])
    try await server.stop()
  }

  @Test("A fetch ends with the last of the connections that asked")
  func abandoned() async throws {
    let bench = try await FetchBench()
    let server = try await AnswerServer(.waits)
    let answered = try await bench.onLoop { fetches in
      var answered = 0
      let owner = FetchBench.firstOwner
      for owner in owner...owner + 1 {
        fetches.begin(
          Fetch.Key(request: server.get(), limit: 1_024, device: "phone"),
          for: Fetch.Waiter(owner: owner) { _ in answered += 1 }
        )
      }
      fetches.abandon(owner: owner)
      #expect(fetches.count == 1)
      fetches.abandon(owner: owner + 1)
      #expect(fetches.count == 0)
      return answered
    }
    #expect(answered == 0)
    #expect(bench.sink.ends == [.truncated])
    try await server.stop()
  }

  @Test("There is a limit to all fetches together, and the proxy's end is theirs")
  func most() async throws {
    let bench = try await FetchBench()
    let server = try await AnswerServer(.waits)
    let begun = (0..<Fetches.most).map { bench.begin(server.get("/\($0)")) }
    #expect(self.code(try await bench.fetch(server.get("/more"))) == .overLimit)
    // One more that waits for one of them is no more.
    let joined = bench.begin(server.get("/0"))
    try await bench.onLoop { $0.end() }
    for future in begun + [joined] { #expect(self.code(try await future.get()) == .shutdown) }
    try await server.stop()
  }
}
