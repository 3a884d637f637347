import NIOCore
import NIOPosix
import Testing
import TideCore
import TideProxy

@testable import TideScan

/// What a test hears of an answer.
enum Heard: Equatable {
  case pass
  case refused(String)
  case replaced(String)
  case found([String])
  case failed(FlowFailure.Code)
}

extension ScannerService {
  /// Asks the first scanner and waits for its answer.
  func ask(_ request: ScanRequest, scanner: Int = 0) async -> Heard {
    let result = await withCheckedContinuation { continuation in
      self.scanners[scanner].scan(request) { continuation.resume(returning: $0) }
    }
    switch result {
    case .failure(let failure): return .failed(failure.code)
    case .success(let answer):
      switch answer.verdict {
      case .refuse(let reason): return .refused(reason)
      case .replace(_, let content): return .replaced(content.text)
      case .pass: return answer.findings.isEmpty ? .pass : .found(answer.findings.map(\.kind.name))
      }
    }
  }

  static func icap(
    _ direction: Direction,
    port: Int,
    timeout: UInt64 = 5
  ) async throws -> ScannerService {
    try await ScannerService(
      icap: [Question.settings(direction, port: port, timeout: timeout)],
      processes: [],
      contentLimit: 1 << 20,
      report: { _ in }
    )
  }
}

@Suite("An ICAP service as a scanner") struct ICAPScannerTests {
  @Test("OPTIONS is asked once, and one connection serves message after message")
  func keepsConnection() async throws {
    let server = try await FakeICAPServer { _, _ in .answer(FakeICAPServer.unchanged) }
    let service = try await ScannerService.icap(.request, port: server.port)
    for number in 0..<5 {
      #expect(await service.ask(Question.request("message \(number)")) == .pass)
    }
    #expect(server.optionsCount == 1)
    #expect(server.connections == 1)
    #expect(server.questions.count == 5)
    await service.stop()
    await server.stop()
  }

  @Test("Messages that come together share a few connections, and each gets its own answer")
  func together() async throws {
    let server = try await FakeICAPServer(
      options: "ICAP/1.0 200 OK\r\nMax-Connections: 3\r\n\r\n"
    ) { question, _ in
      question.contains("bad")
        ? .answer(
          "ICAP/1.0 200 OK\r\nX-Infection-Found: Threat=bad;\r\nEncapsulated: res-hdr=0, null-body=26\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\n"
        )
        : .answer(FakeICAPServer.unchanged)
    }
    let service = try await ScannerService.icap(.request, port: server.port)
    let heard = await withTaskGroup(of: (Int, Heard).self) { group in
      for number in 0..<30 {
        group.addTask {
          (number, await service.ask(Question.request(number % 3 == 0 ? "bad" : "good")))
        }
      }
      var heard: [Int: Heard] = [:]
      for await (number, answer) in group { heard[number] = answer }
      return heard
    }
    for number in 0..<30 {
      #expect(heard[number] == (number % 3 == 0 ? .refused("bad") : .pass))
    }
    #expect(server.connections <= 3)
    await service.stop()
    await server.stop()
  }

  @Test("A connection that the server closed while it was idle costs one more try, not the message")
  func staleConnection() async throws {
    let server = try await FakeICAPServer { _, number in
      number == 1 ? .close : .answer(FakeICAPServer.unchanged)
    }
    let service = try await ScannerService.icap(.request, port: server.port)
    #expect(await service.ask(Question.request("one")) == .pass)
    #expect(await service.ask(Question.request("two")) == .pass)
    #expect(server.connections == 2)
    #expect(server.questions.count == 3)
    await service.stop()
    await server.stop()
  }

  @Test("A server that closes every time is asked twice at most, and the message fails")
  func closes() async throws {
    let server = try await FakeICAPServer { _, _ in .close }
    let service = try await ScannerService.icap(.request, port: server.port)
    #expect(await service.ask(Question.request("one")) == .failed(.connectionRefused))
    #expect(server.questions.count <= 2)
    await service.stop()
    await server.stop()
  }

