import Dispatch
import Foundation
import Synchronization
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

/// A folder of cases of its own, removed when the test is over.
final class CasesFolder: Sendable {
  let path: String

  init() {
    self.path = FileManager.default.temporaryDirectory.path + "/evidence-" + UUID().uuidString
  }

  deinit { try? FileManager.default.removeItem(atPath: self.path) }

  func open(_ name: String = "test") throws -> CaseFolder {
    try CaseFolder.open(
      name,
      in: self.path,
      description: CaseDescription(
        operatorName: "A. Tester",
        devices: ["redmi"],
        mode: "record",
        toolVersion: "0.1.0",
        watched: ["XX"],
        sources: [.init(role: .rules, name: "default.yaml", sha256: "00")]
      ),
      at: Play.time(0)
    )
  }

  func recorder(
    _ name: String = "test",
    storage: any Storage = PosixStorage(),
    settings: RecorderSettings = RecorderSettings(),
    log: @escaping @Sendable (String) -> Void = { _ in }
  ) throws -> EvidenceRecorder {
    try EvidenceRecorder(case: self.open(name), settings: settings, storage: storage, log: log)
  }

  /// Records events into a case, and ends it.
  @discardableResult
  func record(
    _ events: [FlowEvent],
    name: String = "test",
    settings: RecorderSettings = RecorderSettings(),
    seal key: SigningKey? = nil
  ) throws -> String {
    var settings = settings
    settings.signingKey = key
    let recorder = try self.recorder(name, settings: settings)
    for event in events { _ = recorder.offer(event) }
    try recorder.close(seal: key != nil)
    return self.path + "/" + name
  }

  /// Records events into an encrypted case whose key nobody has any more, and seals it.
  func recordEncrypted(_ events: [FlowEvent], name: String) throws -> String {
    var settings = RecorderSettings()
    settings.signingKey = try .generate()
    let folder = try CaseFolder.open(
      name,
      in: self.path,
      description: CaseDescription(mode: "record", toolVersion: "0.1.0"),
      key: .passphrase(typed: Array("correct horse battery".utf8)),
      at: Play.time(0)
    )
    let recorder = try EvidenceRecorder(case: folder, settings: settings) { _ in }
    for event in events { _ = recorder.offer(event) }
    try recorder.close(seal: true)
    return folder.path
  }

  /// A copy of a case, as one taken at this moment.
  func copy(_ name: String, to copy: String) throws -> String {
    try? FileManager.default.removeItem(atPath: self.path + "/" + copy)
    try FileManager.default.copyItem(
      atPath: self.path + "/" + name,
      toPath: self.path + "/" + copy
    )
    return self.path + "/" + copy
  }
}

extension EvidenceRing {
  /// All that waits.
  func take() -> RecordedBatch {
    var batch = RecordedBatch()
    self.take(into: &batch)
    return batch
  }
}

/// The lines of a case's log as an outsider reads them.
func logLines(_ path: String, segment: Int = 1) throws -> [[UInt8]] {
  let text = try Data(contentsOf: URL(fileURLWithPath: LogReader.path(of: segment, in: path)))
  return text.split(separator: 0x0A).map { Array($0) }
}

func logObjects(_ path: String, segment: Int = 1) throws -> [[String: Any]] {
  try logLines(path, segment: segment).map { line in
    try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
  }
}

func write(_ bytes: some Collection<UInt8>, to path: String) throws {
  try Data(bytes).write(to: URL(fileURLWithPath: path))
}

