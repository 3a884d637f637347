internal import TideCore
internal import TideCrypto

/// Checks what a log says of its own tree: `tree-head` lines, and the first line of each segment.
///
/// Of the leaves only those are kept that came since the last head: a segment's at most.
struct HeadVerification: ~Copyable {
  /// The tree of all lines so far.
  private(set) var tree = MerkleTree.empty
  /// How many lines the last head covers.
  private(set) var covered: UInt64 = 0
  private(set) var count = 0
  /// The fingerprints of those who signed, of each session; nil for one without a key.
  private(set) var signers: [String?] = []
  /// The base64 of the last session's key; nil if it has none.
  private(set) var lastSigner: String?
  private var key: VerifyingKey?
  private var caseDigest = ""
  /// The tree as of the last head or segment, and the leaves since then, 32 bytes each.
  private var base = MerkleTree.empty
  private var leaves: [UInt8] = []
  /// The first head without a signature in a session that has a key, until a purge accounts for it.
  private var unsigned: UInt64?
  private var hasPurge = false

  /// Takes a line that is right, as a leaf.
  mutating func append(_ line: Bytes, _ hasher: inout SHA256Hasher) {
    let leaf = line.withSpan { MerkleTree.leaf($0, &hasher) }
    self.tree.append(leaf, &hasher)
    self.leaves.append(contentsOf: leaf)
  }

  /// Checks a line before it is appended; says what is wrong with it.
  mutating func check(
    _ event: LogEvent,
    _ hasher: inout SHA256Hasher
  ) -> (at: UInt64, what: String)? {
    switch event.type {
    case "start": return self.start(event)
    case "tree-head": return self.head(event, &hasher).map { (event.sequence, $0) }
    case "segment":
      let subtrees = (event.members["tree"]?.array ?? []).map(\.string)
      guard event.members["number"]?.unsigned == UInt64(clamping: event.line.position.segment),
        event.line.position.offset == 0, subtrees == self.tree.peaks.map({ Hex.encode($0) })
      else { return (event.sequence, "its tree is not that of the lines before it") }
      self.base = self.tree
      self.leaves.removeAll(keepingCapacity: true)
      return nil
    case "purged":
      self.hasPurge = true
      return nil
    default: return nil
    }
  }

  /// What is wrong at the end of the log.
  ///
  /// - Parameter sealer: the fingerprint of who sealed the case; nil if it is not sealed.
  /// - Returns: the line and what is wrong with it; nil if nothing is.
  func problemAtEnd(sealer: String?) -> (at: UInt64, what: String)? {
    // Who seals or purges another one's case cannot sign its heads.
    if let sealer, sealer != self.signers.last ?? nil { return nil }
    return self.unsignedProblem
  }

  private var unsignedProblem: (at: UInt64, what: String)? {
    guard let unsigned = self.unsigned, !self.hasPurge else { return nil }
    return (unsigned, "its tree head is not signed")
  }

  private mutating func start(_ event: LogEvent) -> (at: UInt64, what: String)? {
    if let problem = self.unsignedProblem { return problem }
    self.unsigned = nil
    self.hasPurge = false
    if self.caseDigest.isEmpty { self.caseDigest = event.members["case_sha256"]?.string ?? "" }
    guard let text = event.members["signer"]?.string else {
      self.key = nil
      self.lastSigner = nil
      self.signers.append(nil)
      return nil
    }
    guard let der = Base64.standard.decode(text.utf8),
      let key = try? VerifyingKey(pem: Bytes(SignerFile.pem(text)))
    else { return (event.sequence, "its signer is no key") }
    self.key = key
    self.lastSigner = text
    self.signers.append(Hex.encode(Digest.sha256.hash(der)))
    return nil
  }

  private mutating func head(_ event: LogEvent, _ hasher: inout SHA256Hasher) -> String? {
    guard let size = event.members["size"]?.unsigned, size >= self.base.size,
      size <= self.tree.size, let text = event.members["root"]?.string
    else { return "its tree head is of other lines" }
    if size == self.tree.size {
      self.base = self.tree
      self.leaves.removeAll(keepingCapacity: true)
    } else {
      let count = Int(size - self.base.size)
      for index in 0..<count {
        self.base.append(Array(self.leaves[index * 32..<index * 32 + 32]), &hasher)
      }
      self.leaves.removeFirst(count * 32)
    }
    let head = TreeHead(size: size, root: self.base.root(&hasher))
    guard Hex.encode(head.root) == text else { return "its tree head has another root" }
    self.covered = size
    self.count += 1
    let fingerprint = event.members["key"]?.string
    let signature = event.members["signature"]?.string
    guard let key = self.key, let wanted = self.signers.last ?? nil else {
      return fingerprint == nil && signature == nil
        ? nil : "its tree head is signed by nobody known"
    }
    guard fingerprint != nil || signature != nil else {
      self.unsigned = self.unsigned ?? event.sequence
      return nil
    }
    let bytes = signature.flatMap { Base64.standard.decode($0.utf8) } ?? []
    let message = head.message(caseDigest: self.caseDigest)
    guard fingerprint == wanted, self.unsigned == nil || self.hasPurge,
      (try? key.isValid(bytes, for: message)) == true
    else { return "the signature of its tree head is wrong" }
    return nil
  }
}

/// `signer.pem`.
enum SignerFile {
  static let name = "signer.pem"

  /// The file as it must be for a key (SubjectPublicKeyInfo, DER) in base64.
  static func pem(_ base64: String) -> [UInt8] {
    var text = Array("-----BEGIN PUBLIC KEY-----\n".utf8)
    var rest = Substring(base64)
    while !rest.isEmpty {
      text += Array(rest.prefix(64).utf8) + [0x0A]
      rest = rest.dropFirst(64)
    }
    return text + Array("-----END PUBLIC KEY-----\n".utf8)
  }

  /// The fingerprint of the key in a case's file; nil if there is none that reads as one.
  static func fingerprint(in root: String) -> String? {
    guard let pem = try? Folder.read(root + "/" + self.name, limit: 4_096),
      let der = Base64.standard.decode(HeadSigner.publicKey(inPEM: pem.array).utf8), !der.isEmpty
    else { return nil }
    return Hex.encode(Digest.sha256.hash(der))
  }
}
