import Foundation
import TideConfig
import TideControl
import TideCore
import TideTLS

/// What there is to say of the CA; the current one's members stand beside those of the store.
struct CAReport: Encodable {
  /// One certificate.
  struct Certificate: Encodable {
    let subject: String
    let fingerprint: String
    let notBefore: String
    let notAfter: String
    let daysLeft: Int
    let key: String
    /// What it is limited to; nil for no limit.
    let permit: [String]?
    let certificate: String
    let isExpired: Bool

    private enum CodingKeys: String, CodingKey {
      case subject
      case fingerprint
      case notBefore
      case notAfter
      case daysLeft
      case key
      case permit
      case certificate
    }

    init(_ certificate: CACertificate, path: String) {
      let end = certificate.notAfter
      self.subject = certificate.subject
      self.fingerprint = certificate.fingerprintText
      self.notBefore = certificate.notBefore.rfc3339
      self.notAfter = end.rfc3339
      self.daysLeft = Int((end.seconds - CAStore.now().seconds) / 86_400)
      self.isExpired = end <= CAStore.now()
      self.key = certificate.keyDescription
      self.permit = certificate.permittedNames?.map(\.description)
      self.certificate = path
    }

    var rows: [(String, String)] {
      [
        ("subject", self.subject), ("SHA-256", self.fingerprint),
        (
          "valid",
          "\(self.notBefore.prefix(10)) to \(self.notAfter.prefix(10)), \(self.daysLeft) days left"
        ),
        ("key", self.key), ("permits", self.permit?.joined(separator: ", ") ?? "every name"),
        ("certificate", self.certificate),
      ]
    }
  }

  let current: Certificate
  /// The one before a rotation, until it ends.
  let previous: Certificate?
  /// Where the key is, and whether it lies open.
  let protection: String
  let caseName: String?
  let notices: [String]

  private enum CodingKeys: String, CodingKey {
    case previous
    case protection
    case caseName = "case"
    case notices
  }

  init(_ store: CAStore) throws(CommandFailure) {
    let certificate = try store.certificate()
    self.current = Certificate(certificate, path: store.certificatePath)
    self.previous = try store.previousCertificate()
      .map { Certificate($0, path: store.certificatePath(.previous)) }
    self.protection = try Self.protection(store)
    self.caseName = store.caseName
    self.notices = store.notices(certificate)
  }

  /// What keeps the key; a key that does not fit its certificate, or that others may read, is refused.
  private static func protection(_ store: CAStore) throws(CommandFailure) -> String {
    if let token = try store.tokenIfNamed { return "in a token: \(token.bare)" }
    if store.caseName != nil, !CAStore.isThere(store.keyPath) {
      return "destroyed when the case was sealed"
    }
    let isEncrypted = CertificateAuthority.isEncrypted(keyPEM: try store.keyBytes(.current))
    // Nobody is asked for a passphrase only to look.
    if !isEncrypted { _ = try store.load(isStrict: false) }
    return isEncrypted ? "encrypted, \(store.keyPath)" : "not encrypted, \(store.keyPath)"
  }

  func encode(to encoder: any Encoder) throws {
    try self.current.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encodeIfPresent(self.previous, forKey: .previous)
    try container.encode(self.protection, forKey: .protection)
    try container.encodeIfPresent(self.caseName, forKey: .caseName)
    try container.encode(self.notices, forKey: .notices)
  }

  var text: String {
    var rows = self.caseName.map { [("case", $0)] } ?? []
    rows += self.current.rows
    rows.append(("protection", self.protection))
    if let previous {
      rows.append(("", ""))
      rows.append(("before", "exported together with the one above until it ends"))
      rows += previous.rows
    }
    rows += self.notices.map { ("note", $0) }
    return rows.map { name, value in name.isEmpty ? "" : name.padded(to: 13) + value }
      .joined(separator: "\n")
  }
}

extension CAStore {
  /// The token that the current key is in, if the configuration names one.
  var tokenIfNamed: TokenURI? {
    get throws(CommandFailure) {
      guard let text = self.settings.pkcs11 else { return nil }
      return try Self.token(text)
    }
  }

  /// What `doctor` says of the CA; nobody is asked for a passphrase.
  func diagnosis() throws(CommandFailure) -> String {
    if self.settings.isPerCase, self.caseName == nil {
      return "\(self.root): one for each case, made when the case is opened"
    }
    try self.settle()
    guard self.exists else { return "\(self.directory): none yet; the first run makes one" }
    if self.settings.pkcs11 != nil || self.settings.passphraseFile != nil {
      _ = try self.load()
    }
    let report = try CAReport(self)
    guard !report.current.isExpired else {
      throw CommandFailure(.problem, "expired: `tidewaiter ca rotate` makes a new one")
    }
    let parts = [
      "\(report.current.subject), \(report.current.key), \(report.current.daysLeft) days left",
      report.protection,
    ]
    return (parts + report.notices).joined(separator: "; ")
  }
}

extension CACertificate {
  /// The fingerprint as devices show it: `AB:CD:…`.
  var fingerprintText: String {
    self.fingerprintSHA256.map { ASCII.hex([$0]).uppercased() }.joined(separator: ":")
  }

  /// The certificate as the pages for devices know it.
  var forDevices: AuthorityCertificate {
    AuthorityCertificate(der: Bytes(self.der), fingerprint: Bytes(self.fingerprintSHA256))
  }
}
