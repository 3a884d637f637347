import TideCore
import TideHTTP
import Testing

@Suite struct RequestTargetTests {
  static func authority(_ text: String) throws -> Authority {
    try #require(Authority(text, defaultPort: nil))
  }

  @Test(
    "CONNECT takes a host and a port",
    arguments: ["a.example:443", "192.0.2.1:80", "[2001:db8::1]:1"]
  )
  func connect(text: String) throws {
    let target = try RequestTarget.parse(method: "CONNECT", target: Bytes(text))
    #expect(target == .authority(try Self.authority(text)))
  }

  @Test(
    "CONNECT takes nothing else",
    arguments: [
      "a.example", "a.example:", "a.example:0", "a.example:65536", "a.example:+1", "a.example:443/",
      "user@a.example:443", "http://a.example:443", "/", "*", ":443", "a.example:44 3", "a b:1",
      "a.example:443?x", "a.example:443#x", "2001:db8::1:443", "caf\u{E9}.example:443", "",
    ]
  )
  func badConnect(text: String) {
    let failure = #expect(throws: HTTPFailure.self) {
      try RequestTarget.parse(method: "CONNECT", target: Bytes(text))
    }
    #expect(failure?.code == .malformedTarget)
  }

  @Test(
    "A URI is taken apart into scheme, authority and what to ask the server for",
    arguments: [
      ("http://a.example/p?q", "http", "a.example:80", "/p?q"),
      ("HTTP://A.example:8080", "http", "a.example:8080", "/"),
      ("http://a.example?q=/@:", "http", "a.example:80", "/?q=/@:"),
      ("https://a.example/", "https", "a.example:443", "/"),
      ("http://[2001:db8::1]//x", "http", "[2001:db8::1]:80", "//x"),
      ("http://a.example/http://b.example/", "http", "a.example:80", "/http://b.example/"),
    ] as [(Bytes, String, String, Bytes)]
  )
  func absolute(text: Bytes, scheme: String, authority: String, origin: Bytes) throws {
    let target = try RequestTarget.parse(method: "GET", target: text)
    let expected = try Self.authority(authority)
    #expect(target == .absolute(scheme: scheme, authority: expected, origin: origin))
  }

  @Test(
    "A URI without a host, with userinfo, a fragment or a bad port is refused",
    arguments: [
      "http://", "http:///p", "http://?q", "http://user@a.example/", "http://u:p@a.example/",
      "http://a.example/#f", "http://a.example:/", "http://a.example:99999/", "http:/a.example/",
      "http:a.example", "a.example/p", "a.example:443", "http://a\\b.example/", "p",
      "://a.example/",
    ]
  )
  func badAbsolute(text: String) {
    let failure = #expect(throws: HTTPFailure.self) {
      try RequestTarget.parse(method: "GET", target: Bytes(text))
    }
    #expect(failure?.code == (text.hasPrefix("://") ? .unsupported : .malformedTarget))
  }

  @Test(
    "Another scheme is recognised and refused",
    arguments: ["ftp://a.example/", "ws://a.example/"]
  )
  func otherScheme(text: String) {
    let failure = #expect(throws: HTTPFailure.self) {
      try RequestTarget.parse(method: "GET", target: Bytes(text))
    }
    #expect(failure?.code == .unsupported)
  }

  @Test("A path stays as it is, query and all, but has no fragment")
  func origin() throws {
    let text: Bytes = "//a/../b?c=%00&caf\u{E9}=http://x"
    #expect(try RequestTarget.parse(method: "GET", target: text) == .origin(text))
    #expect(throws: HTTPFailure.self) { try RequestTarget.parse(method: "GET", target: "/a#b") }
  }

  @Test("An asterisk goes with OPTIONS only, and an OPTIONS of a bare host becomes one")
  func asterisk() throws {
    #expect(try RequestTarget.parse(method: "OPTIONS", target: "*") == .asterisk)
    #expect(throws: HTTPFailure.self) { try RequestTarget.parse(method: "GET", target: "*") }
    let target = try RequestTarget.parse(method: "OPTIONS", target: "http://a.example")
    let authority = try Self.authority("a.example:80")
    #expect(target == .absolute(scheme: "http", authority: authority, origin: "*"))
  }
}
