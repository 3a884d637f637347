import TideCore
import TidePolicy

extension Configuration.CA {
  /// The most bytes of `ca.permit`: with what a certificate needs around them, just short of the 32 KiB
  /// that the TLS layer takes.
  private static let largestPermit = 24 << 10
  /// What an entry counts at least: a block of IPv6 addresses takes as much.
  private static let smallestName = 36

  /// Takes over what the document says under `ca`.
  mutating func read(_ root: inout MappingReader, _ base: String) {
    var ca = root.section("ca")
    ca.read("dir", .path(in: base), into: &self.directory)
    ca.read("key", .word, into: &self.key)
    ca.read("lifetime", .duration(.days(1)...(.days(3_650))), into: &self.lifetime)
    ca.read("permit", listOf: .permittedName, into: &self.permit)
    let size = self.permit.reduce(0) { $0 + max(Self.smallestName, $1.utf8.count) }
    if size > Self.largestPermit {
      ca.report(
        "\(self.permit.count) entries are too many for a certificate: each counts as many bytes as it "
          + "has, at least \(Self.smallestName), and together they may have \(Self.largestPermit)",
        key: "permit",
        at: ca.value("permit")
      )
    }
    ca.read("passphrase_file", orNull: .path(in: base), into: &self.passphraseFile)
    ca.read("pkcs11", orNull: .tokenKey, into: &self.pkcs11)
    ca.read("per_case", .boolean, into: &self.isPerCase)
    if self.isPerCase, self.pkcs11 != nil {
      ca.report(
        "with ca.pkcs11 there is one key for all cases: leave out one of the two",
        key: "per_case",
        at: ca.value("per_case")
      )
    }
    ca.finish()
  }
}

extension ScalarForm where Value == String {
  /// What a CA may be limited to; a lone `*` would be no limit.
  fileprivate static var permittedName: Self {
    Self(
      expected: "a host name, a pattern such as *.miui.com, an address or a block of addresses",
      objection: { $0 == "*" ? "is no limit: leave ca.permit out" : Self.hostPattern.objection($0) }
    ) { text in
      if text == "*" { return nil }
      return CIDR(text).map { "\($0)" } ?? Self.hostPattern.read(text)
    }
  }

  /// The URI of a key in a token (RFC 7512); which attributes it has is for whoever opens it.
  fileprivate static var tokenKey: Self {
    func isURI(_ text: String) -> Bool {
      text.hasPrefix("pkcs11:") && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
    // The configuration is not a secret file: its digest is in every case, and others may read it.
    func holdsPIN(_ text: String) -> Bool { text.contains("pin-value=") }
    return Self(
      expected: "a PKCS #11 URI such as pkcs11:token=audit;object=ca",
      objection: { text in
        isURI(text) && holdsPIN(text)
          ? "holds the PIN: put it into a file of mode 0600 and name that, by pin-source=file:PATH "
            + "or ca.passphrase_file" : nil
      }
    ) { isURI($0) && !holdsPIN($0) ? $0 : nil }
  }
}
