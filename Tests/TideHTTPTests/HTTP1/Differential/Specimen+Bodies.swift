import TideCore

// What follows the head of a request: lengths, codings, chunks, trailers, the next request.
extension Specimen {
  static let next = "GET /next HTTP/1.1\r\nHost: a.example\r\n\r\n"

  static let pipelines: [Specimen] = [
    .request(Self.next + Self.next),
    .request(Self.next + "\r\n" + Self.next),
    .request(Self.next + "\u{0}"),
    .request(Self.next + "HTTP/1.1 200 OK\r\n\r\n"),
    .post("Content-Length: 3", "abc" + Self.next),
    .post("Content-Length: 3", "abc\r\n" + Self.next),
    .post("Transfer-Encoding: chunked", "0\r\n\r\n" + Self.next),
    .post("X: y", Self.next),
    .post("Content-Length: 0", Self.next),
    .request("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n" + Self.next),
    .request(
      "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nContent-Length: 0\r\n\r\n\u{16}\u{3}"
    ),
  ]

  static let lengths: [Specimen] =
    [
      "5", "05", "+5", "-5", " 5", "0x5", "5.0", "5,5", "5, 5", "5,6", "5;", "", " ", "five",
      "5 5", "\u{B}5", "0000000000000000000005", "6", "9223372036854775807", "18446744073709551616",
      "99999999999999999999999999", "5\u{0}", "\"5\"", "1e1", "٥",
    ].map { .post("Content-Length: \($0)", "hello") }
    + [
      .post("Content-Length: 5\r\nContent-Length: 5", "hello"),
      .post("Content-Length: 5\r\nContent-Length: 6", "hello"),
      .post("Content-Length: 5\r\ncontent-length: 0", "hello"),
      .post("Content-Length : 5", "hello"),
      .post("Content-Length\u{0}: 5", "hello"),
      .post("Content-Length:\r\n 5", "hello"),
      .post("X: y\r\n Content-Length: 5", "hello"),
      .post("Content-Length: 5", "hello", version: "1.0"),
      .post("Content-Length: 5\nX: y", "hello"),
    ]

  static let codings: [Specimen] =
    [
      "chunked", "Chunked", "CHUNKED", " chunked", "\tchunked",
      "chunked, gzip", "gzip", "identity", "chunked, identity",
      "chunked, chunked", "chunked,", "chunked;q=1", "xchunked", "chunkedx", "x chunked",
      "chunked x", "\"chunked\"", "\u{B}chunked", "chunked\u{0}", "chun\u{0}ked", "chu nked",
      "cow", "chunked\u{C}", "trailers", "chunked\r\n ",
    ].map { .post("Transfer-Encoding: \($0)", "5\r\nhello\r\n0\r\n\r\n") }
    + [
      .post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
      .post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n"),
      .post("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
      .post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
      .post("Content-Length: 5\r\nTransfer-Encoding: identity", "hello"),
      .post("Transfer-Encoding : chunked", "0\r\n\r\n"),
      .post("Transfer-Encoding\t: chunked", "0\r\n\r\n"),
      .post("Transfer_Encoding: chunked", "0\r\n\r\n"),
      .post(" Transfer-Encoding: chunked", "0\r\n\r\n"),
      .post("X: y\nTransfer-Encoding: chunked", "0\r\n\r\n"),
      .post("X: y\rTransfer-Encoding: chunked", "0\r\n\r\n"),
      .post("Transfer-Encoding:\r\n chunked", "0\r\n\r\n"),
      .post("transfer-encoding: chunked", "0\r\n\r\n"),
      .post("Transfer-Encoding:chunked", "0\r\n\r\n"),
      .lines("Transfer-Encoding: chunked\r\n\r\n0"),
    ]

  static let chunked: [Specimen] = [
    "0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
    "A\r\n0123456789\r\n0\r\n\r\n",
    "a\r\n0123456789\r\n0\r\n\r\n", "005\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n000\r\n\r\n",
    "0000000000000005\r\nhello\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r\n0\n\r\n",
    "5\r\nhello\r\n0\r\n\n",
    "5\n\nhello\r\n0\r\n\r\n", "5\rhello\r\n0\r\n\r\n", "5\r\rhello\r\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello\r0\r\n\r\n", "5\r\nhellox\r\n0\r\n\r\n", "5\r\nhel\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "5\t\r\nhello\r\n0\r\n\r\n", "5  \r\nhello\r\n0\r\n\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n",
    "\n5\r\nhello\r\n0\r\n\r\n", "g\r\nhello\r\n0\r\n\r\n", "5g\r\nhello\r\n0\r\n\r\n",
    "5\u{0}\r\nhello\r\n0\r\n\r\n",
    "5.0\r\nhello\r\n0\r\n\r\n", "5,5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n",
    "5\r\nhello\r\n0\r\n",
    "5\r\nhello\r\n0\r\n\r", "5\r\nhello", "5", "",
    "7fffffffffffffff\r\nhello",
    "10000000000000000\r\nhello", "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "fffffffffffffffff\r\nhello",
    "5\r\nhello\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "0\r\nGET /next HTTP/1.1\r\nHost: a.example\r\n\r\n", "0\r\n\r\n\r\n", "0\r\n\r\n\u{0}",
  ].map { .chunks($0) }

  static let chunkExtensions: [Specimen] = [
    ";a", ";a=b", ";a=\"b\"", ";a=\"b;c\"", ";a=\"b\\\"c\"", ";a=\"\r\n\"", ";a=b;c=d", ";a=",
    ";=b",
    ";a;b", ";a=\u{0}", ";a=\u{1}", ";a=\u{7F}", ";a\nx", ";a\rx", ";a\n", ";a=\"\u{1}\"",
    ";a=\"é\"",
    ";\r", ";a=b\"c\"", ",a", ":a", "=a",
  ].map { .chunks("5\($0)\r\nhello\r\n0\r\n\r\n") }

  static let trailers: [Specimen] = [
    "X: y", "X: y\r\nZ: w", "X:", "X : y", " X: y", "X", ": y", "X: y\r\n z", "X: y\nZ: w",
    "X: y\rZ: w",
    "X: a\u{0}b", "Content-Length: 5", "content-length: 0", "Transfer-Encoding: chunked",
    "Connection: close", "Authorization: x", "Trailer: X", "É: x", "X: é", "X: \u{1}",
    "Set-Cookie: a=b", "Content-Type: text/plain",
  ].map { .chunks("5\r\nhello\r\n0\r\n\($0)\r\n\r\n") }
}
