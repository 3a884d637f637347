public import TideCore
internal import TideCrypto

/// A TLS handshake as recorded.
public struct HandshakeRecord: Sendable {
  /// When it ended, RFC 3339.
  public let time: String
  /// What came of it; the certificates themselves are in bodies/, by `chain`.
  public let facts: HandshakeFacts
  /// The SHA-256 of each certificate as sent, in hexadecimal, leaf first.
  public let chain: [String]

  /// Reads a line; what a version before this one did not write is absent.
  init?(_ event: LogEvent) {
    let members = event.members
    guard event.type == "handshake", let leg = members["leg"]?.string else { return nil }
    var facts = HandshakeFacts(
      leg: leg,
      version: members["version"]?.string ?? "",
      cipher: members["cipher"]?.string ?? "",
      applicationProtocol: members["alpn"]?.string
    )
    facts.group = members["group"]?.string
    facts.isResumed = members["resumed"]?.bool ?? false
    facts.fingerprint = members["ja4"]?.string
    if leg != "downstream" { facts.peer = HandshakeFacts.Peer(members) }
    self.time = event.time
    self.facts = facts
    self.chain = (members["chain"]?.array ?? []).compactMap(\.string)
  }
}

extension HandshakeFacts.Peer {
  fileprivate init(_ members: JSONObject) {
    self.init()
    self.verification = members["verification"]?.string
    self.revocation = HandshakeFacts.Revocation(members["revocation"]?.object)
    self.timestamps = (members["timestamps"]?.array ?? []).compactMap { item in
      let object = item.object
      guard let log = object["log"]?.string.flatMap({ Hex.decode($0.utf8) }),
        let time = object["time"]?.string.flatMap({ WallTime(rfc3339: $0) })
      else { return nil }
      return HandshakeFacts.CertificateTimestamp(
        log: Bytes(log),
        time: time,
        source: object["source"]?.string ?? ""
      )
    }
    self.anchor = members["anchor"]?.string
    self.isPublicAnchor = members["public_anchor"]?.bool
    switch members["client_certificate"]?.string.flatMap(ClientCertificateWord.init(rawValue:)) {
    case .given?:
      self.wantsClientCertificate = true
      self.gotClientCertificate = true
    case .requested?: self.wantsClientCertificate = true
    case ClientCertificateWord.none?, nil: break
    }
  }
}

extension HandshakeFacts.Revocation {
  fileprivate init?(_ members: JSONObject?) {
    guard let members, let status = members["status"]?.string.flatMap(Status.init(rawValue:)) else {
      return nil
    }
    self.init(
      status: status,
      sources: (members["sources"]?.array ?? []).compactMap(\.string),
      detail: members["detail"]?.string ?? ""
    )
  }
}
