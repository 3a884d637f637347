import TideCore

// Responses; the server closes after each.
extension Specimen {
  static let statusLines: [Specimen] = [
    "HTTP/1.1 200 OK", "HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.1 200  OK", "HTTP/1.1  200 OK",
    "HTTP/1.1\t200 OK", "HTTP/1.1 200\tOK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 999 X",
    "HTTP/1.1 600 X", "HTTP/1.1 +20 OK", "HTTP/1.1 2x0 OK",
    "HTTP/1.1 OK", "HTTP/1.1", "HTTP/1.0 200 OK", "HTTP/2.0 200 OK", "HTTP/0.9 200 OK",
    "HTTP/2 200", "ICY 200 OK", "http/1.1 200 OK", "HTTP/1.1 200 Ökay",
    "HTTP/1.1 200 a\tb", "HTTP/1.1 200 OK\r", " HTTP/1.1 200 OK", "HTTP/1.1 200 OK\nX: y",
    "HTTP/1.1 200 OK\rX: y", "HTTP/1.1 200OK",
    "HTTP/1.1 2 00 OK", "HTTPX/1.1 200 OK", "HTTP/1.1 200 OK ",
  ].map { .response("\($0)\r\nContent-Length: 2\r\n\r\nok") }

  static let informational: [Specimen] = [
    .response("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    .response(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    ),
    .response(
      "HTTP/1.1 102 \r\n\r\nHTTP/1.1 103 \r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    ),
    .response("HTTP/1.1 199 X\r\n\r\nHTTP/1.1 204 X\r\n\r\n"),
    .response(
      "HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    ),
    .response(
      "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    ),
    .response("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody", to: "HEAD"),
  ]

  static let bodiless: [Specimen] = [
    .response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", to: "HEAD"),
    .response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", to: "HEAD"),
    .response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", to: "HEAD"),
    .response("HTTP/1.1 200 OK\r\n\r\n", to: "HEAD"),
    .response("HTTP/1.1 204 No Content\r\n\r\n"),
    .response("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
    .response("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
    .response("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"),
    .response("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
    .response("HTTP/1.1 304 Not Modified\r\n\r\n"),
    .response("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
    .response("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
    .response("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"),
    .response("HTTP/1.1 205 Reset Content\r\n\r\nx"),
    .response("HTTP/1.1 200 OK\r\n\r\n", to: "CONNECT"),
    .response("HTTP/1.1 200 OK\r\n\r\ntunnel", to: "CONNECT"),
    .response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", to: "CONNECT"),
    .response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", to: "CONNECT"),
    .response("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", to: "head"),
  ]

  static let responseFraming: [Specimen] = [
    .response("HTTP/1.1 200 OK\r\n\r\n"),
    .response("HTTP/1.1 200 OK\r\n\r\nuntil close"),
    .response("HTTP/1.0 200 OK\r\n\r\nuntil close"),
    .response("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil close"),
    .response("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nuntil close"),
    .response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    .response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"),
    .response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellos"),
    .response("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello"),
    .response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    .response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    .response("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello"),
    .response("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nhello"),
    .response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    .response(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"
    ),
    .response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"),
    .response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    .response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
    .response(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    ),
    .response(
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    .response("HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    .response(
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    ),
    .response("<html>no status line</html>"),
    .response("HTTP/1.1 200 OK\r\nContent-Le"),
  ]

  static let responseFields: [Specimen] = [
    "X: y\r\n z", "X : y", " X: y", "X: a\u{0}b", "X: a\rY: b", "X: a\nY: b", "X", ": x", "É: x",
    "X: é",
    "X: \u{1}", "Upgrade: h2c\r\nConnection: upgrade", "Set-Cookie: a\r\nSet-Cookie: b",
  ].map { .response("HTTP/1.1 200 OK\r\n\($0)\r\nContent-Length: 2\r\n\r\nok") }
}
