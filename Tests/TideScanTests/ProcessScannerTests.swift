import Testing
import TideCore
import TideProxy

@testable import TideScan

/// What a service reports, one after the other.
private struct Reports: Sendable {
  private let lines: AsyncStream<String>
  private let continuation: AsyncStream<String>.Continuation

  init() { (self.lines, self.continuation) = AsyncStream.makeStream() }

  /// The next line that holds some words.
  func next(with words: String = "") async -> String {
    for await line in self.lines where line.contains(words) { return line }
    return ""
  }

  func take(_ report: ScannerService.Report) {
    switch report {
    case .notice(let text): self.continuation.yield(text)
    case .words(let scanner, let text): self.continuation.yield("\(scanner): \(text)")
    }
  }
}

@Suite("A process as a scanner", .timeLimit(.minutes(2))) struct ProcessScannerTests {
  private func service(
    _ script: String,
    timeout: UInt64 = 5_000_000_000,
    _ reports: Reports = Reports()
  ) async throws -> ScannerService {
    try await ScannerService(
      icap: [],
      processes: [
        ProcessSettings(
          name: "words",
          command: ["/bin/sh", "-c", script],
          directory: "/",
          directions: [.request],
          timeout: timeout,
          onError: .block
        )
      ],
      contentLimit: 1 << 20,
      report: { reports.take($0) }
    )
  }

  /// Answers every line in the same way.
  private func always(_ answer: String) -> String {
    "while read -r line; do printf '%s\\n' '\(answer)'; done"
  }

  @Test("It is asked one line, and answers with one: findings, a verdict, a reason")
  func answers() async throws {
    let found =
      #"{"findings":[{"kind":"email","certainty":"likely","offset":1,"length":3,"path":"$.a"}]}"#
    for (answer, expected) in [
      ("{}", Heard.pass), (found, .found(["email"])), (#"{"verdict":"pass"}"#, .pass),
      (#"{"verdict":"block","reason":"a word"}"#, .refused("a word")),
    ] {
      let service = try await self.service(self.always(answer))
      #expect(await service.ask(Question.request("hello")) == expected)
      #expect(await service.ask(Question.request("hello")) == expected)
      await service.stop()
    }
  }

  @Test("The question has what the documentation says, the content without its coding")
  func question() throws {
    let line = try ProcessQuestion(Question.request("hé\"llo"), contentLimit: 100).line()
    #expect(line.last == 0x0A)
    #expect(line.count { $0 == 0x0A } == 1)
    let text = String(decoding: line, as: UTF8.self)
    for part in [
      #""flow":"f-000007""#, #""device":"redmi""#, #""direction":"request""#, #""method":"POST""#,
      #""url":"https://api.example/up""#, #""headers":[["Host","api.example"],"#,
      #""body":"aMOpImxsbw==""#, #""text":"hé\"llo""#,
    ] {
      #expect(text.contains(part), "\(part)")
    }
    #expect(!text.contains("coding"))
    let coded = Question.response("not gzip", fields: [("Content-Encoding", "gzip")])
    let odd = String(decoding: try ProcessQuestion(coded, contentLimit: 100).line(), as: UTF8.self)
    #expect(odd.contains(#""coding":"gzip""#))
    #expect(odd.contains(#""status":200"#))
  }

  @Test(
    "An answer that is half understood is none",
    arguments: [
      "garbage", "[]", "3", #"{"verdict":"maybe"}"#, #"{"findings":{}}"#,
      #"{"findings":[{"certainty":"likely"}]}"#, #"{"findings":[{"kind":"No Kind"}]}"#,
      #"{"findings":[{"kind":"a","certainty":"sure"}]}"#,
      #"{"findings":[{"kind":"a","offset":3}]}"#,
      #"{"findings":[{"kind":"a","offset":4,"length":2}]}"#,
      #"{"findings":[{"kind":"a","offset":-1,"length":2}]}"#,
      #"{"findings":[{"kind":"a","offset":9223372036854775807,"length":9223372036854775807}]}"#,
    ]
  )
  func oddAnswers(answer: String) async throws {
    #expect(throws: ScanFailure.self) { try ProcessReply.answer(answer.utf8, about: "hello") }
    let service = try await self.service(self.always(answer))
    #expect(await service.ask(Question.request("hello")) == .failed(.internalError))
    #expect(await service.ask(Question.request("hello")) == .failed(.internalError))
    await service.stop()
  }

  @Test("A crash takes one message with it, is reported, and the process is started again")
  func crashes() async throws {
    let reports = Reports()
    let service = try await self.service("read -r line; exit 3", reports)
    #expect(await service.ask(Question.request("hello")) == .failed(.connectionRefused))
    #expect(await reports.next().hasPrefix("scanner words: the process "))
    #expect(await reports.next() == "scanner words: started again")
    #expect(await service.ask(Question.request("hello")) == .failed(.connectionRefused))
    #expect(await reports.next().hasSuffix("starts again in 200 ms"))
    await service.stop()
  }

  @Test("A program that is not there is no trap: messages fail, and it is tried again")
  func isMissing() async throws {
    let reports = Reports()
    let service = try await ScannerService(
      icap: [],
      processes: [
        ProcessSettings(
          name: "none",
          command: ["./no-such-program"],
          directory: "/",
          directions: [.request],
          timeout: 1_000_000_000,
          onError: .block
        )
      ],
      contentLimit: 1_000,
      report: { reports.take($0) }
    )
    #expect(await service.ask(Question.request("hello")) == .failed(.connectionRefused))
    #expect(await reports.next().contains("No such file or directory"))
    await service.stop()
  }

  @Test("A stall is ended: the process is killed with what it started, and its successor is asked")
  func stalls() async throws {
    let reports = Reports()
    let service = try await self.service(
      "read -r line; case $line in *hang*) sleep 1000 & wait;; esac; echo '{}'; \(self.always("{}"))",
      timeout: 2_000_000_000,
      reports
    )
    #expect(await service.ask(Question.request("hang")) == .failed(.responseTimeout))
    #expect(await reports.next().contains("no answer in time"))
    #expect(await reports.next() == "scanner words: started again")
    #expect(await service.ask(Question.request("hello")) == .pass)
    await service.stop()
  }

  @Test("A line without end is cut off at its limit")
  func hugeLine() async throws {
    let service = try await self.service(
      "read -r line; while :; do printf '%065536d' 0; done",
      timeout: 60_000_000_000
    )
    #expect(await service.ask(Question.request("hello")) == .failed(.overLimit))
    await service.stop()
  }

  @Test("Who speaks without being asked is out of step, and is started again")
  func unasked() async throws {
    let reports = Reports()
    let service = try await self.service("echo '{}'; echo '{}'; cat", reports)
    #expect(await reports.next().contains("spoke without being asked"))
    await service.stop()
  }

  @Test("Its standard error goes to the log, and it inherits none of the proxy's own variables")
  func words() async throws {
    let reports = Reports()
    let service = try await self.service("echo \"in $PWD ${TIDEWAITER_X-unset}\" >&2; cat", reports)
    #expect(await reports.next() == "words: in / unset")
    await service.stop()
  }

  @Test("Stopping ends it, even if it does not want to")
  func stops() async throws {
    let reports = Reports()
    let service = try await self.service(
      "trap '' TERM; echo $$ >&2; while :; do sleep 0.1; done",
      reports
    )
    let pid = Int32(await reports.next().dropFirst("words: ".count)) ?? 0
    #expect(pid > 0)
    await service.stop()
    #expect(ChildProcess.reap(pid) != nil, "it is gone, and was reaped")
  }
}
