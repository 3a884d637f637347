import TideCore

/// What a ClientHello message says (RFC 8446 §4.1.2), GREASE (RFC 8701) left out.
struct HelloFields {
  /// Where a hello breaks its grammar.
  struct Defect: Error {
    let reason: String
  }

  private var legacyVersion: UInt16 = 0
  private var supportedVersions: [UInt16]?
  private var serverName: Hostname?
  private var hasMalformedServerName = false
  private var applicationProtocols: [String] = []
  private var hasEncryptedHello = false
  private var fingerprint = JA4()

  /// Reads a whole handshake message, header included.
  init(_ message: [UInt8]) throws(Defect) {
    var body = WireReader(message, from: 4)
    guard let version = body.number(), body.take(32) != nil else {
      throw Defect(reason: "a ClientHello without version and random")
    }
    self.legacyVersion = version
    guard let session = body.shortVector(), session.rest.count <= 32 else {
      throw Defect(reason: "a session id over 32 bytes")
    }
    guard let suites = body.vector(), !suites.isAtEnd, suites.rest.count % 2 == 0 else {
      throw Defect(reason: "no list of cipher suites")
    }
    self.fingerprint.version = version
    self.fingerprint.suites = Self.numbers(of: suites)
    guard let compression = body.shortVector(), !compression.isAtEnd else {
      throw Defect(reason: "no list of compression methods")
    }
    // A hello for TLS 1.2 may end here (RFC 5246 §7.4.1.2).
    if body.isAtEnd { return }
    guard let extensions = body.vector(), body.isAtEnd else {
      throw Defect(reason: "extensions that do not fill the hello")
    }
    try self.readExtensions(extensions)
  }

  /// The facts, with the bytes that they were read from.
  func facts(raw: Bytes) -> HelloFacts {
    HelloFacts(
      serverName: self.serverName,
      hasMalformedServerName: self.hasMalformedServerName,
      applicationProtocols: self.applicationProtocols,
      versions: self.supportedVersions ?? [self.legacyVersion],
      hasEncryptedHello: self.hasEncryptedHello,
      fingerprint: self.fingerprint.text,
      raw: raw
    )
  }

  private mutating func readExtensions(_ list: WireReader) throws(Defect) {
    var list = list
    // Two of a kind could be read one way here and another way by libssl (RFC 8446 §4.2).
    var seen: Set<UInt16> = []
    while !list.isAtEnd {
      guard let type = list.number(), let content = list.vector() else {
        throw Defect(reason: "an extension cut short")
      }
      guard seen.insert(type).inserted else { throw Defect(reason: "extension \(type) twice") }
      if !Self.isGREASE(type) { self.fingerprint.extensions.append(type) }
      switch type {
      case 0: self.readServerName(content)
      case 13: self.readSignatureAlgorithms(content)
      case 16: try self.readProtocols(content)
      case 43: try self.readVersions(content)
      case 0xFE0D: self.hasEncryptedHello = true
      default: break
      }
    }
  }

  /// `server_name`: one host_name (RFC 6066 §3).
  ///
  /// What is not one is noted, for policy to refuse.
  private mutating func readServerName(_ content: WireReader) {
    self.hasMalformedServerName = true
    var content = content
    guard var list = content.vector(), content.isAtEnd, list.byte() == 0,
      let name = list.vector(), list.isAtEnd, name.rest.count <= 255
    else { return }
    // Ill-formed UTF-8 becomes U+FFFD, which no host name holds.
    self.serverName = Hostname(String(decoding: name.rest, as: UTF8.self))
    self.hasMalformedServerName = self.serverName == nil
  }

  /// `application_layer_protocol_negotiation` (RFC 7301 §3.1).
  private mutating func readProtocols(_ content: WireReader) throws(Defect) {
    var content = content
    guard var list = content.vector(), content.isAtEnd, !list.isAtEnd else {
      throw Defect(reason: "no list of protocols in ALPN")
    }
    while !list.isAtEnd {
      guard let name = list.shortVector(), !name.isAtEnd else {
        throw Defect(reason: "a protocol without a name in ALPN")
      }
      if name.rest.count == 2, let first = name.rest.first, let last = name.rest.last,
        Self.isGREASE(UInt16(first) << 8 | UInt16(last))
      {
        continue
      }
      if self.applicationProtocols.isEmpty { self.fingerprint.firstProtocol = name.rest }
      self.applicationProtocols.append(String(decoding: name.rest, as: UTF8.self))
    }
  }

  /// `supported_versions` (RFC 8446 §4.2.1).
  private mutating func readVersions(_ content: WireReader) throws(Defect) {
    var content = content
    guard let list = content.shortVector(), content.isAtEnd, !list.isAtEnd else {
      throw Defect(reason: "no list of versions")
    }
    guard list.rest.count % 2 == 0 else { throw Defect(reason: "half a version") }
    let versions = Self.numbers(of: list)
    self.supportedVersions = versions
    self.fingerprint.version = versions.max()
  }

  /// `signature_algorithms` (RFC 8446 §4.2.3), for the fingerprint alone: libssl judges their form.
  private mutating func readSignatureAlgorithms(_ content: WireReader) {
    var content = content
    guard let list = content.vector() else { return }
    self.fingerprint.signatureAlgorithms = Self.numbers(of: list)
  }

  /// The numbers of a list, GREASE left out.
  private static func numbers(of list: WireReader) -> [UInt16] {
    var list = list
    var numbers: [UInt16] = []
    numbers.reserveCapacity(list.rest.count / 2)
    while let number = list.number() {
      if !Self.isGREASE(number) { numbers.append(number) }
    }
    return numbers
  }

  /// Whether a number is one of 0x0A0A, 0x1A1A, … 0xFAFA (RFC 8701 §2).
  private static func isGREASE(_ value: UInt16) -> Bool {
    value & 0x0F0F == 0x0A0A && value >> 8 == value & 0xFF
  }
}
