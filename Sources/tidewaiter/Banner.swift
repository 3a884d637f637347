import TideConfig
import TideControl
import TideCore
import TideEvidence
import TideRegion
import TideTLS

/// What `run` shows before it is ready (PRODUCT.md section 2).
struct Banner {
  let text: String

  init(_ server: ProxyServer) {
    let configuration = server.configuration
    var lines = [
      "Tidewaiter \(Version.text)   mode: \(configuration.mode.rawValue)   "
        + "case: \(server.caseFolder.path)"
    ]
    func row(_ name: String, _ value: String) {
      lines.append(name + String(repeating: " ", count: max(1, 11 - name.count)) + value)
    }
    let port = server.listen.first?.port ?? 0
    let shown = ProxyServer.shownAddresses(server.listen).first
    let url = shown.map { "http://\(ListenAddress(address: $0, port: port))" } ?? ""
    row("proxy", url.padded(to: 34) + " (HTTP proxy for the phone's Wi-Fi settings)")
    row("phone", "scan, or open \(url) on it")
    if let code = QRCode.terminal(url) {
      lines += code.split(separator: "\n").map { "           " + $0 }
    }
    if server.isNewAuthority {
      row(
        "CA",
        "made: \(server.authority.subject), valid to "
          + server.authority.notAfter.rfc3339.prefix(10)
      )
    }
    for notice in server.authorityNotices { row("CA", notice) }
    row("regions", Self.regions(server))
    row("rules", Self.rules(server))
    row("devices", Self.devices(server.devices))
    if configuration.listen.auth != .off { row("auth", server.authSummary) }
    switch configuration.tls.upstreamVerify {
    case .strict: break
    case .mirror:
      row(
        "WARNING",
        "tls.upstream_verify is mirror: servers that do not verify get an untrusted leaf"
      )
    case .off:
      row("WARNING", "tls.upstream_verify is off: servers that do not verify are let through")
    }
    if let warning = Self.sizeWarning(configuration) { row("WARNING", warning) }
    if server.caseFolder.isContinued { row("case", "continued") }
    self.text = lines.joined(separator: "\n")
  }

  /// Where the files of wire/ alone may fill the case.
  private static func sizeWarning(_ configuration: Configuration) -> String? {
    guard configuration.keepsWire, let size = configuration.caseFolder.maxSize,
      size < RecorderSettings.leastSizeWithWire
    else { return nil }
    return
      "case.max_size of \(size >> 20) MiB may be full of wire/ alone, whose files of 64 MiB stay while they are "
      + "written; set at least \(RecorderSettings.leastSizeWithWire >> 20) MiB, or case.wire: false"
  }

  private static func regions(_ server: ProxyServer) -> String {
    guard !server.regions.isEmpty else { return "no database; named sets only" }
    let families = [
      server.regions.contains { $0.hasIPv4 } ? "IPv4" : nil,
      server.regions.contains { $0.hasIPv6 } ? "IPv6" : nil,
    ].compactMap { $0 }.joined(separator: "+")
    let isDefault = server.configuration.regions.databasesAreDefault
    let names = isDefault ? "tor-geoipdb" : server.regions.map(\.name).joined(separator: ", ")
    let date = server.regions.compactMap(\.date).min().map { " \($0.prefix(7))" } ?? ""
    let content = server.regions.contains { $0.knowsASN } ? "country, ASN" : "country"
    return "\(names)\(date) (\(families), \(content))"
  }

  private static func devices(_ profiles: [DeviceProfile]) -> String {
    guard !profiles.isEmpty else {
      return "none: only patterns are searched for; tidewaiter device add NAME"
    }
    let values = profiles.reduce(0) { $0 + $1.identifiers.count }
    return "\(profiles.count) profile\(profiles.count == 1 ? "" : "s"), "
      + "\(values) value\(values == 1 ? "" : "s")"
  }

  private static func rules(_ server: ProxyServer) -> String {
    let watch = server.configuration.regions.watch.joined(separator: ", ")
    let count = server.rules
    return server.ruleFiles.joined(separator: ", ")
      + ": \(count) rule\(count == 1 ? "" : "s"), watching \(watch.isEmpty ? "nothing" : watch), "
      + "enforced in mode redact or block"
  }
}
