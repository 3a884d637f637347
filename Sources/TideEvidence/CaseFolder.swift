public import TideCore
public import TideCrypto

/// A case's folder, open for one writer: held locked until its recorder is closed or the last
/// reference goes.
///
/// docs/evidence-format.md describes what is in it.
public final class CaseFolder: Sendable {
  /// Where it is.
  public let path: String
  /// Its name: the last part of the path.
  public let name: String
  /// Whether it was there before and is continued.
  public let isContinued: Bool
  /// The number for the next flow, so that none occurs twice in a case.
  public let nextFlowNumber: UInt64
  /// The number for the next connection.
  public let nextConnectionNumber: UInt64
  /// The 32 secret bytes under which the case's identifiers become digests and pseudonyms.
  public let secret: [UInt8]

  /// Those of an encrypted case.
  let keys: CaseKeys?
  let description: CaseDescription
  /// The SHA-256 of case.json, which the log repeats so that the chain holds it too.
  let descriptionDigest: String
  let tail: LogTail
  /// Where wire/ goes on.
  let wireTail: WireTail
  /// What lines are to say of wire/ first.
  let wireRecoveries: [WireRecovery]
  /// Bodies that a recorder before was killed over; whoever writes next begins with their lines.
  let salvaged: [SalvagedBody]
  private let lock: FileLock

  /// What `format` in case.json says of cases that are made.
  static let format = 2

  private init(
    path: String,
    isContinued: Bool,
    secret: [UInt8],
    keys: CaseKeys?,
    description: CaseDescription,
    tail: LogTail,
    wireTail: WireTail = .none,
    wireRecoveries: [WireRecovery] = [],
    salvaged: [SalvagedBody] = [],
    lock: FileLock
  ) throws(EvidenceFailure) {
    self.path = path
    self.name = Self.lastPart(of: path)
    self.isContinued = isContinued
    self.nextFlowNumber = tail.nextFlow
    self.nextConnectionNumber = tail.nextConnection
    self.secret = secret
    self.keys = keys
    self.description = description
    self.descriptionDigest = Hex.encode(
      Digest.sha256.hash(try Folder.read(path + "/case.json", limit: 16 << 20))
    )
    self.tail = tail
    self.wireTail = wireTail
    self.wireRecoveries = wireRecoveries
    self.salvaged = salvaged
    self.lock = lock
  }

  /// Opens a case by name: makes it, or continues it if it is there and not sealed.
  ///
  /// - Parameters:
  ///   - name: `auto` for the day (UTC) and the first letter that is free, as `2026-11-22-a`.
  ///   - parent: the folder of cases; made if it is not there.
  ///   - description: what is recorded, and by whom.
  ///   - key: encrypts what is recorded; nil for a case that anybody can read who has its folder. A case is continued with
  ///     the key that it was made with.
  ///   - now: the time to name and date the case by.
  /// - Returns: the case, locked.
  /// - Throws: `sealed`, `inUse`, `badName`, `locked`, `wrongKey`, `malformed` if the end of the log does not follow from
  ///   what is before it, or what the file system says.
  public static func open(
    _ name: String,
    in parent: String,
    description: CaseDescription,
    key: CaseKey? = nil,
    at now: WallTime
  ) throws(EvidenceFailure) -> CaseFolder {
    try Folder.make(parent)
    if name == "auto" {
      return try self.make(in: parent, description: description, key, at: now)
    }
    guard self.isLegal(name) else {
      throw EvidenceFailure(
        .badName,
        detail: "\(name): a case's name has letters, digits, `-`, `_` and `.`, and no `.` in front"
      )
    }
    let path = parent + "/" + name
    if Folder.size(of: path + "/case.json") ?? 0 > 0 {
      if key != nil, try self.kindOfKey(path) == nil {
        throw EvidenceFailure(
          .wrongKey,
          detail: "\(path): the case is not encrypted, and would not become so; choose another name"
        )
      }
      return try self.continue(path, description: description, key)
    }
    let log = try LogReader(root: path, keys: nil)
    guard log.segments.isEmpty else {
      throw EvidenceFailure(
        .malformed,
        detail: "\(path)/case.json: missing or empty, though the case has a log"
      )
    }
    let isNew = Folder.size(of: path + "/case.json") == nil
    return try self.fill(path, isNew: isNew, description: description, key, at: now)
  }

  /// Lets others record into the case: nothing more is written by whoever holds this.
  func unlock() { self.lock.release() }

  /// The names of the cases in a folder, sorted.
  public static func names(in parent: String) throws(EvidenceFailure) -> [String] {
    try Folder.names(in: parent).filter {
      Folder.size(of: parent + "/" + $0 + "/case.json") != nil
    }
  }

  /// Whether the case in a folder is sealed.
  public static func isSealed(_ path: String) -> Bool {
    Folder.size(of: path + "/manifest.json") != nil
  }

  /// The installation's signing key, kept in the folder of cases; made at its first use.
  ///
  /// - Throws: `malformed` if the file is no key or others may read it, or what the file system says.
  public static func signingKey(in parent: String) throws(EvidenceFailure) -> SigningKey {
    try Folder.make(parent)
    let path = parent + "/signing.key"
    if Folder.size(of: path) != nil {
      try Folder.requirePrivate(path)
      let pem = try Folder.read(path, limit: 4_096)
      do throws(CryptoFailure) {
        return try SigningKey(pem: pem)
      } catch {
        throw EvidenceFailure(.malformed, detail: "\(path): \(error.detail)")
      }
    }
    let key: SigningKey
    let pem: [UInt8]
    do throws(CryptoFailure) {
      key = try SigningKey.generate()
      pem = try key.privateKeyPEM
    } catch {
      throw EvidenceFailure(error)
    }
    try Folder.write(pem, to: path)
    return key
  }

