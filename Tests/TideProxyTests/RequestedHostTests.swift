import Testing
import TideCore
import TidePolicy

@testable import TideProxy

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
private let noCN = rule("no-cn", .block) { $0.region = ["lab-cn"] }
private let elsewhere = "GET / HTTP/1.1\r\nHost: hidden.example\r\n\r\n"

/// Fronting where it is allowed (`tls.fronting: judge`): a request's own host is judged too.
@Suite struct RequestedHostTests {
  private func book(
    _ cut: Cut = .whole,
    _ mode: Mode = .block,
    _ rules: [Rule] = [noCN]
  ) throws
    -> Playbook
  {
    let book = try Playbook(cut, mode: mode, rules: rules, fronting: .judge)
    try book.tunnel()
    book.skipGot()
    return book
  }

  @Test("A Host that leads into a blocked region is looked up and blocked", arguments: Cut.allCases)
  func blocked(cut: Cut) throws {
    let book = try self.book(cut)
    book.device(elsewhere)
    #expect(book.resolving?.text == "hidden.example")
    #expect(book.serverGot().isEmpty, "nothing goes on before it is known where it leads")
    book.resolve("198.51.100.1", "203.0.113.5")
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    #expect(book.serverGot().isEmpty)
    #expect(book.opened == [World.address("192.0.2.7")])
    #expect(try book.flow().end?.verdict.rule == RuleID("no-cn"))
    book.expectCleanEnd()
  }

  @Test(
    "A Host that leads elsewhere goes on, with what was pipelined behind it",
    arguments: Cut.allCases
  )
  func allowed(cut: Cut) throws {
    let book = try self.book(cut)
    book.device(elsewhere + "GET /next HTTP/1.1\r\nHost: hidden.example\r\n\r\n")
    book.resolve("198.51.100.1")
    #expect(book.serverGot().hasPrefix("GET / HTTP/1.1\r\nHost: hidden.example\r\n"))
    book.server(ok)
    #expect(book.serverGot().hasPrefix("GET /next "), "the name is not looked up again")
    book.server(ok)
    #expect(book.resolving == nil)
    #expect(book.flows.allSatisfy { $0.notes.contains { $0.contains("hidden.example") } })
    book.expectCleanEnd()
  }

  @Test("A Host that is an address in a blocked region is blocked without a look-up")
  func address() throws {
    let book = try self.book()
    book.device("GET / HTTP/1.1\r\nHost: 0xcb007105\r\n\r\n")
    #expect(book.resolving == nil)
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    book.expectCleanEnd()
  }

  @Test(
    "Enforcing modes do not go on with a Host that nobody can place; that it does not exist is an answer",
    arguments: [
      (Mode.block, false, "421"), (.redact, false, "421"), (.block, true, "GET"),
      (.record, false, "GET"),
    ]
  )
  func unknown(mode: Mode, isAbsent: Bool, outcome: String) throws {
    let book = try self.book(.whole, mode)
    book.device(elsewhere)
    book.resolveFails(isAbsent ? .nameNotFound : .resolverFailed)
    if outcome == "421" {
      #expect(book.deviceGot().hasPrefix("HTTP/1.1 421 "))
      #expect(book.serverGot().isEmpty)
    } else {
      #expect(book.serverGot().hasPrefix("GET / "))
    }
    book.expectCleanEnd()
  }

  @Test("A resolver that says nothing is not waited for without end")
  func late() throws {
    let book = try self.book()
    book.device(elsewhere)
    book.tick(afterSeconds: 6)
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 421 "))
    book.expectCleanEnd()
  }

  @Test("A name that a Host is only another name for adds its verdict")
  func alias() throws {
    let book = try self.book(.whole, .block, [rule("cdn", .block) { $0.host = ["*.cdn.example"] }])
    book.device(elsewhere)
    book.resolve("198.51.100.1", alias: "edge.cdn.example")
    #expect(book.deviceGot().hasPrefix("HTTP/1.1 451 "))
    book.expectCleanEnd()
  }

  @Test("The device may leave while a Host is looked up")
  func leaves() throws {
    let book = try self.book()
    book.device(elsewhere)
    book.deviceCloses(.reset)
    book.resolve("198.51.100.1")
    #expect(book.serverGot().isEmpty)
    book.expectCleanEnd()
  }
}
