import TideCore
import TideHTTP

/// The parsers.
enum HTTPBenchmarks {
  static var all: [Benchmark] {
    [
      Benchmark(name: "http1-head", unit: "a browser's request head", units: 2_000) {
        var codec = HTTP1Codec(role: .server, limits: Limits())
        var parts: [MessagePart] = []
        return {
          parts.removeAll(keepingCapacity: true)
          try codec.receive(Samples.request, &parts)
          try codec.next(&parts)
          try require(parts.count == 2, "a head and an end, not \(parts.count) parts")
        }
      },
      Benchmark(name: "http1-chunks", unit: "a body of 1,000 chunks of 16 bytes", units: 20) {
        let head: Bytes = "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        var body = Bytes()
        for _ in 0..<1_000 { body.append(Bytes("10\r\n0123456789abcdef\r\n")) }
        body.append(Bytes("0\r\n\r\n"))
        var codec = HTTP1Codec(role: .server, limits: Limits())
        var parts: [MessagePart] = []
        return {
          parts.removeAll(keepingCapacity: true)
          try codec.receive(head, &parts)
          try codec.receive(body, &parts)
          guard case .end = parts.last else { throw BenchmarkFailure(what: "no end of the body") }
          try codec.next(&parts)
        }
      },
      Benchmark(name: "http2-exchange", unit: "a GET of 200 bytes, both sides", units: 300) {
        let pair = try HTTP2Pair()
        return { try pair.exchange() }
      },
    ]
  }
}

/// A client and a server that speak with each other in memory.
private final class HTTP2Pair {
  private let client: HTTP2Codec
  private let server: HTTP2Codec
  private let request = MessageHead(
    start: .request(method: "GET", target: "/v1/report?n=1"),
    version: .http2,
    fields: HeaderFields([
      ("user-agent", "Mozilla/5.0 (Linux; Android 13)"), ("accept", "*/*"),
      ("accept-encoding", "gzip, deflate, br"), ("cookie", "session=5899f4a9e12db43d10ccddde"),
    ]),
    pseudo: PseudoFields(scheme: "https", authority: "a.example")
  )
  private let response = MessageHead(
    start: .response(status: 200, reason: ""),
    version: .http2,
    fields: HeaderFields([
      ("content-type", "application/json"), ("content-length", "200"), ("server", "a"),
    ])
  )
  private let content = Samples.random(200)

  init() throws {
    self.client = try HTTP2Codec(role: .client, limits: Limits())
    self.server = try HTTP2Codec(role: .server, limits: Limits())
  }

  func exchange() throws {
    _ = try self.client.open(self.request, isLast: true)
    var received = 0
    for event in try self.move(from: self.client, to: self.server) {
      guard case .head(let stream, _, _) = event else { continue }
      try self.server.sendHead(self.response, on: stream, isLast: false)
      try self.server.sendBody(self.content, on: stream)
      try self.server.sendEnd(on: stream)
    }
    for event in try self.move(from: self.server, to: self.client) {
      guard case .body(let stream, let bytes) = event else { continue }
      received += bytes.count
      self.client.consumed(bytes.count, on: stream)
    }
    try require(received == 200, "\(received) of 200 bytes came")
  }

  private func move(from: HTTP2Codec, to: HTTP2Codec) throws -> [HTTP2Event] {
    var output: [UInt8] = []
    var events: [HTTP2Event] = []
    try from.takeOutput(&output, limit: 1 << 16, &events)
    events.removeAll()
    let now = Instant(nanoseconds: 1_000_000_000)
    try to.receive(Bytes(output), at: now, &events)
    return events
  }
}
