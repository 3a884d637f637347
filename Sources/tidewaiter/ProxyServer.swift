import Foundation
import Synchronization
import TideConfig
import TideControl
import TideCore
import TideCrypto
import TideEngineNIO
import TideEvidence
import TidePolicy
import TideProxy
import TideRegion
import TideScan
import TideTLS

/// The running proxy: the one place that knows every part and joins them.
final class ProxyServer: Sendable {
  let configuration: Configuration
  let recorder: EvidenceRecorder
  let caseFolder: CaseFolder
  let listen: [ListenAddress]
  let authority: CertificateAuthority
  let isNewAuthority: Bool
  /// What an operator should know of the CA.
  let authorityNotices: [String]
  let regions: [RegionSourceInfo]
  /// The rule files that were read, or what stands in for the default one where it is not there.
  let ruleFiles: [String]
  /// The profiles at the start.
  let devices: [DeviceProfile]
  /// What devices are asked for, at the start.
  let authSummary: String
  /// What devices make of our leaves.
  let trust: TrustLedger
  private let handshakes: HandshakeStatistics
  private let revocations: FileRevocationCache?
  private let access: ProxyAccess
  private let scanners: ScannerService?
  private let loader: RulingLoader
  private let engine: NIOEngine
  /// Until the engine listens.
  private let claim: Mutex<PortClaim?>
  private let ruleCount: Mutex<Int>
  private let started = CAStore.now()

  /// Puts everything together, up to but not including the acceptance of connections.
  init(_ configuration: Configuration, ruleFiles: [String], log: Log) async throws {
    Self.raiseDescriptorLimit()
    let loops = configuration.loops ?? ProcessInfo.processInfo.activeProcessorCount
    Footprint.bound(loops: loops)
    self.configuration = configuration
    // With ca.per_case there is none before the case is open.
    let sharedCA = configuration.ca.isPerCase ? nil : try CAStore(configuration).open()
    let claim: PortClaim
    do {
      claim = try PortClaim(configuration.listen.proxy)
    } catch {
      throw CommandFailure(.runtime, error.description)
    }
    let listen = claim.addresses
    self.claim = Mutex(claim)
    self.listen = listen
    let own = Self.ownAddresses(listen)
    // Everything that can be wrong with a file is found before the case is opened.
    var loader = RulingLoader(
      configuration: configuration,
      ruleFiles: ruleFiles,
      ownAddresses: own,
      ownPorts: listen.map(\.port),
      secret: [UInt8](repeating: 0, count: 32),
      needles: FileNeedleCache(casesIn: configuration.caseFolder.directory)
    )
    let checked = try loader.load()
    for remark in checked.remarks { log.notice("\(remark)") }
    let access = ProxyAccess(configuration)
    self.access = access
    let users = try access.load()
    self.authSummary = access.summary(users)
    let checkedTLS = try TLSSetup(configuration, refusing: sharedCA?.certificates ?? [])
    let trust = TrustLedger(learning: checkedTLS.learning)
    self.trust = trust
    let statistics = HandshakeStatistics()
    let revocations = try Self.revocations(configuration)
    self.revocations = revocations
    self.handshakes = statistics
    let caseFolder = try Self.openCase(configuration, checked)
    self.caseFolder = caseFolder
    let store = CAStore(configuration, caseName: caseFolder.name)
    let opened = try sharedCA ?? store.open()
    let tls =
      sharedCA == nil
      ? try TLSSetup(configuration, refusing: opened.certificates) : checkedTLS
    let (authority, previous) = (opened.authority, opened.previous)
    self.authority = authority
    self.isNewAuthority = opened.isNew
    self.authorityNotices = opened.notices
    loader.secret = caseFolder.secret
    self.loader = loader
    let ruling = try loader.ruling(checked)
    self.regions = checked.regions.sources
    self.devices = checked.ruling.devices
    self.ruleCount = Mutex(checked.rules.count)
    self.ruleFiles = checked.ruleSources.map(\.name)
    let recorder = try Self.openRecorder(configuration, caseFolder)
    self.recorder = recorder
    let site = Site(
      onboarding: OnboardingSite(
        authority: authority.publicPart.forDevices,
        previous: opened.previousCertificate?.forDevices,
        addresses: Self.shownAddresses(listen),
        port: listen.first?.port ?? 0,
        mode: configuration.mode,
        caseName: caseFolder.name
      ),
      mode: configuration.mode,
      caseName: caseFolder.name
    )
    let numbering = Numbering(
      nextFlow: caseFolder.nextFlowNumber,
      nextConnection: caseFolder.nextConnectionNumber
    )
    let limits = configuration.limits
    let scanners = try await ScannerSetup.open(configuration, log: log)
    self.scanners = scanners
    do {
      self.engine = try await NIOEngine(
        EngineSettings(
          listen: listen,
          allowedClients: configuration.listen.allow,
          loops: loops,
          hosts: configuration.upstream.hosts,
          nameServers: configuration.upstream.nameServers,
          limits: limits,
          timeouts: configuration.timeouts
        ),
        sink: recorder,
        authenticator: users,
        onStranger: { client in
          log.notice(
            "client \(client) refused: not in listen.allow; if it is a device of yours, add its network"
          )
        },
        context: { _ in
          try LoopContext(
            ruling: ruling,
            mode: configuration.mode,
            keepsWire: configuration.keepsWire,
            minter: LeafMinter(
              authority: authority,
              previous: previous,
              capacity: limits.leaves
            ),
            upstreamTLS: tls.clientContext(),
            clientTLS: tls.serverContext(),
            untrustedUpstreams: tls.untrustedUpstreams,
            trust: trust,
            statistics: statistics,
            revocations: revocations,
            sink: recorder,
            site: site,
            scanners: scanners?.scanners ?? [],
            authentication: access.authentication,
            numbering: numbering,
            limits: limits,
            timeouts: configuration.timeouts,
            clock: WorkClock()
          )
        }
      )
    } catch {
      throw CommandFailure(.runtime, "cannot start: \(error)")
    }
  }

