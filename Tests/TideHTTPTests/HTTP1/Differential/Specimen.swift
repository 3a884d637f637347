import TideCore

/// One input for both parsers.
struct Specimen: Sendable, CustomStringConvertible {
  /// Who reads it.
  enum Side: Sendable {
    case request
    /// What answers this method; then the server closes.
    case response(String)
  }

  let side: Side
  let input: Bytes

  var isRequest: Bool {
    if case .request = self.side { return true }
    return false
  }

  /// For a failure; octets that are not UTF-8 look alike.
  var description: String {
    let label =
      switch self.side {
      case .request: "request"
      case .response(let method): "response to \(method)"
      }
    return "\(label) \(self.input.text.debugDescription)"
  }

  /// Tells different specimens apart.
  var identity: [String] { ["\(self.side)", ASCII.hex(self.input)] }

  static func request(_ text: String) -> Specimen {
    Specimen(side: .request, input: Bytes(text))
  }

  static func request(_ bytes: [UInt8]) -> Specimen {
    Specimen(side: .request, input: Bytes(bytes))
  }

  static func response(
    _ text: String,
    to method: String = "GET"
  ) -> Specimen {
    Specimen(side: .response(method), input: Bytes(text))
  }

  /// A GET with these field lines after Host.
  static func lines(_ lines: String) -> Specimen {
    .request("GET / HTTP/1.1\r\nHost: a.example\r\n\(lines)\r\n\r\n")
  }

  /// A POST with these field lines and this body.
  static func post(
    _ lines: String,
    _ body: String,
    version: String = "1.1"
  ) -> Specimen {
    .request(
      "POST / HTTP/\(version)\r\nHost: a.example\r\n\(lines)\r\n\r\n\(body)"
    )
  }

  /// A POST with a chunked body.
  static func chunks(_ body: String) -> Specimen {
    .post("Transfer-Encoding: chunked", body)
  }
}
