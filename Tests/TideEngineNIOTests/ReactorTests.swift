import Glibc
import NIOCore
import Synchronization
import Testing
import TideCore

@testable import TideEngineNIO

@Suite struct ReactorTests {
  /// What happened, in its order.
  private final class Notes: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { self.lines.withLock { $0.append(line) } }
    var all: [String] { self.lines.withLock { $0 } }
  }

  /// A descriptor's owner that says what it was told; confined to the reactor.
  private final class Ear: Watched {
    private let hears: (Readiness) -> Void
    init(_ hears: @escaping (Readiness) -> Void) { self.hears = hears }
    func isReady(_ readiness: Readiness) { self.hears(readiness) }
  }

  /// Two ends of a connected socket.
  private static func pair() throws -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    let status = unsafe socketpair(
      AF_UNIX,
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue),
      0,
      &ends
    )
    try #require(status == 0)
    return (ends[0], ends[1])
  }

  @Test("Timers run in the order of their times, and one that was called off does not")
  func timers() async throws {
    let reactor = try Reactor(number: 0)
    let notes = Notes()
    let late = reactor.scheduleTask(in: .milliseconds(30)) { notes.add("late") }
    let never = reactor.scheduleTask(in: .milliseconds(20)) { notes.add("never") }
    let early = reactor.scheduleTask(in: .milliseconds(10)) { notes.add("early") }
    never.cancel()
    try await early.futureResult.get()
    try await late.futureResult.get()
    #expect(notes.all == ["early", "late"])
    await #expect(throws: (any Error).self) { try await never.futureResult.get() }
    await reactor.stop()
  }

  @Test("Tasks from many threads all run, each once, on its own thread")
  func tasks() async throws {
    let reactor = try Reactor(number: 0)
    let count = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<8 {
        group.addTask {
          var own = 0
          for _ in 0..<200 { own += try await reactor.submit { reactor.isCurrent ? 1 : 0 }.get() }
          return own
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(count == 1_600)
    #expect(!reactor.isCurrent)
    await reactor.stop()
  }

  @Test("What was asked for before the end still runs; a timer that will not run says so")
  func ends() async throws {
    let reactor = try Reactor(number: 0)
    let notes = Notes()
    let timer = reactor.scheduleTask(in: .hours(1)) { notes.add("timer") }
    // Whoever asks what came of it once the loop is over is not told any more.
    timer.futureResult.whenFailure { _ in notes.add("called off") }
    for number in 0..<50 { reactor.post { notes.add("\(number)") } }
    await reactor.stop()
    #expect(notes.all == (0..<50).map(String.init) + ["called off"])
    // A second end, and a task for one that is over, harm nothing.
    await reactor.stop()
    reactor.post { notes.add("too late") }
    #expect(notes.all.count == 51)
  }

  @Test(
    "A descriptor is told of until it is forgotten, and its number's next owner never in its place"
  )
  func tokens() async throws {
    let reactor = try Reactor(number: 0)
    let notes = Notes()
    let (near, far) = try Self.pair()
    let told = reactor.makePromise(of: Void.self)
    try await reactor.submit {
      let token = try reactor.watch(near, for: .readable, Ear { _ in notes.add("first") })
      reactor.forget(token)
      // Twice forgotten is forgotten once.
      reactor.forget(token)
    }.get()
    close(near)
    let (second, other) = try Self.pair()
    try await reactor.submit {
      _ = try reactor.watch(
        second,
        for: .readable,
        Ear { readiness in
          notes.add(readiness.contains(.readable) ? "second" : "other")
          guard case .bytes = reactor.receive(second) else { return }
          told.succeed(())
        }
      )
    }.get()
    for end in [far, other] { _ = unsafe send(end, "x", 1, Int32(MSG_NOSIGNAL)) }
    try await told.futureResult.get()
    #expect(notes.all == ["second"])
    await reactor.stop()
    for end in [second, other, far] { close(end) }
  }

  @Test("Received bytes stay as they were when more come, few or many")
  func received() async throws {
    let reactor = try Reactor(number: 0)
    let (near, far) = try Self.pair()
    for count in [1, 4_096, 40_000, 65_536] {
      let kept = try await reactor.submit { () -> [Bytes] in
        var kept: [Bytes] = []
        for letter in [UInt8(0x61), 0x62] {
          let sent = [UInt8](repeating: letter, count: count)
          var left = count
          var taken = Bytes()
          while left > 0 {
            let done = unsafe send(far, sent, left, Int32(MSG_NOSIGNAL))
            left -= max(0, done)
            while case .bytes(let bytes) = reactor.receive(near) { taken.append(bytes) }
          }
          kept.append(taken)
        }
        return kept
      }.get()
      let isRight =
        kept[0].count == count && kept[1].count == count && kept[0].allSatisfy { $0 == 0x61 }
        && kept[1].allSatisfy { $0 == 0x62 }
      #expect(isRight, "\(count)")
    }
    close(far)
    let end = try await reactor.submit { () -> Bool in
      if case .end = reactor.receive(near) { return true }
      return false
    }.get()
    #expect(end)
    await reactor.stop()
    close(near)
  }

  @Test("A port that is taken, and a server that is not there, say why")
  func failures() throws {
    let loopback = IPAddress.v4(0x7F00_0001)
    let listener = try TCP.listen(on: ListenAddress(address: loopback, port: 0))
    let port = TCP.port(of: listener)
    #expect(port != 0)
    #expect(throws: TCP.Failure.self) {
      try TCP.claim(ListenAddress(address: loopback, port: port), sharesPort: false)
    }
    let (client, _) = try TCP.connect(to: loopback, port: port)
    let accepted = try #require(try TCP.accept(listener))
    #expect(accepted.client == loopback)
    #expect(TCP.peer(of: client) == loopback)
    let isNobodyElse = try TCP.accept(listener) == nil
    #expect(isNobodyElse)
    TCP.close(accepted.descriptor, resets: true)
    TCP.close(client)
    TCP.close(listener)
    var reason: TCP.Failure?
    do throws(TCP.Failure) {
      let (dialled, isConnected) = try TCP.connect(to: loopback, port: port)
      defer { TCP.close(dialled) }
      #expect(!isConnected)
      try TCP.finishConnect(dialled)
    } catch {
      reason = error
    }
    #expect(reason?.code == ECONNREFUSED)
  }
}