  /// Begins to accept connections.
  func start() async throws {
    do {
      try await self.engine.listen()
      self.claim.withLock { $0 = nil }
    } catch {
      throw CommandFailure(.runtime, error.description)
    }
  }

  /// Loads rules, devices, regions and users anew; the old ones stay in force if anything is wrong.
  func reload() async throws(CommandFailure) -> String {
    let loaded = try self.loader.load()
    let users = try self.access.load()
    do {
      try await self.engine.replace(loaded.ruling)
    } catch {
      throw CommandFailure(.runtime, "cannot put the rules in force: \(error)")
    }
    if let users { self.engine.replace(users) }
    self.ruleCount.withLock { $0 = loaded.rules.count }
    let sources = loaded.ruleSources.map { "\($0.name) \($0.sha256)" }
    self.recorder.note(type: "reload", fields: ["rules": sources.joined(separator: ", ")])
    let remarks = loaded.remarks.map { "\nnote: \($0)" }.joined()
    self.settle()
    return "\(loaded.rules.count) rules, \(loaded.ruling.devices.count) devices in force" + remarks
  }

  /// What comes after a start or a reload and nobody waits for.
  func settle() {
    let needles = self.loader.needles
    DispatchQueue.global().async {
      needles.keep()
      Footprint.giveBack()
    }
  }

  var rules: Int { self.ruleCount.withLock { $0 } }

  /// Stops accepting, drains for a few seconds, seals the case.
  func stop() async throws {
    await self.engine.stop(drain: 5) { await self.scanners?.stop() }
    if let revocations = self.revocations { await Blocking.leave { revocations.flush() } }
    do {
      try self.recorder.close(seal: true)
    } catch {
      throw CommandFailure(.runtime, "case \(self.caseFolder.path): \(error)")
    }
    // A case's own CA has done its work; a CA of all cases is left as it is.
    try CAStore(self.configuration, caseName: self.caseFolder.name).destroyKeys()
  }

  func status() async -> [String: ControlValue] {
    let statistics = self.recorder.statistics
    return [
      "version": .text(Version.text),
      "mode": .text(self.configuration.mode.rawValue),
      "case": .text(self.caseFolder.path),
      "auth": .text(self.authSummary),
      "proxy": .list(self.listen.map(\.description)),
      "connections": .number(await self.engine.connectionCount()),
      "events": .number(Int(clamping: statistics.events)),
      "dropped": .number(Int(clamping: statistics.dropped)),
      "evidence": .text(statistics.failing ?? "ok"),
      "rules": .number(self.rules),
      "since": .text(self.started.rfc3339),
      "pinned": .list(Self.few(self.trust.refusals)),
      "untrusting": .list(Self.few(self.trust.untrusting)),
      "passthrough": .list(Self.few(self.trust.learned(at: CAStore.now()).map(\.description))),
      "handshakes": .list([
        "device \(self.handshakes.device.all), \(self.handshakes.device.resumed) resumed",
        "server \(self.handshakes.server.all), \(self.handshakes.server.resumed) resumed",
      ]),
    ]
  }

  /// The first of the lines, and how many are left out: a status is one message.
  private static func few(_ lines: [String]) -> [String] {
    let most = 100
    guard lines.count > most else { return lines }
    return lines.prefix(most) + ["and \(lines.count - most) more"]
  }

