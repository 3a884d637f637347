import TideCore

@testable import TideEvidence

/// What is written of flows: lines, the chain of their digests, and bodies.
enum EvidenceBenchmarks {
  private static let flows = 200

  static var all: [Benchmark] {
    [
      Benchmark(
        name: "record-same",
        unit: "\(Self.flows) flows with a body of 1 KiB, always the same one, into a new case",
        units: 2,
        warmUp: 1
      ) {
        var cases = 0
        let body = Samples.json(1_000)
        return {
          cases += 1
          try Self.record("same-\(cases)") { _ in body }
        }
      },
      Benchmark(
        name: "record-unique",
        unit: "\(Self.flows) flows with a body of 1 KiB, each another one, into a new case",
        units: 2,
        warmUp: 1
      ) {
        var cases = 0
        let text = String(decoding: Samples.json(1_000), as: UTF8.self)
        return {
          cases += 1
          try Self.record("unique-\(cases)") { Bytes("{\"n\":\(10_000 + $0),\"it\":" + text + "}") }
        }
      },
    ]
  }

  /// Records into a case as its recorder would, but on this thread and in one batch.
  private static func record(_ name: String, body: (Int) -> Bytes) throws {
    let folder = try CaseFolder.open(
      name,
      in: "cases",
      description: CaseDescription(mode: "record", toolVersion: "0"),
      at: PolicyBenchmarks.wall
    )
    var settings = RecorderSettings()
    // Nothing may depend on how fast this machine is.
    settings.fsyncInterval = .max
    settings.spillInterval = .max
    let ring = EvidenceRing(settings)
    let health = RecorderHealth()
    let facts = try Self.facts()
    for number in 1...Self.flows {
      for event in Self.events(FlowID(UInt64(number)), facts, body(number)) {
        _ = ring.offer(event)
      }
    }
    ring.close()
    let access = StorageAccess(
      storage: PosixStorage(),
      ring: ring,
      health: health,
      settings: settings,
      used: 0,
      log: { print($0) }
    )
    var writer = try EvidenceWriter(
      folder: folder,
      settings: settings,
      ring: ring,
      health: health,
      access: access
    )
    let tail = try writer.run()
    try require(tail.nextFlow == UInt64(Self.flows + 1), "the log stands at \(tail.nextFlow)")
  }

  private static func facts() throws -> ConnectionFacts {
    guard let client = IPAddress("192.0.2.10"), let address = IPAddress("203.0.113.7") else {
      throw BenchmarkFailure(what: "no address")
    }
    let region = Region(name: "CN", countries: ["CN"], asn: 64_500)
    return ConnectionFacts(
      connection: ConnectionID(1),
      device: "phone",
      client: client,
      authority: try PolicyBenchmarks.authority("api.vendor.example:443"),
      serverName: Hostname("api.vendor.example"),
      address: address,
      region: region,
      candidates: [Candidate(address: address, region: region)],
      treatment: .intercepted,
      scheme: "https"
    )
  }

  private static func events(_ flow: FlowID, _ facts: ConnectionFacts, _ body: Bytes) -> [FlowEvent]
  {
    let request: Bytes =
      "GET /v1/report?n=1 HTTP/1.1\r\nHost: api.vendor.example\r\nUser-Agent: app/8\r\nAccept: */*\r\n\r\n"
    let response: Bytes =
      "HTTP/1.1 200 OK\r\nServer: a\r\nContent-Type: application/json\r\nConnection: keep-alive\r\n\r\n"
    return [
      .flowStarted(
        FlowStart(
          flow: flow,
          facts: facts,
          time: PolicyBenchmarks.wall,
          method: "GET",
          url: "https://api.vendor.example/v1/report?n=1",
          protocolName: "http/1.1"
        )
      ),
      .head(flow, .request, .original, request), .head(flow, .response, .original, response),
      .body(flow, .response, .original, body),
      .flowEnded(
        FlowEnd(
          flow: flow,
          time: PolicyBenchmarks.wall,
          status: 200,
          requestBytes: 0,
          responseBytes: UInt64(body.count),
          findings: 0,
          verdict: .pass,
          exposure: nil,
          failure: nil
        )
      ),
    ]
  }
}
