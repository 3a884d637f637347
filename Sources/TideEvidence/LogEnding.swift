internal import TideCore
internal import TideCrypto

/// Writes the last lines of a log that nobody is recording into: at its sealing, or when something is removed from it.
struct LogEnding: ~Copyable {
  private let root: String
  private let tail: LogTail
  private let file: any StoredFile
  private let signer: HeadSigner?
  private var chain: HashChain
  private var json = JSONWriter()
  private var endsWithHead: Bool

  init(
    _ root: String,
    after tail: LogTail,
    signer: HeadSigner,
    keys: CaseKeys?
  ) throws(EvidenceFailure) {
    let renewed = try keys?.renewed()
    let file = try PosixStorage().append(to: LogReader.path(of: tail.segment, in: root))
    if tail.tornBytes > 0 { try file.truncate(to: tail.length) }
    // Heads are signed with the key that the last `start` line has, or by nobody.
    let path = root + "/signer.pem"
    let isRecorders =
      Folder.size(of: path) == nil
      ? false : try Folder.read(path, limit: 4_096).elementsEqual(signer.pem)
    self.root = root
    self.tail = tail
    self.file = file
    self.signer = isRecorders ? signer : nil
    self.chain = HashChain(continuing: tail.state, keys: renewed)
    self.endsWithHead = tail.endsWithHead
  }

  /// Where the log stands.
  var state: LogState { self.chain.logState }

  /// Writes what opening the case again found and put right.
  mutating func writeRepairs(
    _ wireRecoveries: [WireRecovery],
    _ salvaged: [SalvagedBody],
    at now: WallTime
  ) throws(EvidenceFailure) {
    if self.tail.segment > 1, self.tail.length == 0 {
      self.chain.writeSegment(self.tail.segment, self.tail, at: now, in: &self.json)
    }
    if let recovery = self.tail.recovery {
      self.chain.begin("recovered", at: now, in: &self.json)
      recovery.write(into: &self.json)
      self.chain.end(in: &self.json)
    }
    for recovery in wireRecoveries {
      self.chain.begin("wire-recovered", at: now, in: &self.json)
      recovery.write(into: &self.json)
      self.chain.end(in: &self.json)
    }
    for body in salvaged {
      self.chain.begin("body", at: now, in: &self.json)
      body.write(into: &self.json)
      self.chain.end(in: &self.json)
    }
    if !self.json.bytes.isEmpty { self.endsWithHead = false }
  }

  /// Makes durable what was written, and writes a tree head for it unless the log ends with one.
  mutating func writeHead(at now: WallTime) throws(EvidenceFailure) {
    guard !self.endsWithHead else { return }
    // A recorder that was killed had not synced what its last lines name.
    try PosixStorage().sync(self.tail.unsynced.map { "\(self.root)/\($0)" })
    try self.flush()
    let head = self.chain.head()
    self.chain.begin("tree-head", at: now, in: &self.json)
    head.write(into: &self.json, signer: self.signer)
    self.chain.end(in: &self.json)
    self.endsWithHead = true
  }

  /// Writes a line with members of its own.
  mutating func write(_ type: String, at now: WallTime, _ members: (inout JSONWriter) -> Void) {
    self.chain.begin(type, at: now, in: &self.json)
    members(&self.json)
    self.chain.end(in: &self.json)
    self.endsWithHead = false
  }

  /// Makes durable what was written.
  mutating func flush() throws(EvidenceFailure) {
    try self.file.writeAll(self.json.bytes)
    self.json.removeAll()
    try self.file.sync()
  }
}
