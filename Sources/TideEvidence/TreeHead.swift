internal import TideCore
internal import TideCrypto

/// A statement that a log had these lines: their number and the root of their Merkle tree.
///
/// Written once they outlast a power failure, and signed, so that one such line tells a third party all that
/// came before it.
struct TreeHead: Equatable, Sendable {
  /// How many lines, from the first one on.
  let size: UInt64
  /// The root of their tree.
  let root: [UInt8]

  /// What is signed.
  ///
  /// - Parameter caseDigest: the SHA-256 of case.json in hexadecimal, so that no head speaks for another case.
  /// - Returns: its bytes, in ASCII.
  func message(caseDigest: String) -> [UInt8] {
    Array("tidewaiter tree head v1\n\(caseDigest)\n\(self.size)\n\(Hex.encode(self.root))\n".utf8)
  }

  /// Writes the members of its line, signed if there is a signer.
  func write(into json: inout JSONWriter, signer: HeadSigner?) {
    let signature = signer?.signature(of: self)
    json.member("size", self.size)
    json.key("root")
    json.hex(self.root)
    json.member("key", signature == nil ? nil : signer?.fingerprint)
    json.key("signature")
    if let signature { json.base64(Bytes(signature)) } else { json.null() }
  }
}

/// Signs the tree heads of one case.
struct HeadSigner: Sendable {
  /// The SHA-256 of the public key (SubjectPublicKeyInfo, DER) in hexadecimal.
  let fingerprint: String
  /// The public key as SubjectPublicKeyInfo in PEM.
  let pem: [UInt8]
  /// The same in DER, as base64.
  let publicKey: String
  private let key: SigningKey
  private let caseDigest: String

  init(_ key: SigningKey, caseDigest: String) throws(EvidenceFailure) {
    do throws(CryptoFailure) {
      self.pem = try key.publicKeyPEM
    } catch {
      throw EvidenceFailure(error)
    }
    self.key = key
    self.caseDigest = caseDigest
    self.publicKey = Self.publicKey(inPEM: self.pem)
    let bytes = Base64.standard.decode(self.publicKey.utf8) ?? []
    self.fingerprint = Hex.encode(Digest.sha256.hash(bytes))
  }

  /// The base64 between the lines of a PEM file, joined.
  static func publicKey(inPEM pem: [UInt8]) -> String {
    String(decoding: pem, as: UTF8.self).split(separator: "\n")
      .filter { !$0.hasPrefix("-----") }
      .joined()
  }

  /// The signature; nil if there was no memory for it, which leaves a head that is right but not signed.
  func signature(of head: TreeHead) -> [UInt8]? {
    try? self.key.sign(head.message(caseDigest: self.caseDigest))
  }
}
