import ArgumentParser
import Foundation
import TideConfig
import TideControl
import TideCore
import TideEngineNIO
import TideInspect
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
    check("ca") {
      let store = CAStore(configuration)
      guard store.exists else { return "\(store.directory): none yet; the first run makes one" }
      let report = CAReport(try store.load(), store)
      guard report.daysLeft > 0 else { throw CommandFailure(.problem, "expired") }
      return "\(report.subject), \(report.daysLeft) days left"
    }
    check("regions") {
      let table = try RegionLoader.load(configuration)
      return table.sources.map { "\($0.name) \($0.date ?? "") \($0.entries) entries" }
        .joined(separator: "; ")
    }
    check("rules") {
      let (rules, sources) = try RulingLoader.rules(configuration, files: [])
      return "\(rules.count) rules in \(sources.map(\.name).joined(separator: ", "))"
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
      let plan = try InspectionPlan(
        profiles: try DeviceFolder(configuration).profiles(),
        inspectors: configuration.inspect.inspectors,
        secret: [UInt8](repeating: 0, count: 32),
        limits: configuration.limits
      )
      return "\(names); \(plan.needleCount) needles in \(plan.automatonSize >> 10) KiB"
    }
    do throws(EngineFailure) {
      _ = try await NIOEngine.claim(configuration.listen.proxy)
      let listen = configuration.listen.proxy.map(\.description).joined(separator: ", ")
      checks.append(Check(check: "listen", ok: true, detail: listen))
    } catch {
      checks.append(Check(check: "listen", ok: false, detail: error.description))
    }
    check("limits") { "not seen: QUIC, VPNs, private DNS, cellular data, apps that pin" }
    check("not in this version") {
      "revocation (staples, CRL, OCSP), learned passthrough, wire capture, HTTP/2, "
        + "opaque and position and app-list detectors"
    }
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
}
