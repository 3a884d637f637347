import Foundation
import Testing
import TideCore
import TideCrypto
import TideEvidence

@testable import TideReport

/// A case made for one test, in a folder of its own that goes with it.
final class MadeCase: Sendable {
  /// What a device sends in one request.
  struct Sending {
    var host = "api.vendor.example"
    var region = "CN"
    var address = "203.0.113.7"
    var device = "redmi"
    var head = "POST /v1/report HTTP/1.1\r\nHost: api.vendor.example\r\n\r\n"
    var body: Bytes = ""
    var findings: [Finding] = []
    /// Of a WebSocket, a message.
    var message: Bytes?
    var decided = Action.redact
    var applied = Action.log
    var treatment = FlowTreatment.intercepted
    var protocolName = "http/1.1"
    /// Seconds from now; marks are set now.
    var at: Int64 = 0
  }

  /// What happens while a case is recorded.
  enum Happening {
    case sends(Sending)
    case mark(String)
  }

  let path: String

  init(
    _ happenings: [Happening],
    keepsBodies: Bool = true,
    isSealed: Bool = true,
    operatorName: String = "A. Tester",
    devices: [String] = ["redmi"],
    name: String = "made"
  ) throws {
    let parent = FileManager.default.temporaryDirectory.path + "/report-" + UUID().uuidString
    self.path = parent + "/" + name
    let now = WallTime(nanoseconds: Int64(Date().timeIntervalSince1970) * 1_000_000_000)
    let folder = try CaseFolder.open(
      name,
      in: parent,
      description: CaseDescription(
        operatorName: operatorName,
        devices: devices,
        mode: keepsBodies ? "record" : "observe",
        toolVersion: "0.1.0",
        watched: ["CN"],
        sources: [.init(role: .regions, name: "geoip", date: "2026-06", sha256: "ab")]
      ),
      at: now.advanced(bySeconds: -90)
    )
    var settings = RecorderSettings()
    settings.keepsBodies = keepsBodies
    settings.signingKey = try isSealed ? SigningKey.generate() : nil
    let recorder = try EvidenceRecorder(case: folder, settings: settings) { _ in }
    var number: UInt64 = 0
    for happening in happenings {
      switch happening {
      case .mark(let text): recorder.mark(text)
      case .sends(let sending):
        number += 1
        for event in try Self.events(sending, number, now) { _ = recorder.offer(event) }
      }
    }
    try recorder.close(seal: isSealed)
  }

  deinit {
    try? FileManager.default.removeItem(
      atPath: URL(fileURLWithPath: self.path).deletingLastPathComponent().path
    )
  }

  /// The report as text.
  func report(
    _ language: ReportLanguage = .english,
    isShareSafe: Bool = false,
    procedure: ReportProtocol? = nil
  ) throws -> String {
    let bytes = try CaseReport.html(
      of: CaseReader(self.path),
      verification: CaseVerifier.verify(self.path),
      options: ReportOptions(
        language: language,
        isShareSafe: isShareSafe,
        procedure: procedure,
        toolVersion: "0.1.0",
        made: WallTime(seconds: 1_795_370_645)
      )
    )
    return try #require(String(validating: bytes, as: UTF8.self))
  }

  private static func events(
    _ sending: Sending,
    _ number: UInt64,
    _ now: WallTime
  ) throws -> [FlowEvent] {
    let time = now.advanced(bySeconds: sending.at)
    let connection = ConnectionID(number)
    let flow = FlowID(number)
    let isCountry = sending.region.utf8.count == 2
    let region = Region(
      name: sending.region,
      countries: isCountry ? [sending.region] : [],
      asn: 64_500
    )
    let address = try #require(IPAddress(sending.address))
    let facts = ConnectionFacts(
      connection: connection,
      device: sending.device,
      client: try #require(IPAddress("192.0.2.10")),
      authority: try #require(Authority("\(sending.host):443", defaultPort: nil)),
      serverName: Hostname(sending.host),
      address: address,
      region: region,
      candidates: [Candidate(address: address, region: region)],
      treatment: sending.treatment,
      scheme: "https"
    )
    let verdict = Verdict(
      decided: sending.decided,
      applied: sending.applied,
      rule: RuleID("identifiers")
    )
    var events: [FlowEvent] = [
      .connectionOpened(connection, client: facts.client, device: sending.device, time: time),
      .destinationDecided(
        connection,
        authority: facts.authority,
        candidates: facts.candidates,
        decision: "dial",
        rule: nil,
        time: time
      ),
      .flowStarted(
        FlowStart(
          flow: flow,
          facts: facts,
          time: time,
          method: "POST",
          url: "https://\(sending.host)/v1/report",
          protocolName: sending.protocolName
        )
      ),
      .head(flow, .request, .original, Bytes(sending.head)),
    ]
    if !sending.body.isEmpty { events.append(.body(flow, .request, .original, sending.body)) }
    if !sending.findings.isEmpty {
      events.append(.findings(flow, sending.findings, verdict, time: time))
    }
    if let message = sending.message {
      let record = SocketMessage(
        kind: .text,
        payload: message,
        size: UInt64(message.count),
        frames: 1,
        isCompressed: false
      )
      events.append(.message(flow, .request, .original, record, time: time))
    }
    events += [
      .flowEnded(
        FlowEnd(
          flow: flow,
          time: time,
          status: 200,
          requestBytes: UInt64(sending.body.count),
          responseBytes: 0,
          findings: sending.findings.count,
          verdict: sending.findings.isEmpty ? .pass : verdict,
          exposure: nil,
          failure: nil
        )
      ),
      .connectionClosed(connection, nil, time: time),
    ]
    return events
  }
}

extension Finding {
  /// A finding in a request, for tests.
  static func of(
    _ kind: FindingKind,
    _ value: Bytes,
    certainty: Certainty = .certain,
    location: FindingLocation = .body,
    path: String = "",
    encoding: [String] = [],
    range: Range<Int> = 0..<1
  ) -> Finding {
    Finding(
      kind: kind,
      certainty: certainty,
      location: location,
      direction: .request,
      path: path,
      encoding: encoding,
      range: range,
      value: value,
      inspector: "needles"
    )
  }
}

extension MadeCase.Sending {
  static let imei: Bytes = "490154203237518"

  /// An IMEI, as it is, in a JSON body.
  static func imei(
    to host: String = "api.vendor.example",
    region: String = "CN",
    at: Int64 = 0,
    applied: Action = .log
  ) -> MadeCase.Sending {
    MadeCase.Sending(
      host: host,
      region: region,
      body: #"{"d":{"imei":"490154203237518"}}"#,
      findings: [.of(.imei, self.imei, path: "$.d.imei", range: 14..<29)],
      applied: applied,
      at: at
    )
  }
}

extension String {
  /// What stands in the answer box.
  var answer: String { self.between("<p class=\"said\">", "</p>") ?? "" }

  /// What is in boxes, in order.
  var boxes: [String] {
    self.components(separatedBy: "<mark>").dropFirst().map {
      $0.components(separatedBy: "</mark>")[0]
    }
  }

  /// What is between the first of two texts and the next of the other.
  func between(_ start: String, _ end: String) -> String? {
    guard let from = self.range(of: start) else { return nil }
    guard let to = self.range(of: end, range: from.upperBound..<self.endIndex) else { return nil }
    return String(self[from.upperBound..<to.lowerBound])
  }
}