  // MARK: Parts

  private static func openCase(
    _ configuration: Configuration,
    _ loaded: RulingLoader.Loaded
  ) throws(CommandFailure) -> CaseFolder {
    var sources = loaded.ruleSources.map {
      CaseDescription.Source(role: .rules, name: $0.name, date: nil, sha256: $0.sha256)
    }
    sources += loaded.regions.sources.map {
      CaseDescription.Source(
        role: .regions,
        name: $0.name,
        date: $0.date,
        sha256: $0.sha256 ?? ""
      )
    }
    if let text = FileManager.default.contents(atPath: configuration.path) {
      sources.append(
        CaseDescription.Source(
          role: .configuration,
          name: configuration.path,
          date: nil,
          sha256: ASCII.hex(Digest.sha256.hash(Bytes([UInt8](text))))
        )
      )
    }
    let description = CaseDescription(
      operatorName: ProcessInfo.processInfo.userName,
      devices: loaded.ruling.devices.map(\.name),
      mode: configuration.mode.rawValue,
      toolVersion: Version.text,
      watched: configuration.regions.watch,
      sources: sources
    )
    do throws(EvidenceFailure) {
      return try CaseFolder.open(
        configuration.caseFolder.name ?? "auto",
        in: configuration.caseFolder.directory,
        description: description,
        key: try configuration.caseFolder.newKey(),
        at: CAStore.now()
      )
    } catch {
      switch error.code {
      case .sealed, .badName, .inUse, .locked, .wrongKey, .badKey:
        throw CommandFailure(.usage, error.detail)
      case .notACase, .badFilter, .malformed, .notFound, .full, .io, .crypto, .index:
        throw CommandFailure(.runtime, error.description)
      }
    }
  }

  private static func openRecorder(
    _ configuration: Configuration,
    _ folder: CaseFolder
  ) throws(CommandFailure) -> EvidenceRecorder {
    var settings = RecorderSettings()
    settings.keepsBodies = configuration.mode.keepsBodies
    settings.keepsWire = configuration.keepsWire
    settings.isRequired = configuration.caseFolder.evidence == .required
    settings.fsyncInterval = configuration.caseFolder.fsync.wholeNanoseconds
    settings.maxSize = configuration.caseFolder.maxSize
    settings.maxAge = configuration.caseFolder.maxAge.map(\.wholeNanoseconds)
    do throws(EvidenceFailure) {
      settings.signingKey = try CaseFolder.signingKey(in: configuration.caseFolder.directory)
      let logger = Log(configuration.log)
      return try EvidenceRecorder(case: folder, settings: settings) { logger.error($0) }
    } catch {
      throw CommandFailure(.runtime, error.description)
    }
  }

  /// Where fetched answers about revocation are kept; nil if none are fetched.
  private static func revocations(
    _ configuration: Configuration
  ) throws(CommandFailure) -> FileRevocationCache? {
    guard configuration.tls.revocation == .fetch else { return nil }
    do throws(FileFailure) {
      return try FileRevocationCache(folder: configuration.ca.directory + "/revocation")
    } catch {
      throw CommandFailure(.runtime, error.description)
    }
  }

  /// The addresses under which the proxy could be asked to dial itself.
  private static func ownAddresses(_ listen: [ListenAddress]) -> [IPAddress] {
    let local = LocalAddresses.list()
    return listen.flatMap { address -> [IPAddress] in
      address.address.isUnspecified ? local + [address.address] : [address.address]
    }
  }

  /// The addresses that devices are shown, the likeliest first.
  static func shownAddresses(_ listen: [ListenAddress]) -> [IPAddress] {
    guard let first = listen.first else { return [] }
    guard first.address.isUnspecified else { return [first.address] }
    let reachable = LocalAddresses.reachable().filter { $0.bitWidth == first.address.bitWidth }
    return reachable.isEmpty ? [.v4(0x7F00_0001)] : reachable
  }

  /// Two descriptors a connection: the soft limit of 1,024 would end at some 500.
  private static func raiseDescriptorLimit() {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = min(limit.rlim_max, 1 << 20)
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}

extension Duration {
  /// Nanoseconds, at most what 64 bits hold.
  fileprivate var wholeNanoseconds: UInt64 {
    let (seconds, attoseconds) = self.components
    let (whole, overflows) = UInt64(clamping: seconds).multipliedReportingOverflow(
      by: 1_000_000_000
    )
    return overflows ? .max : whole &+ UInt64(clamping: attoseconds) / 1_000_000_000
  }
}
