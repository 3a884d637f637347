import Testing
import TideCore
import TideHTTP
import TidePolicy

@testable import TideProxy

/// Scanners over HTTP/2: each stream waits by itself.
@Suite struct HTTP2ScanTests {
  private func play(
    _ cut: Cut = .whole,
    mode: Mode = .block,
    limits: Limits = Limits(),
    scanning directions: Set<Direction>
  ) throws -> HTTP2Play {
    let book = try Playbook(
      mode: mode,
      limits: limits,
      scanners: [FakeScanner(directions: directions)]
    )
    try book.tunnel(offering: ["h2"], selecting: "h2")
    return try HTTP2Play(book, cut, isLenient: false)
  }

  private func answer(
    _ play: HTTP2Play,
    _ path: String,
    _ verdict: ScanAnswer.Verdict = .pass
  ) throws {
    let scan = try #require(play.book.scans.last { $0.request.url.hasSuffix(path) })
    play.give(.scanned(scan.id, .success(ScanAnswer(verdict: verdict))))
  }

  @Test(
    "Streams wait by themselves, and go on in the order of the answers",
    arguments: Cut.allCases
  )
  func streams(cut: Cut) throws {
    let play = try self.play(cut, scanning: [.request])
    let first = play.post("/1", "one")
    let second = play.get("/2")
    #expect(play.asked.isEmpty)
    try self.answer(play, "/2")
    #expect(play.asked.map(\.path) == ["/2"])
    try self.answer(play, "/1")
    #expect(play.asked.map(\.path).sorted() == ["/1", "/2"])
    try play.reply(to: "/1", 200, [], "a")
    try play.reply(to: "/2", 200, [], "b")
    #expect(play.answer(first).text == "a")
    #expect(play.answer(second).text == "b")
    #expect(play.book.flows.allSatisfy { $0.end != nil && $0.failure == nil })
    play.expectCleanEnd()
  }

  @Test("A refused request is answered on its stream, a refused response in its place")
  func refuses() throws {
    let play = try self.play(scanning: [.request, .response])
    let first = play.post("/1", "one")
    try self.answer(play, "/1", .refuse(reason: "because"))
    #expect(play.answer(first).status == 451)
    #expect(play.asked.isEmpty)
    let second = play.get("/2")
    try self.answer(play, "/2")
    try play.reply(to: "/2", 200, [], "malware")
    #expect(play.answer(second).text.isEmpty)
    try self.answer(play, "/2", .refuse(reason: "because"))
    #expect(play.answer(second).status == 451)
    #expect(!play.answer(second).text.contains("malware"))
    play.expectCleanEnd()
  }

  @Test(
    "A changed response has its own length and names in lower case",
    arguments: [Mode.redact, .block]
  )
  func replaces(mode: Mode) throws {
    let play = try self.play(mode: mode, scanning: [.response])
    let stream = play.get("/1")
    try play.reply(to: "/1", 204)
    let head = MessageHead(
      start: .response(status: 200, reason: "OK"),
      fields: HeaderFields([("X-Scanned", "yes")])
    )
    try self.answer(play, "/1", .replace(head, content: "changed"))
    let answer = play.answer(stream)
    #expect(answer.status == 200)
    #expect(answer.text == "changed")
    #expect(answer.isWhole)
    play.expectCleanEnd()
  }

  @Test("In record mode content streams; only the end of each message waits")
  func records() throws {
    let play = try self.play(mode: .record, scanning: [.request, .response])
    let stream = play.open("POST", "/1")
    play.upload("some", on: stream)
    #expect(play.asked.map(\.path) == ["/1"])
    play.upload("more", on: stream, isLast: true)
    try self.answer(play, "/1", .refuse(reason: "because"))
    try play.reply(to: "/1", 200, [], "half", isLast: false)
    #expect(play.answer(stream).text == "half")
    try play.send("whole", to: "/1", isLast: true)
    #expect(!play.answer(stream).isWhole)
    try self.answer(play, "/1", .refuse(reason: "because"))
    #expect(play.answer(stream).text == "halfwhole")
    #expect(play.answer(stream).isWhole)
    let flow = try play.flow("/1")
    #expect(flow.failure == nil)
    #expect(flow.end?.verdict.applied == .log)
    play.expectCleanEnd()
  }

  @Test(
    "A server that leaves after its response, or resets its stream, takes nothing from the device"
  )
  func serverLeaves() throws {
    for leaves in [true, false] {
      let play = try self.play(scanning: [.response])
      let stream = play.open("POST", "/1")
      try play.reply(to: "/1", 200, [], "answer")
      if leaves {
        play.book.serverCloses()
      } else {
        try play.serverResets("/1", .noError)
      }
      #expect(play.answer(stream).text.isEmpty)
      try self.answer(play, "/1")
      #expect(play.answer(stream).status == 200)
      #expect(play.answer(stream).text == "answer")
      #expect(try play.flow("/1").failure == .truncated, "the rest of its request went nowhere")
      play.expectCleanEnd()
    }
  }

  @Test(
    "Copies that are kept for scanners are bounded for the connection; beyond it streams are not scanned"
  )
  func boundsCopies() throws {
    var limits = Limits()
    limits.heldPerConnection = 1_000
    let play = try self.play(mode: .record, limits: limits, scanning: [.request])
    let streams = (0..<3).map { play.open("POST", "/\($0)") }
    for stream in streams { play.upload(String(repeating: "z", count: 400), on: stream) }
    for stream in streams { play.upload("", on: stream, isLast: true) }
    #expect(play.book.scans.count == 2)
    #expect(play.book.flows.flatMap(\.notes).count == 1)
    #expect(play.book.machine.scanCopies == 800)
    for scan in play.book.scans { play.give(.scanned(scan.id, .success(ScanAnswer()))) }
    #expect(play.book.machine.scanCopies == 0)
    #expect(play.book.machine.scans.isEmpty)
    play.expectCleanEnd()
  }
}
