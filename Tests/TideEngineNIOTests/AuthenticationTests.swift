import NIOCore
import NIOPosix
import Synchronization
import Testing
import TideCore

@testable import TideEngineNIO

/// Accepts the password "right", counts how often it is asked, and can be held.
private final class FakeAuthenticator: Authenticator {
  private let state = Mutex(0)
  private let gate: Gate?
  private let accepted: Bytes

  init(accepting accepted: Bytes = "right", heldBy gate: Gate? = nil) {
    self.accepted = accepted
    self.gate = gate
  }

  var asked: Int { self.state.withLock { $0 } }

  func user(of credentials: ProxyCredentials) -> String? {
    self.state.withLock { $0 += 1 }
    self.gate?.wait()
    guard case .basic(let user, let password) = credentials, password == self.accepted else {
      return nil
    }
    return user.text
  }
}

/// Holds whoever waits until it is opened.
private final class Gate: Sendable {
  private let opened: EventLoopFuture<Void>
  private let promise: EventLoopPromise<Void>

  init(_ loop: any EventLoop) {
    self.promise = loop.makePromise()
    self.opened = self.promise.futureResult
  }

  func open() { self.promise.succeed(()) }
  func wait() { _ = try? self.opened.wait() }
}

@Suite struct AuthenticationTests {
  private let loop = MultiThreadedEventLoopGroup.singleton.next()

  private func answer(
    of authentication: Authentication,
    _ credentials: ProxyCredentials
  ) async throws -> String? {
    let promise = self.loop.makePromise(of: String?.self)
    authentication.check(credentials, on: self.loop) { promise.succeed($0) }
    return try await promise.futureResult.get()
  }

  @Test("Who was right is remembered; who was wrong is asked about again")
  func remembers() async throws {
    let fake = FakeAuthenticator()
    let clock = TestClock()
    let authentication = try Authentication(fake, now: { clock.now })
    defer { authentication.stop() }
    for _ in 0..<3 {
      #expect(
        try await self.answer(of: authentication, .basic(user: "redmi", password: "right"))
          == "redmi"
      )
    }
    #expect(fake.asked == 1)
    for _ in 0..<2 {
      #expect(
        try await self.answer(of: authentication, .basic(user: "redmi", password: "wrong")) == nil
      )
    }
    #expect(fake.asked == 3)
  }

  @Test("The same bytes cut elsewhere into user and password, or as a token, are other credentials")
  func keys() async throws {
    let fake = FakeAuthenticator(accepting: "b")
    let authentication = try Authentication(fake)
    defer { authentication.stop() }
    #expect(try await self.answer(of: authentication, .basic(user: "a", password: "b")) == "a")
    #expect(try await self.answer(of: authentication, .basic(user: "ab", password: "")) == nil)
    #expect(try await self.answer(of: authentication, .basic(user: "", password: "ab")) == nil)
    #expect(try await self.answer(of: authentication, .bearer("ab")) == nil)
    #expect(fake.asked == 4)
  }

  @Test("What was remembered is forgotten after five minutes and when the users are replaced")
  func forgets() async throws {
    let fake = FakeAuthenticator()
    let clock = TestClock()
    let authentication = try Authentication(fake, now: { clock.now })
    defer { authentication.stop() }
    let right = ProxyCredentials.basic(user: "redmi", password: "right")
    #expect(try await self.answer(of: authentication, right) == "redmi")
    clock.pass(seconds: 299)
    #expect(try await self.answer(of: authentication, right) == "redmi")
    #expect(fake.asked == 1)
    clock.pass(seconds: 2)
    #expect(try await self.answer(of: authentication, right) == "redmi")
    #expect(fake.asked == 2)
    authentication.replace(FakeAuthenticator(accepting: "other"))
    #expect(try await self.answer(of: authentication, right) == nil)
  }

  @Test("Connections that bring the same credentials at once share one check")
  func shares() async throws {
    let gate = Gate(self.loop)
    let fake = FakeAuthenticator(heldBy: gate)
    let authentication = try Authentication(fake)
    defer { authentication.stop() }
    let promises = (0..<20).map { _ in self.loop.makePromise(of: String?.self) }
    for promise in promises {
      authentication.check(.basic(user: "redmi", password: "right"), on: self.loop) {
        promise.succeed($0)
      }
    }
    gate.open()
    for promise in promises { #expect(try await promise.futureResult.get() == "redmi") }
    #expect(fake.asked == 1)
  }

  @Test("A check that a reload overtakes is made again with the new users")
  func overtaken() async throws {
    let gate = Gate(self.loop)
    let authentication = try Authentication(FakeAuthenticator(heldBy: gate))
    defer { authentication.stop() }
    let promise = self.loop.makePromise(of: String?.self)
    authentication.check(.basic(user: "redmi", password: "right"), on: self.loop) {
      promise.succeed($0)
    }
    authentication.replace(FakeAuthenticator(accepting: "other"))
    gate.open()
    #expect(try await promise.futureResult.get() == nil)
  }

  @Test("Beyond the bound a check gets no answer, and none before has to do without")
  func bounded() async throws {
    let gate = Gate(self.loop)
    let fake = FakeAuthenticator(heldBy: gate)
    let authentication = try Authentication(fake)
    defer { authentication.stop() }
    let counter = TestCounter()
    let promises = (0..<Authentication.mostChecks).map { _ in
      self.loop.makePromise(of: String?.self)
    }
    for (index, promise) in promises.enumerated() {
      authentication.check(.basic(user: Bytes("u\(index)"), password: "right"), on: self.loop) {
        promise.succeed($0)
      }
    }
    authentication.check(.basic(user: "late", password: "right"), on: self.loop) { _ in
      counter.count()
    }
    gate.open()
    for (index, promise) in promises.enumerated() {
      #expect(try await promise.futureResult.get() == "u\(index)")
    }
    #expect(counter.value == 0)
    #expect(fake.asked == Authentication.mostChecks)
    #expect(
      try await self.answer(of: authentication, .basic(user: "late", password: "right")) == "late"
    )
  }

  @Test("No more than so many are remembered; the one that was used longest ago goes")
  func evicts() async throws {
    let fake = FakeAuthenticator()
    let clock = TestClock()
    let authentication = try Authentication(fake, now: { clock.now })
    defer { authentication.stop() }
    for index in 0..<Authentication.mostAccepted {
      _ = try await self.answer(
        of: authentication,
        .basic(user: Bytes("u\(index)"), password: "right")
      )
    }
    let asked = fake.asked
    _ = try await self.answer(of: authentication, .basic(user: "u0", password: "right"))
    #expect(fake.asked == asked, "remembered, and used last now")
    _ = try await self.answer(of: authentication, .basic(user: "new", password: "right"))
    _ = try await self.answer(of: authentication, .basic(user: "u0", password: "right"))
    #expect(fake.asked == asked + 1)
    _ = try await self.answer(of: authentication, .basic(user: "u1", password: "right"))
    #expect(fake.asked == asked + 2, "u1 had to go for new")
  }
}

/// A clock that stands until it is told.
private final class TestClock: Sendable {
  private let nanoseconds = Mutex<UInt64>(1_000_000_000)

  var now: Instant { Instant(nanoseconds: self.nanoseconds.withLock { $0 }) }
  func pass(seconds: UInt64) { self.nanoseconds.withLock { $0 += seconds * 1_000_000_000 } }
}

private final class TestCounter: Sendable {
  private let state = Mutex(0)

  var value: Int { self.state.withLock { $0 } }
  func count() { self.state.withLock { $0 += 1 } }
}
