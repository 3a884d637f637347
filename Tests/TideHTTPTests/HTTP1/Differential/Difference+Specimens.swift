extension Difference {
  private static let hello = "5\r\nhello\r\n0\r\n\r\n"

  /// The messages that show the difference.
  var specimens: [Specimen] {
    switch self {
    case .spacesInRequestLine: Self.requestLines("GET  / HTTP/1.1", "GET /  HTTP/1.1")
    case .emptyLines:
      [
        .request("\r\n\r\n" + Specimen.next),
        .request("\n" + Specimen.next),
        .request("\r" + Specimen.next),
        .request(Specimen.next + "\r\n\r\n" + Specimen.next),
        .lines("Content-Length: 5\r\n\r\nhello"),
        .response("\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        .response("\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        .response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n\r\n"),
      ]
    case .otherProtocol:
      Self.requestLines("GET / RTSP/1.0") + [
        .response("RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
      ]
    case .hostCount:
      [
        .request("GET / HTTP/1.1\r\n\r\n"),
        .request("GET http://a.example/ HTTP/1.1\r\n\r\n"),
        .request("GET / HTTP/1.0\r\nHost: a.example\r\nHost: b.example\r\n\r\n"),
        .lines("Host: a.example"), .lines("Host: b.example"), .lines("host: b.example"),
      ]
    case .contentInConnect:
      [
        .request("CONNECT a.example:443 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"),
        .request(
          "CONNECT a.example:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\(Self.hello)"
        ),
      ]
    case .otherCodings:
      ["gzip, chunked", "identity, chunked", ",chunked", "deflate,chunked", ""]
        .map { .post("Transfer-Encoding: \($0)", Self.hello) }
        + [.post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", Self.hello)]
        + [
          "gzip", "identity", "gzip, chunked", "chunked, gzip",
          "chunked\r\nTransfer-Encoding: chunked",
        ].map { .response("HTTP/1.1 200 OK\r\nTransfer-Encoding: \($0)\r\n\r\n\(Self.hello)") }
    case .codingInOldVersion:
      [
        .post("Transfer-Encoding: chunked", Self.hello, version: "1.0"),
        .response("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(Self.hello)"),
      ]
    case .hugeSize:
      [
        .post("Content-Length: 9223372036854775808", "hello"),
        .post("Content-Length: 18446744073709551615", "hello"),
        .chunks("8000000000000000\r\nhello"),
        .chunks("ffffffffffffffff\r\nhello"),
      ]
    case .longChunkSize:
      [.chunks("0000000000000000\(Self.hello)"), .chunks("00000000000000000000\(Self.hello)")]
    case .hostInTrailers: [.chunks("0\r\nHost: b.example\r\n\r\n")]
    case .lowStatus: Self.responses("HTTP/1.1 099 X", "HTTP/1.1 000 X")
    case .controlInReason:
      Self.responses(
        "HTTP/1.1 200 a\u{0}b",
        "HTTP/1.1 200 a\u{1}b",
        "HTTP/1.1 200 a\u{7F}b"
      )
    case .switchingProtocols:
      [
        .response("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        .response("HTTP/1.1 101 \r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nbytes"),
      ]
    case .onlyInformational: [.response("HTTP/1.1 100 Continue\r\n\r\n")]
    case .unknownMethod, .laterMinorVersion, .targetForm, .rawOctetInTarget, .bytesAfterLastRequest,
      .chunkExtensionGrammar, .tabAfterLength, .contentOfRefusedConnect, .blanksAfterValue,
      .methodSpelling:
      self.lenientSpecimens
    }
  }

  /// Those where it is not we who are stricter.
  private var lenientSpecimens: [Specimen] {
    switch self {
    case .unknownMethod:
      ["get", "Get", "GETX", "G", "BREW", "X-TIDE", "PRI", "DESCRIBE"]
        .flatMap { Self.requestLines("\($0) / HTTP/1.1") }
        + [
          .request(Specimen.next + "x"),
          .post("Content-Length: 0", "hello"),
          .post("Content-Length: 00", "hello"),
          .post("Content-Length: 4", "hello"),
          .post("Content_Length: 5", "hello"),
          .post("Content-Length: 3", "abcd" + Specimen.next),
        ]
    case .laterMinorVersion:
      Self.requestLines("GET / HTTP/1.2", "GET / HTTP/1.9")
        + Self.responses("HTTP/1.2 200 OK")
        + [.post("Transfer-Encoding: chunked", Self.hello, version: "1.2")]
    case .targetForm:
      ["a.example:443", "x", "http:/a", "?q", "#f", "://x", "1http://a/", "@"]
        .flatMap { Self.requestLines("GET \($0) HTTP/1.1") }
    case .rawOctetInTarget: (0x80...0xFF).map { .request(Specimen.target(with: $0)) }
    case .bytesAfterLastRequest:
      [
        .lines("Connection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a.example"),
        .request("GET / HTTP/1.0\r\n\r\n" + Specimen.next),
      ]
    case .chunkExtensionGrammar:
      [
        ";", ";a=\"b", " ;a=b", "; a=b", ";a =b", ";a= b", "\t;\ta\t=\tb", ";a=b ", ";;", ";a=é",
        ";a=(", ";a b", ";a=b c", "; ", ";a=\"b\"c", ";a=\"b\" ;c",
      ].map { .chunks("5\($0)\r\nhello\r\n0\r\n\r\n") }
    case .tabAfterLength: [.post("Content-Length: 5\t", "hello")]
    case .contentOfRefusedConnect:
      [.response("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", to: "CONNECT")]
    case .blanksAfterValue:
      [
        .lines("X: y "), .lines("X: y\t "), .post("Content-Length: 5 ", "hello"),
        .post("Transfer-Encoding: chunked ", Self.hello),
      ]
    case .methodSpelling: Self.requestLines("M-SEARCH / HTTP/1.1")
    case .spacesInRequestLine, .emptyLines, .otherProtocol, .hostCount, .contentInConnect,
      .otherCodings, .codingInOldVersion, .hugeSize, .longChunkSize, .hostInTrailers, .lowStatus,
      .controlInReason, .switchingProtocols, .onlyInformational:
      []
    }
  }

  private static func requestLines(_ lines: String...) -> [Specimen] {
    lines.map { .request("\($0)\r\nHost: a.example\r\n\r\n") }
  }

  private static func responses(_ lines: String...) -> [Specimen] {
    lines.map { .response("\($0)\r\nContent-Length: 2\r\n\r\nok") }
  }
}
