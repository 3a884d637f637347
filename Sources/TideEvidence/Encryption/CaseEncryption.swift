internal import TideCore
internal import TideCrypto

/// What `encryption` of a case.json says: how the case's keys come from the one that its owner has.
struct CaseEncryption: Equatable, Sendable {
  /// How the owner's key becomes the master key.
  enum Derivation: Equatable, Sendable {
    /// It is the master key.
    case none
    /// It is a passphrase.
    case scrypt(KeyDerivation.Scrypt)
  }

  static let cipher = "AES-256-GCM"
  /// 128 MiB and some tenths of a second for each guess.
  static let scrypt = KeyDerivation.Scrypt(cost: 1 << 17, blockSize: 8, parallelism: 1)
  /// The most that a case.json may ask of who opens it: a gibibyte.
  private static let mostCost: UInt64 = 1 << 20
  private static let saltByteCount = 32

  let derivation: Derivation
  let salt: [UInt8]
  /// Made of the master key as the keys are: tells whether a key is the right one, and nothing else.
  let check: [UInt8]

  /// The kind of key that opens the case.
  var kind: CaseKey.Kind {
    switch self.derivation {
    case .none: .key
    case .scrypt: .passphrase
    }
  }

  /// Makes the keys of a new case.
  static func make(_ key: CaseKey) throws(EvidenceFailure) -> (Self, CaseKeys) {
    do throws(CryptoFailure) {
      let salt = try RandomBytes.make(self.saltByteCount)
      let derivation: Derivation =
        switch key.kind {
        case .key: .none
        case .passphrase: .scrypt(self.scrypt)
        }
      let keys = CaseKeys(
        master: try self.master(key, salt, derivation),
        salt: salt,
        session: try RandomBytes.make(CaseKeys.sessionByteCount)
      )
      return (CaseEncryption(derivation: derivation, salt: salt, check: keys.check), keys)
    } catch {
      throw EvidenceFailure(error)
    }
  }

  /// The keys of the case in a folder; nil if it is not encrypted.
  ///
  /// - Throws: `locked` if there is no key, `wrongKey` if it is another or another kind's, `malformed`.
  static func keys(of root: String, _ key: CaseKey?) throws(EvidenceFailure) -> CaseKeys? {
    guard let encryption = try CaseEncryption.read(root) else { return nil }
    guard let key else {
      throw EvidenceFailure(
        .locked,
        detail: "\(root): the case is encrypted; give its key: --key FILE, or case.encrypt_key"
      )
    }
    guard key.kind == encryption.kind else {
      let what = encryption.kind == .key ? "a key" : "a passphrase"
      throw EvidenceFailure(
        .wrongKey,
        detail: "\(root): the case was encrypted with \(what), which was not what was given"
      )
    }
    let keys: CaseKeys
    do throws(CryptoFailure) {
      keys = CaseKeys(
        master: try self.master(key, encryption.salt, encryption.derivation),
        salt: encryption.salt,
        session: try RandomBytes.make(CaseKeys.sessionByteCount)
      )
    } catch {
      throw EvidenceFailure(error)
    }
    guard ConstantTime.equal(keys.check, encryption.check) else {
      throw EvidenceFailure(
        .wrongKey,
        detail: "\(root): the case was encrypted with another key than this one"
      )
    }
    return keys
  }

  /// What the case.json in a folder says; nil if the case is not encrypted.
  static func read(_ root: String) throws(EvidenceFailure) -> CaseEncryption? {
    let path = root + "/case.json"
    let description = JSONValue(try Folder.read(path, limit: 16 << 20))?.object
    guard let members = description?["encryption"], members != .null else { return nil }
    guard let encryption = CaseEncryption(members.object) else {
      throw EvidenceFailure(.malformed, detail: "\(path): encrypted in a way that is not known")
    }
    return encryption
  }

  /// Writes the member of case.json.
  func write(into json: inout JSONWriter) {
    json.key("encryption")
    json.beginObject()
    json.member("cipher", Self.cipher)
    json.key("kdf")
    json.beginObject()
    switch self.derivation {
    case .none: json.member("name", "hkdf-sha256")
    case .scrypt(let parameters):
      json.member("name", "scrypt")
      json.member("n", parameters.cost)
      json.member("r", parameters.blockSize)
      json.member("p", parameters.parallelism)
    }
    json.endObject()
    json.key("salt")
    json.hex(self.salt)
    json.key("check")
    json.hex(self.check)
    json.endObject()
  }

  private static func master(
    _ key: CaseKey,
    _ salt: [UInt8],
    _ derivation: Derivation
  ) throws(CryptoFailure) -> [UInt8] {
    switch derivation {
    case .none: key.bytes
    case .scrypt(let parameters): try KeyDerivation.scrypt(key.bytes, salt: salt, parameters).bytes
    }
  }
}

extension CaseEncryption {
  /// Reads the member; nil if it is not of a form that we write.
  fileprivate init?(_ object: JSONObject) {
    guard object["cipher"]?.string == Self.cipher,
      let salt = object["salt"]?.string.flatMap({ Hex.decode($0.utf8) }),
      salt.count == Self.saltByteCount,
      let check = object["check"]?.string.flatMap({ Hex.decode($0.utf8) }),
      check.count == SymmetricKey.byteCount, let kdf = object["kdf"]?.object
    else { return nil }
    self.salt = salt
    self.check = check
    switch kdf["name"]?.string {
    case "hkdf-sha256": self.derivation = .none
    case "scrypt":
      guard let cost = kdf["n"]?.unsigned, (2...Self.mostCost).contains(cost),
        kdf["r"]?.unsigned == 8, kdf["p"]?.unsigned == 1
      else { return nil }
      self.derivation = .scrypt(
        KeyDerivation.Scrypt(cost: cost, blockSize: 8, parallelism: 1)
      )
    default: return nil
    }
  }
}

extension CaseFolder {
  /// What kind of key opens the case in a folder; nil if it needs none.
  ///
  /// - Throws: `malformed` if it is encrypted in a way that is not known, or what the file system says.
  public static func kindOfKey(_ path: String) throws(EvidenceFailure) -> CaseKey.Kind? {
    try CaseEncryption.read(path)?.kind
  }
}
