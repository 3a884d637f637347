import Foundation
import TideCore
import Testing

@testable import TideProxy

@Suite struct AuthenticatingTests {
  private static let right = Self.basic("redmi-user", "secret")

  private static func basic(_ user: String, _ password: String) -> String {
    "Proxy-Authorization: Basic \(Data("\(user):\(password)".utf8).base64EncodedString())\r\n"
  }

  private func book(
    _ cut: Cut = .whole,
    _ scheme: ProxyAuthentication.Scheme = .basic
  ) throws -> Playbook {
    try Playbook(cut, authentication: ProxyAuthentication(scheme: scheme))
  }

  private func connect(_ name: String = "api.example", _ credentials: String = "") -> String {
    "CONNECT \(name):443 HTTP/1.1\r\nHost: \(name):443\r\n\(credentials)\r\n"
  }

  private func get(_ path: String, _ credentials: String = "") -> String {
    "GET http://api.example\(path) HTTP/1.1\r\nHost: api.example\r\n\(credentials)\r\n"
  }

  /// The credentials that the machine asks about.
  private func asked(_ book: Playbook) -> [ProxyCredentials] {
    book.log.compactMap { command in
      if case .authenticate(let credentials) = command { credentials } else { nil }
    }
  }

  /// Answers the last question.
  private func answer(_ book: Playbook, _ user: String?) throws {
    book.give(.authenticated(try #require(self.asked(book).last), user: user))
  }

  private func failure(_ book: Playbook) -> FlowFailure? {
    for case .connectionClosed(_, let failure, _) in book.sink.events { return failure }
    return nil
  }

  @Test(
    "Who says nothing of itself gets 407 with what is asked for, and nothing is looked up",
    arguments: Cut.allCases
  )
  func nothingSaid(cut: Cut) throws {
    for request in [self.connect(), self.get("/a")] {
      let book = try self.book(cut)
      book.device(request)
      let got = book.deviceGot()
      #expect(got.hasPrefix("HTTP/1.1 407 Proxy Authentication Required\r\n"))
      #expect(
        got.contains("\r\nProxy-Authenticate: Basic realm=\"Tidewaiter\", charset=\"UTF-8\"\r\n")
      )
      #expect(!got.contains("Bearer"))
      #expect(got.contains("\r\nProxy-Status: tidewaiter; error=http_request_denied; details="))
      #expect(got.contains("\r\nCache-Control: no-store\r\n"))
      #expect(got.contains("\r\nConnection: close\r\n"))
      #expect(book.resolving == nil && self.asked(book).isEmpty)
      book.deviceCloses()
      #expect(self.failure(book)?.code == .authenticationRequired)
      book.expectCleanEnd()
    }
  }

  @Test("Where tokens are asked for, both ways to bring one are offered")
  func tokensAsked() throws {
    let book = try self.book(.whole, .tokens)
    book.device(self.connect())
    let got = book.deviceGot()
    #expect(got.contains("\r\nProxy-Authenticate: Basic realm"))
    #expect(got.contains("\r\nProxy-Authenticate: Bearer realm=\"Tidewaiter\"\r\n"))
  }

  @Test(
    "A CONNECT waits for the check, unread, then goes on as the device that the user is",
    arguments: Cut.allCases
  )
  func connectAccepted(cut: Cut) throws {
    let book = try self.book(cut)
    book.device(self.connect("api.example", Self.right))
    #expect(self.asked(book) == [.basic(user: "redmi-user", password: "secret")])
    #expect(book.isDownstreamPaused)
    #expect(book.resolving == nil && book.deviceGot().isEmpty)
    try self.answer(book, "redmi-user")
    #expect(book.resolving?.text == "api.example")
    book.resolve("192.0.2.7")
    try book.connect(as: "api.example")
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 200 "))
    try book.deviceHandshake("api.example")
    book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server("HTTP/1.1 204 No Content\r\n\r\n")
    #expect(try book.flow().start.facts.device == "redmi")
    #expect(self.asked(book).count == 1, "nothing is asked inside the tunnel")
    book.expectCleanEnd()
  }

  @Test("A user without a profile is the device by that name")
  func withoutProfile() throws {
    let book = try self.book()
    book.device(self.get("/", Self.basic("tablet", "x")))
    try self.answer(book, "tablet")
    try book.way()
    book.server("HTTP/1.1 204 No Content\r\n\r\n")
    #expect(try book.flow().start.facts.device == "tablet")
    book.expectCleanEnd()
  }

  @Test(
    "What was accepted holds for the connection; nothing of it is forwarded or recorded",
    arguments: Cut.allCases
  )
  func keptAlive(cut: Cut) throws {
    let book = try self.book(cut)
    book.device(self.get("/1", Self.right))
    try self.answer(book, "redmi-user")
    try book.way()
    #expect(book.serverGot() == "GET /1 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server("HTTP/1.1 204 No Content\r\n\r\n")
    book.device(self.get("/2", Self.right))
    #expect(book.serverGot() == "GET /2 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server("HTTP/1.1 204 No Content\r\n\r\n")
    #expect(self.asked(book).count == 1)
    let secret = Data("redmi-user:secret".utf8).base64EncodedString()
    var heads = 0
    for case .head(_, .request, _, let bytes) in book.sink.events {
      heads += 1
      #expect(!bytes.text.contains(secret))
      #expect(bytes.text.contains("Proxy-Authorization: ***** *"))
    }
    #expect(heads == 2)
    // Others on the same connection are asked about anew.
    book.device(self.get("/3", Self.basic("other", "x")))
    #expect(self.asked(book).count == 2)
    try self.answer(book, nil)
    #expect(book.deviceGot().contains("HTTP/1.1 407 "))
    #expect(book.serverGot().isEmpty)
  }

  @Test("A request without credentials after one with them gets 407 too")
  func forgotten() throws {
    let book = try self.book()
    book.device(self.get("/1", Self.right))
    try self.answer(book, "redmi-user")
    try book.way()
    book.server("HTTP/1.1 204 No Content\r\n\r\n")
    book.skipGot()
    book.device(self.get("/2"))
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 407 "))
    #expect(book.serverGot().isEmpty)
  }

  @Test("Who is refused gets 407; the record names the user and never the password")
  func refused() throws {
    let book = try self.book()
    book.device(self.connect("api.example", Self.basic("redmi-user", "hunter2hunter2")))
    try self.answer(book, nil)
    let got = book.deviceGot()
    #expect(got.hasPrefix("HTTP/1.1 407 ") && !got.contains("hunter2"))
    #expect(book.resolving == nil)
    book.deviceCloses()
    let failure = try #require(self.failure(book))
    #expect(failure.code == .authenticationRequired && failure.origin == .downstream)
    #expect(failure.detail == "the user \"redmi-user\" or the password is not right")
    book.expectCleanEnd()
  }

  @Test("A token that is nobody's is not recorded, whichever way it came")
  func refusedToken() throws {
    let token = "0123456789abcdef0123"
    let ways = [
      "Proxy-Authorization: Bearer \(token)\r\n", Self.basic(token, ""), Self.basic("x", token),
    ]
    for credentials in ways {
      let book = try self.book(.whole, .tokens)
      book.device(self.connect("api.example", credentials))
      try self.answer(book, nil)
      #expect(book.deviceGot().hasPrefix("HTTP/1.1 407 "))
      book.deviceCloses()
      #expect(self.failure(book)?.detail == "a token that is nobody's")
    }
  }

  @Test(
    "Credentials that cannot be read, come twice or are of the wrong kind are not even asked about",
    arguments: [
      "Proxy-Authorization: Basic !\r\n", "Proxy-Authorization: Digest a=b\r\n",
      "Proxy-Authorization: Bearer 0123456789abcdef\r\n",
      "Proxy-Authorization: Basic YTpi\r\nProxy-Authorization: Basic YTpi\r\n",
    ]
  )
  func unreadable(field: String) throws {
    let book = try self.book()
    book.device(self.connect("api.example", field))
    #expect(self.asked(book).isEmpty)
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 407 "))
  }

  @Test("The pages for the phone's set-up stay open, and so does a proxy that asks nobody")
  func open() throws {
    let site = try self.book()
    site.device("GET / HTTP/1.1\r\nHost: 192.0.2.1:8080\r\n\r\n")
    #expect(site.deviceGot().hasPrefix("HTTP/1.1 200 "))
    let book = try Playbook()
    book.device(self.connect("api.example", Self.right))
    #expect(book.resolving?.text == "api.example" && self.asked(book).isEmpty)
  }

  @Test("A check that takes more than 10 s ends in 503, and its late answer changes nothing")
  func late() throws {
    let book = try self.book()
    book.device(self.connect("api.example", Self.right))
    book.tick(afterSeconds: 9)
    #expect(book.deviceGot().isEmpty)
    book.tick(afterSeconds: 2)
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 503 "))
    try self.answer(book, "redmi-user")
    #expect(book.resolving == nil && book.deviceGot().isEmpty)
    book.deviceCloses()
    book.expectCleanEnd()
  }

  @Test("An answer about other credentials than those that wait changes nothing")
  func stray() throws {
    let book = try self.book()
    book.device(self.connect("api.example", Self.right))
    book.give(.authenticated(.basic(user: "redmi-user", password: "other"), user: "redmi-user"))
    #expect(book.resolving == nil && book.deviceGot().isEmpty)
    try self.answer(book, "redmi-user")
    #expect(book.resolving != nil)
  }

  @Test("A device that goes, and a proxy that stops, end the connection in the middle of a check")
  func interrupted() throws {
    for event in [Event.closed(.downstream, .reset), .closed(.downstream, .end), .shutdown] {
      let book = try self.book()
      book.device(self.connect("api.example", Self.right))
      book.give(event)
      book.give(.authenticated(.basic(user: "redmi-user", password: "secret"), user: "redmi-user"))
      #expect(book.resolving == nil)
      #expect(book.isFinished)
    }
  }

  @Test("A request that is whole gets its answer though the device has ended its side")
  func halfClosed() throws {
    let book = try self.book()
    book.device(self.get("/", Self.right))
    book.give(.closed(.downstream, .end))
    try self.answer(book, "redmi-user")
    try book.way()
    book.server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    #expect(book.deviceGot().hasSuffix("ok"))
  }
}
