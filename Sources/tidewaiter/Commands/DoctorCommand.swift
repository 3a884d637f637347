import ArgumentParser
import Foundation
import TideConfig
import TideControl
import TideCore
import TideEngineNIO
import TideInspect
import TidePolicy
import TideRegion
import TideTLS

/// `tidewaiter doctor`: whether `run` would work, and with what.
struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Checks what `run` needs, and says what is in use."
  )

  @OptionGroup var options: ConfigurationOptions
  @Flag(help: "One JSON object a line.") var json = false

  private struct Check: Encodable {
    let check: String
    let ok: Bool
    let detail: String
  }

  func run() async throws {
    var checks: [Check] = []
    func check(_ name: String, _ body: () throws -> String) {
      do {
        checks.append(Check(check: name, ok: true, detail: try body()))
      } catch let failure as CommandFailure {
        checks.append(Check(check: name, ok: false, detail: failure.message))
      } catch {
        checks.append(Check(check: name, ok: false, detail: "\(error)"))
      }
    }
    let configuration = try self.options.load()
    check("configuration") { "\(configuration.path), mode \(configuration.mode.rawValue)" }
    check("ca") { try CAStore(configuration).diagnosis() }
    check("tls") {
      let library = TLSCapabilities.current
      return library.libraryVersion + ", post-quantum hybrid groups: "
        + (library.hasHybridGroups ? "yes" : "no (from OpenSSL 3.5 on)")
    }
    check("upstream tls") {
      _ = try TLSSetup(configuration, refusing: [])
      return Self.upstream(configuration.tls)
    }
    check("regions") {
      let table = try RegionLoader.load(try RuleFiles(configuration).configuration)
      return table.sources.map { "\($0.name) \($0.date ?? "") \($0.entries) entries" }
        .joined(separator: "; ")
    }
    check("rules") {
      let files = try RuleFiles(configuration)
      let policy = try files.policy(
        regions: try RegionLoader.load(files.configuration),
        devices: try DeviceFolder(configuration).profiles()
      )
      return "\(files.rules.count) rules in \(files.sources.map(\.name).joined(separator: ", "))"
        + policy.remarks.map { "; note: \($0)" }.joined()
    }
    check("devices") {
      let profiles = try DeviceFolder(configuration).profiles()
      return profiles.isEmpty ? "none" : profiles.map(\.name).joined(separator: ", ")
    }
    check("auth") {
      let access = ProxyAccess(configuration)
      return access.summary(try access.load())
    }
    check("inspectors") {
      let names = InspectionPlan.builtinInspectorNames.joined(separator: ", ")
      let cache = FileNeedleCache(casesIn: configuration.caseFolder.directory)
      let plan = try InspectionPlan(
        profiles: try DeviceFolder(configuration).profiles(),
        inspectors: configuration.inspect.inspectors,
        secret: [UInt8](repeating: 0, count: 32),
        limits: configuration.limits,
        cache: cache
      )
      cache.keep()
      return "\(names); \(plan.needleCount) needles in \(plan.automatonSize >> 10) KiB"
        + plan.notes.map { "; note: \($0)" }.joined()
    }
    check("decoders") { InspectionPlan.decoderNames.joined(separator: ", ") }
    check("scanners") {
      let inspect = configuration.inspect
      let services = inspect.icap.map { "\($0.name) (\($0.mode.rawValue) \($0.host):\($0.port))" }
      let names = services + inspect.processes.map { "\($0.name) (process)" }
      return names.isEmpty ? "none" : names.joined(separator: ", ")
    }
    do throws(ControlFailure) {
      for (name, detail) in try RunningReport(configuration).rows { check(name) { detail } }
    } catch {
      switch error.code {
      case .notRunning: checks.append(Self.listening(configuration))
      case .alreadyRunning, .refused, .malformed, .timeOut, .system:
        // There may be one: nothing it would have said of itself or of devices was seen.
        let detail = "the proxy's own report cannot be had: \(error.detail)"
        checks.append(Check(check: "running", ok: false, detail: detail))
      }
    }
    check("limits") { "not seen: QUIC, VPNs, private DNS, cellular data, apps that pin" }
    check("not in this version") { "TLS records in wire/ (the key log is there)" }
    for check in checks {
      Terminal.print(
        self.json
          ? try JSONText.encode(check)
          : "\(check.ok ? "ok     " : "PROBLEM")  \(check.check): \(check.detail)"
      )
    }
    if checks.contains(where: { !$0.ok }) {
      throw ExitCode(CommandFailure.Code.problem.rawValue)
    }
  }

  /// Whether the proxy's ports are free.
  private static func listening(_ configuration: Configuration) -> Check {
    do throws(EngineFailure) {
      _ = try PortClaim(configuration.listen.proxy)
      let listen = configuration.listen.proxy.map(\.description).joined(separator: ", ")
      return Check(check: "listen", ok: true, detail: listen)
    } catch {
      return Check(check: "listen", ok: false, detail: error.description)
    }
  }

  /// What is asked of upstreams; in words that an operator notices where it is less than all.
  private static func upstream(_ tls: Configuration.TLS) -> String {
    func count(_ number: Int, _ what: String) -> String {
      "\(number) \(what)" + (number == 1 ? "" : "s")
    }
    let verification =
      switch tls.upstreamVerify {
      case .strict: "an upstream that does not verify is refused"
      case .mirror:
        "WARNING: an upstream that does not verify is let through, under a leaf that devices cannot "
          + "trust (upstream_verify: mirror)"
      case .off:
        "WARNING: an upstream that does not verify is let through under a leaf that devices trust: they "
          + "cannot tell (upstream_verify: off)"
      }
    let revocation =
      switch tls.revocation {
      case .staple: "revocation by staples and \(count(tls.crls.count, "CRL file"))"
      case .fetch: "revocation by staples, \(count(tls.crls.count, "CRL file")) and what is fetched"
      case .off: "WARNING: revocation is not looked at"
      }
    return [verification, revocation, count(tls.clientCertificates.count, "client certificate")]
      .joined(separator: "; ")
  }
}

/// What the running proxy says of itself and of what it learned of devices.
private struct RunningReport {
  /// A name and what there is to say.
  let rows: [(String, String)]

  /// Asks it.
  ///
  /// - Throws: `.notRunning` if there is none, and why one that may be there did not answer.
  init(_ configuration: Configuration) throws(ControlFailure) {
    let reply = try ControlClient.send(
      .status,
      socketPath: configuration.caseFolder.directory + "/control.sock",
      patience: .seconds(3)
    )
    var rows: [(String, String)] = []
    func row(_ name: String, _ key: String, _ words: String = "") {
      switch reply.status[key] {
      case .text(let text)?: rows.append((name, words + text))
      case .list(let texts)? where !texts.isEmpty:
        rows.append((name, words + texts.joined(separator: "; ")))
      case .list, .number, .flag, nil: break
      }
    }
    row("listen", "proxy", "in use by the proxy that is running: ")
    row("running", "case", "records into ")
    row("handshakes", "handshakes")
    row("untrusting", "untrusting", "accept none of our leaves, install the CA on them: ")
    row("refused", "pinned")
    row("passthrough", "passthrough", "learned, relayed undecrypted: ")
    self.rows = rows
  }
}