  private static func make(
    in parent: String,
    description: CaseDescription,
    _ key: CaseKey?,
    at now: WallTime
  ) throws(EvidenceFailure) -> CaseFolder {
    let day = String(now.rfc3339.prefix(10))
    for number in 0..<18_278 {  // a…zzz
      let path = "\(parent)/\(day)-\(self.letters(number))"
      guard Folder.size(of: path) == nil else { continue }
      do throws(EvidenceFailure) {
        return try self.fill(path, isNew: true, description: description, key, at: now)
      } catch {
        // Two that start in the same instant choose the same letter: the later takes the next.
        guard error.code == .inUse || Folder.size(of: path + "/case.json") != nil else {
          throw error
        }
      }
    }
    throw EvidenceFailure(.badName, detail: "\(parent): no letter is left for \(day)")
  }

  private static func fill(
    _ path: String,
    isNew: Bool,
    description: CaseDescription,
    _ key: CaseKey?,
    at now: WallTime
  ) throws(EvidenceFailure) -> CaseFolder {
    try PosixStorage().makeFolder(path)
    try Folder.sync(parentOf: path)
    let file = path + "/case.json"
    let lock = try FileLock(path: file, isNew: isNew)
    let secret: [UInt8]
    do throws(CryptoFailure) {
      secret = try RandomBytes.make(32)
    } catch {
      throw EvidenceFailure(error)
    }
    let encryption = try key.map { key throws(EvidenceFailure) in try CaseEncryption.make(key) }
    let keys = encryption?.1
    let sealed = try keys.map { keys throws(EvidenceFailure) in try keys.seal(secret: secret) }
    try Folder.write(sealed ?? secret, to: path + "/" + SecretFile.name)
    for folder in ["log", "bodies", "bodies/tmp"] {
      try PosixStorage().makeFolder(path + "/" + folder)
    }
    var json = JSONWriter()
    json.beginObject()
    json.member("format", Self.format)
    json.member("case", self.lastPart(of: path))
    json.member("created", now.rfc3339)
    description.write(into: &json)
    // A commitment: whoever is given the secret can tell that it is the one of this case.
    json.key("secret_sha256")
    json.hex(Digest.sha256.hash(secret))
    encryption?.0.write(into: &json)
    json.endObject()
    json.endLine()
    // Written in place, not renamed: the lock is on this very file.
    let target = try PosixStorage().append(to: file)
    try target.writeAll(json.bytes)
    try target.sync()
    try Folder.sync(parentOf: file)
    return try CaseFolder(
      path: path,
      isContinued: false,
      secret: secret,
      keys: keys,
      description: description,
      tail: .none,
      lock: lock
    )
  }

  /// Opens a case to end it, not to record into it.
  static func reopen(_ path: String, _ key: CaseKey?) throws(EvidenceFailure) -> CaseFolder {
    guard Folder.size(of: path + "/case.json") != nil else {
      throw EvidenceFailure(.notACase, detail: "\(path): there is no case here")
    }
    return try self.continue(path, description: CaseDescription(mode: "", toolVersion: ""), key)
  }

  private static func `continue`(
    _ path: String,
    description: CaseDescription,
    _ key: CaseKey?
  ) throws(EvidenceFailure) -> CaseFolder {
    guard !self.isSealed(path) else {
      throw EvidenceFailure(.sealed, detail: "\(path): the case is sealed; choose another name")
    }
    let lock = try FileLock(path: path + "/case.json", isNew: false)
    try self.requireFormat(of: path)
    let keys = try CaseEncryption.keys(of: path, key)
    let secret = try SecretFile.read(path, keys)
    let tail = try LogTail.find(in: path, keys: keys)
    if keys == nil { try FindingsFile.repair(path, after: tail) }
    let wireTail = try WireTail.find(in: path, keys: keys)
    try wireTail.repair(path)
    return try CaseFolder(
      path: path,
      isContinued: true,
      secret: secret,
      keys: keys,
      description: description,
      tail: tail,
      wireTail: wireTail,
      wireRecoveries: try WireRecovery.find(in: path, after: tail, wire: wireTail),
      salvaged: try SalvagedBody.find(in: path, keys: keys, before: tail.nextFlow),
      lock: lock
    )
  }

  /// Refuses to go on with a case whose lines would not be ours.
  private static func requireFormat(of path: String) throws(EvidenceFailure) {
    let file = path + "/case.json"
    let format = JSONValue(try Folder.read(file, limit: 16 << 20))?.object["format"]?.unsigned
    guard format != UInt64(self.format) else { return }
    throw EvidenceFailure(
      .malformed,
      detail: "\(file): not of format \(self.format), so it is not continued; choose another name"
    )
  }

  /// The letters of a number: `a` to `z`, then `aa` and so on.
  private static func letters(_ number: Int) -> String {
    let last = String(UnicodeScalar(UInt8(0x61 + number % 26)))
    return number < 26 ? last : self.letters(number / 26 - 1) + last
  }

  private static func isLegal(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 128 && !name.hasPrefix(".")
      && name.utf8.allSatisfy { byte in
        ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
          || byte == 0x2D || byte == 0x5F || byte == 0x2E
      }
  }

  private static func lastPart(of path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }
}
