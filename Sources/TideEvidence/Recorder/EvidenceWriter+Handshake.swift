internal import TideCore

extension EvidenceWriter {
  /// Writes a handshake's line, and each certificate into bodies/ unless it is there already.
  mutating func write(
    handshake facts: HandshakeFacts,
    of connection: ConnectionID,
    at time: WallTime
  ) throws(Abandoned) {
    var chain: [[UInt8]] = []
    for certificate in facts.peer?.chain ?? [] { chain.append(try self.bodies.put(certificate)) }
    try self.log.begin("handshake", at: time)
    self.log.json.member("connection", connection)
    self.log.json.write(facts, chain: chain)
    self.log.end()
  }
}

extension JSONWriter {
  fileprivate mutating func write(_ facts: HandshakeFacts, chain: [[UInt8]]) {
    self.member("leg", facts.leg)
    self.member("version", facts.version)
    self.member("cipher", facts.cipher)
    self.member("group", facts.group)
    self.member("alpn", facts.applicationProtocol)
    self.member("resumed", facts.isResumed)
    self.member("ja4", facts.fingerprint)
    self.key("chain")
    self.beginArray()
    for digest in chain { self.hex(digest) }
    self.endArray()
    let peer = facts.peer
    self.member("verification", peer?.verification)
    self.key("revocation")
    if let revocation = peer?.revocation { self.write(revocation) } else { self.null() }
    self.key("timestamps")
    self.beginArray()
    for timestamp in peer?.timestamps ?? [] {
      self.beginObject()
      self.key("log")
      self.hex(timestamp.log.array)
      self.member("time", timestamp.time.rfc3339)
      self.member("source", timestamp.source)
      self.endObject()
    }
    self.endArray()
    self.member("anchor", peer?.anchor)
    self.key("public_anchor")
    if let isPublic = peer?.isPublicAnchor { self.value(isPublic) } else { self.null() }
    self.member("client_certificate", peer.map(Self.word))
  }

  private mutating func write(_ revocation: HandshakeFacts.Revocation) {
    self.beginObject()
    self.member("status", revocation.status.rawValue)
    self.member("sources", revocation.sources)
    self.member("detail", revocation.detail)
    self.endObject()
  }

  private static func word(_ peer: HandshakeFacts.Peer) -> String {
    if peer.gotClientCertificate { return ClientCertificateWord.given.rawValue }
    return (peer.wantsClientCertificate ? ClientCertificateWord.requested : .none).rawValue
  }
}

/// What a handshake's line says of client certificates.
enum ClientCertificateWord: String {
  /// The server did not ask for one.
  case none
  /// It asked, and got none.
  case requested
  /// It asked, and got one.
  case given
}