func read(_ path: String) throws -> [UInt8] {
  Array(try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// Events as a proxy would report them.
enum Play {
  static func time(_ milliseconds: Int64) -> WallTime {
    WallTime(nanoseconds: 1_795_370_645_000_000_000 + milliseconds * 1_000_000)
  }

  static let region = Region(name: "XX", countries: ["XX"], asn: 64_500)

  static func facts(
    _ connection: UInt64 = 1,
    host: String = "api.vendor.example",
    device: String = "redmi",
    region: Region = Play.region,
    treatment: FlowTreatment = .intercepted
  ) throws -> ConnectionFacts {
    let address = try #require(IPAddress("203.0.113.7"))
    let second = try #require(IPAddress("198.51.100.9"))
    return ConnectionFacts(
      connection: ConnectionID(connection),
      device: device,
      client: try #require(IPAddress("192.0.2.10")),
      authority: try #require(Authority("\(host):443", defaultPort: nil)),
      serverName: Hostname(host),
      address: address,
      region: region,
      candidates: [
        Candidate(address: address, region: region),
        Candidate(address: second, region: .unknown),
      ],
      treatment: treatment,
      scheme: "https"
    )
  }

  static func finding(_ kind: FindingKind = .imei, _ value: Bytes = "490154203237518") -> Finding {
    Finding(
      kind: kind,
      certainty: .certain,
      location: .body,
      direction: .request,
      path: "$.d.imei",
      encoding: [],
      range: 9..<24,
      value: value,
      inspector: "needles"
    )
  }

  /// One connection with one exchange whose request holds an identifier.
  static func exchange(
    _ number: UInt64 = 1,
    host: String = "api.vendor.example",
    device: String = "redmi",
    region: Region = Play.region,
    request: Bytes = #"{"imei":"490154203237518"}"#,
    response: Bytes = "thank you",
    findings: [Finding] = [Play.finding()],
    status: Int = 200,
    protocolName: String = "http/1.1",
    heads: (request: String, response: String)? = nil
  ) throws -> [FlowEvent] {
    let start = Int64(number) * 100
    let connection = ConnectionID(number)
    let flow = FlowID(number)
    let facts = try self.facts(number, host: host, device: device, region: region)
    let hello = HelloFacts(
      serverName: Hostname(host),
      applicationProtocols: ["http/1.1"],
      versions: [0x0304],
      raw: Bytes([0x16, 0x03, 0x01])
    )
    var handshake = HandshakeFacts(
      leg: "upstream",
      version: "TLSv1.3",
      cipher: "TLS_AES_128_GCM_SHA256",
      applicationProtocol: "http/1.1"
    )
    var peer = HandshakeFacts.Peer()
    peer.chain = ["leaf certificate", "issuer certificate"]
    peer.verification = "ok"
    handshake.peer = peer
    let verdict = Verdict(decided: .redact, applied: .log, rule: RuleID("identifiers"))
    var events: [FlowEvent] = [
      .connectionOpened(connection, client: facts.client, device: device, time: self.time(start)),
      .destinationDecided(
        connection,
        authority: facts.authority,
        candidates: facts.candidates,
        decision: "dial",
        rule: nil,
        time: self.time(start + 1)
      ),
      .hello(connection, hello, time: self.time(start + 2)),
      .handshake(connection, handshake, time: self.time(start + 3)),
      .flowStarted(
        FlowStart(
          flow: flow,
          facts: facts,
          time: self.time(start + 4),
          method: "POST",
          url: "https://\(host)/v1/report?n=\(number)&q=%22\"",
          protocolName: protocolName
        )
      ),
      .head(
        flow,
        .request,
        .original,
        Bytes(
          heads?.request
            ?? "POST /v1/report?n=1 HTTP/1.1\r\nHost: \(host)\r\nContent-Type: application/json\r\nCookie: a=b; c=d\r\n\r\n"
        )
      ),
      .body(flow, .request, .original, request),
    ]
    if !findings.isEmpty {
      events.append(.findings(flow, findings, verdict, time: self.time(start + 5)))
    }
    events += [
      .head(
        flow,
        .response,
        .original,
        Bytes(
          heads?.response ?? "HTTP/1.1 \(status) OK\r\nContent-Type: text/plain\r\n\r\n"
        )
      ),
      .body(flow, .response, .original, response),
      .flowEnded(
        FlowEnd(
          flow: flow,
          time: self.time(start + 60),
          status: status,
          requestBytes: UInt64(request.count),
          responseBytes: UInt64(response.count),
          findings: findings.count,
          verdict: findings.isEmpty ? .pass : verdict,
          exposure: nil,
          failure: nil
        )
      ),
      .connectionClosed(connection, nil, time: self.time(start + 70)),
    ]
    return events
  }
}

/// A file system that can be full: it takes a number of bytes, and then none until given room.
final class TightStorage: Storage {
  private struct State {
    var room: Int
    var whenFull: [DispatchSemaphore] = []
  }

  private let real = PosixStorage()
  private let state: Mutex<State>
  private let refusal = DispatchSemaphore(value: 0)

  init(room: Int) { self.state = Mutex(State(room: room)) }

  func give(_ room: Int) { self.state.withLock { $0.room = room } }

  /// Waits until a write was refused; false if that does not happen.
  func waitForRefusal() -> Bool { self.refusal.wait(timeout: .now() + 20) == .success }

  func take(_ wanted: Int, at path: String) throws(EvidenceFailure) -> Int {
    let taken = self.state.withLock { state in
      let taken = min(wanted, state.room)
      state.room -= taken
      return taken
    }
    guard taken > 0 else {
      self.refusal.signal()
      throw .system(ENOSPC, "write", path)
    }
    return taken
  }

  func append(to path: String) throws(EvidenceFailure) -> any StoredFile {
    TightFile(real: try self.real.append(to: path), path: path, storage: self)
  }

  func rename(_ path: String, to final: String) throws(EvidenceFailure) {
    try self.real.rename(path, to: final)
  }

  func makeFolder(_ path: String) throws(EvidenceFailure) { try self.real.makeFolder(path) }
  func exists(_ path: String) -> Bool { self.real.exists(path) }
  func sync(_ paths: [String]) throws(EvidenceFailure) { try self.real.sync(paths) }
  func remove(_ path: String) throws(EvidenceFailure) { try self.real.remove(path) }

  private final class TightFile: StoredFile {
    private let real: any StoredFile
    private let path: String
    private let storage: TightStorage

    init(real: any StoredFile, path: String, storage: TightStorage) {
      self.real = real
      self.path = path
      self.storage = storage
    }

    func write(_ bytes: [UInt8], from start: Int) throws(EvidenceFailure) -> Int {
      let count = try self.storage.take(bytes.count - start, at: self.path)
      try self.real.writeAll(Array(bytes[start..<start + count]))
      return count
    }

    func truncate(to count: UInt64) throws(EvidenceFailure) { try self.real.truncate(to: count) }
    func sync() throws(EvidenceFailure) { try self.real.sync() }
  }
}
