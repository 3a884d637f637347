internal import TideCore
internal import TideCrypto

/// `purges.ndjson`: what was removed from a case after its seal.
///
/// Lines as those of a log, with a chain of their own that begins at the manifest's SHA-256; each is signed with the key of
/// the seal, so that nobody else can take contents away and call it a purge.
struct PurgeLog: ~Copyable {
  static let name = "purges.ndjson"

  private let root: String
  private let key: SigningKey
  private let fingerprint: String
  private let file: any StoredFile
  private var chain: HashChain

  /// Opens it, and cuts what a kill left of a last line.
  ///
  /// - Throws: `sealed` if another key sealed the case, `malformed` if it was altered.
  init(root: String, keys: CaseKeys?, key: SigningKey) throws(EvidenceFailure) {
    let signer = try HeadSigner(key, caseDigest: "")
    guard try Folder.read(root + "/signer.pem", limit: 4_096).elementsEqual(signer.pem) else {
      throw EvidenceFailure(
        .sealed,
        detail:
          "\(root): the case was sealed with another key; only who sealed it can remove contents"
      )
    }
    let (state, length) = try Self.read(root)
    let file = try PosixStorage().append(to: root + "/" + Self.name)
    if Folder.size(of: root + "/" + Self.name) != length { try file.truncate(to: length) }
    self.root = root
    self.key = key
    self.fingerprint = signer.fingerprint
    self.file = file
    self.chain = HashChain(continuing: LogState(chain: state, tree: .empty), keys: keys)
  }

  /// Writes a line for each portion, and makes them durable.
  mutating func append(_ portions: [Removal], at now: WallTime) throws(EvidenceFailure) {
    for portion in portions {
      var json = JSONWriter()
      self.chain.begin("purged", at: now, in: &json)
      portion.write(into: &json)
      self.chain.hide(in: &json)
      let signature: [UInt8]
      do throws(CryptoFailure) {
        signature = try self.key.sign(Self.message(Bytes(json.bytes)))
      } catch {
        throw EvidenceFailure(error)
      }
      json.member("key", self.fingerprint)
      json.key("signature")
      json.base64(Bytes(signature))
      self.chain.end(in: &json)
      try self.file.writeAll(json.bytes)
    }
    try self.file.sync()
    try Folder.sync(parentOf: self.root + "/" + Self.name)
  }

  /// What is signed of a line: the bytes before its member `key`, which name the line before.
  static func message(_ start: Bytes) -> [UInt8] {
    Array("tidewaiter purge v1\n\(Hex.encode(Digest.sha256.hash(start)))\n".utf8)
  }

  /// The digests that its lines name, unchecked; none if there is no such file.
  static func contents(
    in root: String,
    keys: CaseKeys?
  ) throws(EvidenceFailure) -> Set<String> {
    let path = root + "/" + self.name
    guard Folder.size(of: path) != nil else { return [] }
    let lines = try Folder.read(path, limit: 1 << 30).split(separator: 0x0A)
    let opener = keys.map { LineOpener($0) }
    return Set(
      lines.flatMap { line in
        let bytes = Bytes(Array(line))
        let members = JSONValue(opener.map { $0.open(bytes) ?? Bytes() } ?? bytes)?.object
        return (members?["contents"]?.array ?? []).compactMap(\.string)
      }
    )
  }

  /// Where the chain stands, and how many bytes are whole lines.
  private static func read(_ root: String) throws(EvidenceFailure) -> (ChainState, UInt64) {
    let (digest, _) = try Manifest.digest(root + "/" + Manifest.name)
    var state = ChainState(sequence: 0, hash: Array(Hex.encode(digest).utf8))
    let path = root + "/" + Self.name
    guard Folder.size(of: path) != nil else { return (state, 0) }
    var length: UInt64 = 0
    for line in try Folder.read(path, limit: 1 << 30).split(
      separator: 0x0A,
      omittingEmptySubsequences: false
    ).dropLast() {
      let bytes = Bytes(Array(line))
      guard let (hashed, hash) = LineTail.split(bytes),
        LineTail.hash(hashed, after: state.hash) == hash
      else {
        throw EvidenceFailure(.malformed, detail: "\(path): altered at line \(state.sequence + 1)")
      }
      state = ChainState(sequence: state.sequence + 1, hash: hash)
      length += UInt64(bytes.count) + 1
    }
    return (state, length)
  }
}