  @Test("A server that says nothing fails the message in time, and the next one is asked anew")
  func stalls() async throws {
    let server = try await FakeICAPServer { _, number in
      number == 0 ? .silence : .answer(FakeICAPServer.unchanged)
    }
    let service = try await ScannerService.icap(.request, port: server.port, timeout: 1)
    #expect(await service.ask(Question.request("one")) == .failed(.responseTimeout))
    #expect(await service.ask(Question.request("two")) == .pass)
    await service.stop()
    await server.stop()
  }

  @Test("Nobody listens: the message fails at once, and succeeds when somebody does")
  func isDead() async throws {
    let server = try await FakeICAPServer { _, _ in .answer(FakeICAPServer.unchanged) }
    let port = server.port
    await server.stop()
    let service = try await ScannerService.icap(.request, port: port)
    #expect(await service.ask(Question.request("one")) == .failed(.connectionRefused))
    #expect(await service.ask(Question.request("two")) == .failed(.connectionRefused))
    await service.stop()
  }

  @Test(
    "Answers without sense fail the message and no other",
    arguments: [
      "nonsense\r\n\r\n", "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=5\r\n\r\nHTTP/1",
      "ICAP/1.0 500 Server error\r\n\r\n", "ICAP/1.0 100 Continue\r\n\r\n",
      "ICAP/1.0 200 OK\r\n\r\n",
    ]
  )
  func garbage(answer: String) async throws {
    let server = try await FakeICAPServer { _, number in
      number == 0 ? .answerAndClose(answer) : .answer(FakeICAPServer.unchanged)
    }
    let service = try await ScannerService.icap(.request, port: server.port)
    guard case .failed = await service.ask(Question.request("one")) else {
      Issue.record("it fails")
      return
    }
    #expect(await service.ask(Question.request("two")) == .pass)
    await service.stop()
    await server.stop()
  }

  @Test("A preview is enough for some content; for the rest the server asks")
  func preview() async throws {
    let server = try await FakeICAPServer(
      options: "ICAP/1.0 200 OK\r\nPreview: 4\r\nAllow: 204\r\n\r\n"
    ) { question, _ in
      // The first four bytes decide whether it wants more.
      question.contains("REQMOD") && question.contains("more")
        ? .answer("ICAP/1.0 100 Continue\r\n\r\n") : .answer(FakeICAPServer.unchanged)
    }
    let service = try await ScannerService.icap(.request, port: server.port)
    #expect(await service.ask(Question.request("enough of it")) == .pass)
    #expect(await service.ask(Question.request("more of it")) == .pass)
    let questions = server.questions
    #expect(questions.count == 3)
    #expect(questions.first?.contains("enou\r\n0\r\n\r\n") == true)
    #expect(questions.last == "6\r\n of it\r\n0\r\n\r\n")
    #expect(server.connections == 1)
    await service.stop()
    await server.stop()
  }

  @Test("A changed message comes back whole, and another ISTag has OPTIONS asked again")
  func replaces() async throws {
    let server = try await FakeICAPServer { question, _ in
      let head = "HTTP/1.1 200 OK\r\nX-Clean: yes\r\n\r\n"
      return .answer(
        "ICAP/1.0 200 OK\r\nISTag: \"2\"\r\nEncapsulated: res-hdr=0, res-body=\(head.utf8.count)\r\n\r\n"
          + head + "5\r\nclean\r\n0\r\n\r\n"
      )
    }
    let service = try await ScannerService.icap(.response, port: server.port)
    #expect(await service.ask(Question.response("dirty")) == .replaced("clean"))
    #expect(await service.ask(Question.response("dirty")) == .replaced("clean"))
    #expect(server.optionsCount == 2)
    await service.stop()
    await server.stop()
  }

  @Test("Who waits when the proxy stops is told")
  func stops() async throws {
    let server = try await FakeICAPServer { _, _ in .silence }
    let service = try await ScannerService.icap(.request, port: server.port)
    async let waiting = service.ask(Question.request("one"))
    for await question in server.arrivals where question.hasPrefix("REQMOD") { break }
    await service.stop()
    #expect(await waiting == .failed(.shutdown))
    await server.stop()
  }
}
