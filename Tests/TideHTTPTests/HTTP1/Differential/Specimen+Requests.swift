import TideCore

// Heads of requests: start lines, field lines, Host, line ends.
extension Specimen {
  /// On each of these both parsers agree.
  static var agreed: [Specimen] {
    [
      Self.requestLines, Self.methods, Self.versions, Self.targets, Self.lineEnds, Self.hosts,
      Self.fieldLines, Self.nameOctets, Self.valueOctets, Self.targetOctets, Self.pipelines,
      Self.lengths, Self.codings, Self.chunked, Self.chunkExtensions, Self.trailers,
      Self.statusLines, Self.informational, Self.bodiless, Self.responseFraming,
      Self.responseFields,
    ].flatMap(\.self)
  }

  static let requestLines: [Specimen] = [
    "GET / HTTP/1.1", "GET /a?b=c&d=%20 HTTP/1.1", "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1",
    " GET / HTTP/1.1", "GET / HTTP/1.1 ", "GET /", "GET",
    "GET /a b HTTP/1.1", "GET HTTP/1.1", "/ HTTP/1.1", "GET / HTTP/1.1\r", "GET / HTTP/1.1 x",
    "\r\nGET / HTTP/1.1",
    "GET /\u{0} HTTP/1.1", "GET / HTTP/1.1\u{0}", "G\u{0}ET / HTTP/1.1", ": / HTTP/1.1",
    "GET\u{B}/ HTTP/1.1", "GET\u{C}/ HTTP/1.1",
  ].map { .request("\($0)\r\nHost: a.example\r\n\r\n") }

  static let methods: [Specimen] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "PROPFIND",
    "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "PURGE", "LINK", "UNLINK",
    "QUERY",
    "SOURCE", "NOTIFY", "SUBSCRIBE", "MKCALENDAR", "ACL", "BIND",
    "GE T", "G(ET", "GET\u{7F}",
  ].map { method in
    let target = method == "CONNECT" ? "a.example:443" : "/"
    return .request("\(method) \(target) HTTP/1.1\r\nHost: a.example\r\n\r\n")
  }

  static let versions: [Specimen] = [
    "HTTP/1.0", "HTTP/1.1", "HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/1",
    "HTTP/1.", "HTTP/.1", "HTTP/11", "HTTP/1.10", "HTTP/01.1", "HTTP/1.1.1", "http/1.1",
    "HTTPS/1.1",
    "HTTP 1.1", "HTTP/1,1", "HTTP/ 1.1", "HTTP/1 .1", "HTTP/+1.1", "HTTP/1.a", "ICE/1.0",
    "HTTP/9.9",
  ].map { .request("GET / \($0)\r\nHost: a.example\r\n\r\n") }

  static let targets: [Specimen] = [
    "*", "http://a.example/", "https://a.example/x?y", "//a.example/", "/#f", "/%00", "/%",
    "/{}|\\^`\"<>", "http://u:p@a.example/", "/..", "http://a.example:80:80/",
    "http://[2001:db8::1]/", "http://", "/@",
  ].map { .request("GET \($0) HTTP/1.1\r\nHost: a.example\r\n\r\n") }

  static let hosts: [Specimen] = [
    .request("GET / HTTP/1.0\r\n\r\n"),
    .request("CONNECT a.example:443 HTTP/1.1\r\n\r\n"),
    .request("GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    .request("GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n"),
    .request("GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n"),
  ]

  static let lineEnds: [Specimen] = [
    .request("GET / HTTP/1.1\nHost: a.example\r\n\r\n"),
    .request("GET / HTTP/1.1\r\nHost: a.example\n\r\n"),
    .request("GET / HTTP/1.1\r\nHost: a.example\r\n\n"),
    .request("GET / HTTP/1.1\nHost: a.example\n\n"),
    .request("GET / HTTP/1.1\rHost: a.example\r\r"),
    .request("GET / HTTP/1.1\r\nHost: a.example\r\r\n"),
    .request("GET / HTTP/1.1\r\nHost: a.example\r\n\rX: y\r\n\r\n"),
    .request("GET / HTTP/1.1\r\nHost: a.example\r\n\r"),
    .request("GET / HTTP/1.1\r\nHost: a.example\r\n"),
    .request("GET / HTTP/1.1\r\n"),
    .request("GET / HTT"),
    .lines("X: a\rY: b"),
    .lines("X: a\nY: b"),
    .lines("X: a\r\r\nY: b"),
    .lines("X: a\n\r\nY: b"),
    .lines("X: a\r"),
    .lines("X: a\n"),
  ]

  static let fieldLines: [Specimen] = [
    "X: y", "X:y", "X:  y", "X:\ty", "X:", "X: ", "X:\t", "X : y", "X\t: y",
    " X: y", "\tX: y", ": y", ":", "X", "X y", "X=y", "X: y\r\n z", "X: y\r\n\tz", "X: y\r\n  ",
    "X:\r\n y", "X: a: b", "X:: y", "X: \"a\r\n b\"", "X-Tide_Waiter: 1", "X: é", "É: x",
    "X: y\r\nX: z", "Connection: close", "Connection: keep-alive", "Connection: upgrade",
    "Connection: upgrade\r\nUpgrade: websocket", "Upgrade: h2c", "Expect: 100-continue",
    "Expect: other", "Proxy-Connection: keep-alive", "TE: trailers", "Trailer: X",
    "Cookie: a=b; c=d", "X: \u{1}", "X: \u{1B}[0m", "X: a\u{0}b", "X: a\u{7F}b", "X: a\tb",
    "\u{0}: a", "X\u{0}: a", "\"X\": a", "(X): a", "X,Y: a", "X/Y: a", "X@Y: a", "{X}: a",
  ].map { .lines($0) }

  /// Each octet within a field's name.
  static let nameOctets: [Specimen] = (0...255).map {
    .request(Self.wrap("X", $0, "Y: z"))
  }

  /// Each octet within a field's value.
  static let valueOctets: [Specimen] = (0...255).map {
    .request(Self.wrap("X: y", $0, "z"))
  }

  /// Each octet within a target; for those from 0x80 up see `Difference.rawOctetInTarget`.
  static let targetOctets: [Specimen] = (0...0x7F).map { .request(Self.target(with: $0)) }

  static func target(with octet: UInt8) -> [UInt8] {
    Array("GET /a".utf8) + [octet] + Array("b HTTP/1.1\r\nHost: a.example\r\n\r\n".utf8)
  }

  private static func wrap(_ before: String, _ octet: UInt8, _ after: String) -> [UInt8] {
    let start = "GET / HTTP/1.1\r\nHost: a.example\r\n\(before)"
    return Array(start.utf8) + [octet] + Array("\(after)\r\n\r\n".utf8)
  }
}
