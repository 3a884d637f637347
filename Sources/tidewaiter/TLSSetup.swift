import Foundation
import TideConfig
import TideCore
import TideProxy
import TideTLS

/// What `tls:` asks for, read and ready; what can be wrong with it is found before a case is opened.
struct TLSSetup: Sendable {
  /// Where Debian keeps the public roots apart from those that an administrator added.
  private static let publicRootsFolder = "/usr/share/ca-certificates/mozilla"
  private static let rootsLimit = 16 << 20
  private static let crlLimit = 64 << 20
  private static let identityLimit = 256 << 10

  /// What is done with an upstream that does not verify.
  let untrustedUpstreams: UntrustedUpstreams
  /// When a host that refuses our leaves is relayed.
  let learning: TrustLedger.Learning
  private let roots: TrustRoots
  private let refused: [[UInt8]]
  private let revocation: RevocationChecking
  private let crls: [[UInt8]]
  private let identities: [ClientIdentity]
  private let publicRoots: PublicRoots?
  /// Shared by the loops, so that a device meets its sessions on each of them.
  private let sessions: UpstreamSessions
  private let tickets: TicketKeys
  private let keepsSecrets: Bool

  /// Reads the files that are named.
  ///
  /// - Parameters:
  ///   - configuration: names them.
  ///   - authorities: our own CAs in DER, which no upstream may lead to.
  /// - Throws: `.usage` for a file that cannot be read or used, naming its key; `.runtime`.
  init(_ configuration: Configuration, refusing authorities: [[UInt8]]) throws(CommandFailure) {
    let tls = configuration.tls
    self.untrustedUpstreams =
      switch tls.upstreamVerify {
      case .strict: .refuse
      case .mirror: .mirror
      case .off: .accept
      }
    self.learning = TrustLedger.Learning(
      after: tls.learnPassthrough.after,
      duration: tls.learnPassthrough.duration.components.seconds
    )
    self.revocation =
      switch tls.revocation {
      case .staple: .staple
      case .fetch: .fetch
      case .off: .off
      }
    switch tls.upstreamRoots {
    case .system:
      self.roots = .system
    case .file(let path):
      self.roots = .pem(
        try TextFile.bytes(path, what: "tls.upstream_roots", limit: Self.rootsLimit)
      )
    }
    self.publicRoots = Self.readPublicRoots()
    self.refused = authorities
    self.crls = try tls.crls.map { (path) throws(CommandFailure) in
      try TextFile.bytes(path, what: "tls.crls", limit: Self.crlLimit)
    }
    self.identities = try tls.clientCertificates.map { (entry) throws(CommandFailure) in
      try Self.identity(entry)
    }
    self.sessions = UpstreamSessions(capacity: 4_096)
    do throws(TLSFailure) {
      self.tickets = try TicketKeys()
    } catch {
      throw CommandFailure(.runtime, "cannot make ticket keys: \(error.detail)")
    }
    self.keepsSecrets = configuration.keepsWire
    try self.check(tls)
  }

  /// Makes a context as each loop will, with a file at a time where that fails, to name the one.
  private func check(_ tls: Configuration.TLS) throws(CommandFailure) {
    func fails(_ crls: [[UInt8]]) -> TLSFailure? {
      do throws(TLSFailure) {
        _ = try TLSClientContext(
          roots: self.roots,
          refusing: self.refused,
          revocation: self.revocation,
          crls: crls
        )
        return nil
      } catch {
        return error
      }
    }
    if let failure = fails([]) {
      let name = if case .file(let path) = tls.upstreamRoots { path } else { "system" }
      throw CommandFailure(.usage, "\(name): tls.upstream_roots: \(failure.detail)")
    }
    for (path, crl) in zip(tls.crls, self.crls) {
      if let failure = fails([crl]) {
        throw CommandFailure(.usage, "\(path): tls.crls: \(failure.detail)")
      }
    }
  }

  /// A loop's context for upstreams.
  func clientContext() throws(TLSFailure) -> TLSClientContext {
    try TLSClientContext(
      roots: self.roots,
      refusing: self.refused,
      mode: self.untrustedUpstreams == .refuse ? .refuse : .record,
      revocation: self.revocation,
      crls: self.crls,
      publicRoots: self.publicRoots,
      identities: self.identities,
      sessions: self.sessions
    )
  }

  /// A loop's context for devices.
  func serverContext() throws(TLSFailure) -> TLSServerContext {
    try TLSServerContext(tickets: self.tickets, keepsSecrets: self.keepsSecrets)
  }

  private static func identity(
    _ entry: Configuration.TLS.ClientCertificate
  ) throws(CommandFailure) -> ClientIdentity {
    let certificate = try TextFile.bytes(
      entry.certificate,
      what: "tls.client_certs",
      limit: Self.identityLimit
    )
    let key = try TextFile.bytes(entry.key, what: "tls.client_certs", limit: Self.identityLimit)
    do throws(TLSFailure) {
      return try ClientIdentity(host: entry.host, certificatePEM: certificate, keyPEM: key)
    } catch {
      throw CommandFailure(
        .usage,
        "\(entry.certificate) and \(entry.key): tls.client_certs: \(error.detail)"
      )
    }
  }

  /// The public roots that this system knows of; nil where it does not keep them apart.
  private static func readPublicRoots() -> PublicRoots? {
    let folder = Self.publicRootsFolder
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let files = names.filter { $0.hasSuffix(".crt") }.compactMap { name in
      FileManager.default.contents(atPath: folder + "/" + name).map { [UInt8]($0) }
    }
    return files.isEmpty ? nil : PublicRoots(pem: files)
  }
}

extension Configuration {
  /// Whether the device leg's secrets are kept in the case, and nowhere else.
  var keepsWire: Bool { self.mode.keepsBodies && self.caseFolder.wire }
}
