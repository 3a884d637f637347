import TideCore
import TidePolicy

extension Configuration.TLS {
  /// Reads `tls` if it is written.
  mutating func read(_ root: inout MappingReader, _ base: String) {
    var tls = root.section("tls")
    var roots: String?
    if case .file(let file) = self.upstreamRoots { roots = file }
    tls.read("upstream_roots", orWord: "system", .path(in: base), into: &roots)
    self.upstreamRoots = roots.map { .file($0) } ?? .system
    tls.read("upstream_verify", .word, into: &self.upstreamVerify)
    tls.read("revocation", .word, into: &self.revocation)
    tls.read("crls", listOf: .path(in: base), into: &self.crls)
    self.refuseIdleLists(&tls)
    self.readClientCertificates(&tls, base)
    tls.read("fronting", .word, into: &self.fronting)
    tls.read("passthrough", listOf: .hostPattern, into: &self.passthrough)
    var learn = tls.section("learn_passthrough")
    learn.read("after", .number(1...1_000), into: &self.learnPassthrough.after)
    learn.read("for", .duration(.seconds(1)...(.days(365))), into: &self.learnPassthrough.duration)
    learn.finish()
    tls.finish()
  }

  /// Lists that nobody looks into would let their operator believe that revoked certificates are refused.
  private func refuseIdleLists(_ tls: inout MappingReader) {
    guard self.revocation == .off, !self.crls.isEmpty,
      let written = tls.value("crls") ?? tls.value("revocation")
    else { return }
    tls.report(
      "not looked at with revocation: off; leave them out, or set revocation to staple",
      key: "crls",
      at: written
    )
  }

  private mutating func readClientCertificates(_ tls: inout MappingReader, _ base: String) {
    let key = "client_certs"
    tls.session.note(tls.name(of: key), .list)
    guard let value = tls.value(key) else { return }
    let entries: [YAMLValue] = if case .list(let items) = value.content { items } else { [value] }
    self.clientCertificates = entries.compactMap { entry in
      var reader = MappingReader(
        entry,
        path: tls.name(of: key),
        what: "{ host: …, cert: FILE, key: FILE }",
        session: tls.session
      )
      guard reader.isMapping else { return nil }
      var host: String?
      var certificate: String?
      var keyFile: String?
      reader.read("host", required: .identityHost, into: &host)
      reader.read("cert", required: .path(in: base), into: &certificate)
      reader.read("key", required: .path(in: base), into: &keyFile)
      reader.finish()
      guard let host, let certificate, let keyFile else { return nil }
      return .init(host: host, certificate: certificate, key: keyFile)
    }
  }
}

extension ScalarForm where Value == String {
  /// The hosts that are shown a client certificate: it names its owner, and is not for everybody.
  fileprivate static var identityHost: Self {
    let pattern = Self.hostPattern
    return Self(
      expected: pattern.expected,
      objection: { text in
        text == "*" ? "would show the certificate to every server" : pattern.objection(text)
      }
    ) { text in text == "*" ? nil : pattern.read(text) }
  }
}
