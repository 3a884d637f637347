import TideCoding
import TideCore
import TideInspect

/// The window, the needles of a full profile, and the decoders between them.
enum InspectionBenchmarks {
  static var all: [Benchmark] {
    [
      Benchmark(name: "inspect-head", unit: "an app's request head", units: 500) {
        let context = try Self.context()
        let head = Samples.post("application/json")
        return {
          let findings = context.inspect(head: head, direction: .request)
          try require(findings.isEmpty, "found what is not there")
        }
      },
      Self.body("inspect-json", "60 KiB of JSON", units: 4, type: "application/json") {
        Samples.json(60 << 10)
      },
      Self.body(
        "inspect-random",
        "256 KiB of random bytes",
        units: 4,
        type: "application/octet-stream"
      ) {
        Samples.random(256 << 10)
      },
      Self.body(
        "inspect-gzip",
        "60 KiB of JSON in gzip in a body",
        units: 4,
        type: "application/octet-stream"
      ) {
        Gzip.encode(Samples.json(60 << 10))
      },
      Benchmark(name: "inspect-finding", unit: "2 KiB of JSON with an IMEI", units: 20) {
        let context = try Self.context()
        let text = String(decoding: Samples.json(2_000), as: UTF8.self)
        let body = Bytes(text.dropLast() + ",\"imei\":\"490154203237518\"}")
        let head = Samples.post("application/json")
        return {
          let findings = try Self.inspect(body, head, context)
          try require(findings.contains { $0.kind == .imei }, "the IMEI was not found")
        }
      },
    ]
  }

  private static func context() throws -> InspectionContext {
    let plan = try InspectionPlan(
      profiles: [Samples.device],
      inspectors: nil,
      secret: [UInt8](repeating: 7, count: 32),
      limits: Limits()
    )
    // Without a clock: what is inspected must not depend on the machine.
    return try InspectionContext(plan)
  }

  private static func inspect(
    _ body: Bytes,
    _ head: MessageHead,
    _ context: InspectionContext
  ) throws
    -> [Finding]
  {
    guard let inspection = context.makeBodyInspection(head: head, direction: .request) else {
      throw BenchmarkFailure(what: "nothing would be inspected")
    }
    var findings: [Finding] = []
    var rest = body
    while !rest.isEmpty {
      // As records of TLS bring it.
      let piece = rest.slice(0..<min(rest.count, 16 << 10))
      inspection.receive(piece, &findings)
      rest = rest.dropping(first: piece.count)
    }
    inspection.finish(&findings)
    return findings
  }

  private static func body(
    _ name: String,
    _ unit: String,
    units: Int,
    type: String,
    make: @escaping () -> Bytes
  ) -> Benchmark {
    Benchmark(name: name, unit: unit, units: units) {
      let context = try Self.context()
      let body = make()
      let head = Samples.post(type)
      return { _ = try Self.inspect(body, head, context) }
    }
  }
}
