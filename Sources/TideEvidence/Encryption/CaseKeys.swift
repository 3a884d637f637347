internal import TideCore
internal import TideCrypto

/// The keys of one encrypted case, each for one use (docs/evidence-format.md, section 13).
struct CaseKeys: Sendable {
  static let sessionByteCount = 16

  /// Of members of lines.
  let lines: SymmetricKey
  /// Of contents; each file has one of its own, made of this and the file's number.
  let bodies: SymmetricKey
  /// Of records of wire/.
  let wire: SymmetricKey
  /// Tells whether the master key is the right one.
  let check: [UInt8]
  private let names: SymmetricKey
  private let secret: SymmetricKey
  /// Random bytes of whoever opened the case: what it numbers, nobody else has numbered so.
  private var session: [UInt8]

  init(master: [UInt8], salt: [UInt8], session: [UInt8]) {
    func key(_ use: String) -> SymmetricKey {
      KeyDerivation.hkdf(master, salt: salt, info: "tidewaiter case v1 \(use)")
    }
    self.lines = key("lines")
    self.bodies = key("bodies")
    self.wire = key("wire")
    self.names = key("names")
    self.secret = key("secret")
    self.check = key("check").bytes
    self.session = session
  }

  /// The same keys for another writer: it numbers anew what this one may have numbered and lost.
  func renewed() throws(EvidenceFailure) -> CaseKeys {
    var keys = self
    do throws(CryptoFailure) {
      keys.session = try RandomBytes.make(Self.sessionByteCount)
    } catch {
      throw EvidenceFailure(error)
    }
    return keys
  }

  /// The name of a content's file: what it holds cannot be guessed from it.
  func name(of digest: [UInt8]) -> [UInt8] { HMAC.sha256(key: self.names.bytes, digest) }

  /// The nonce of a session's line or record.
  func nonce(_ number: UInt64) -> [UInt8] {
    Array(self.session[0..<6])
      + (0..<6).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
  }

  /// What no other file of bodies/ begins with.
  func fileNumber(_ number: UInt64) -> [UInt8] {
    Array(self.session[6..<14])
      + (0..<8).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
  }

  /// The file `secret` of the case: a random nonce, the 32 bytes hidden, the tag.
  func seal(secret: [UInt8]) throws(EvidenceFailure) -> [UInt8] {
    var sealed: [UInt8]
    do throws(CryptoFailure) {
      sealed = try RandomBytes.make(AEAD.nonceByteCount)
    } catch {
      throw EvidenceFailure(error)
    }
    let nonce = sealed
    AEAD(self.secret).seal(secret.span, nonce: nonce, into: &sealed)
    return sealed
  }

  /// The case's secret; nil if the file is not as it was written.
  func open(secret sealed: [UInt8]) -> [UInt8]? {
    guard sealed.count > AEAD.nonceByteCount else { return nil }
    return AEAD(self.secret).open(
      sealed.span.extracting(AEAD.nonceByteCount..<sealed.count),
      nonce: Array(sealed.prefix(AEAD.nonceByteCount))
    )
  }
}

/// `secret`.
enum SecretFile {
  static let name = "secret"

  /// The secret of the case in a folder.
  ///
  /// - Throws: `malformed` if it is not 32 bytes, or not under this case's key; what the file system says.
  static func read(_ root: String, _ keys: CaseKeys?) throws(EvidenceFailure) -> [UInt8] {
    let path = root + "/" + self.name
    let bytes = try Folder.read(path, limit: 4_096).array
    guard let secret = keys.map({ $0.open(secret: bytes) }) ?? bytes, secret.count == 32 else {
      let what = keys == nil ? "not 32 bytes" : "altered, or of another case"
      throw EvidenceFailure(.malformed, detail: "\(path): \(what)")
    }
    return secret
  }
}
