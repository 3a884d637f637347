internal import TideCore
internal import TideCrypto

/// Follows a proof from its first line to its last.
struct ProofCheck: ~Copyable {
  /// What is not right.
  struct Wrong: Error {
    let what: String

    init(_ what: String) { self.what = what }
  }

  /// What is expected next.
  private enum Stage {
    case header
    case signature
    case lines
    case contents
    case over
  }

  private let signer: String?
  private let roots: TimestampRoots?
  private var stage = Stage.header
  private var hasher = SHA256Hasher()
  private var lineHasher = SHA256Hasher()
  private var header = Header()
  private var lastIndex: UInt64?
  private var lineCount = 0
  private var connection: ConnectionID?
  private var connections: Set<ConnectionID> = []
  private var named: Set<String> = []
  private var contentHasher = SHA256Hasher()
  private var contentsSeen: [String] = []
  private var statements: [String] = []

  private struct Header {
    var flow = ""
    var size: UInt64 = 0
    var root: [UInt8] = []
    var lines: UInt64 = 0
    var contents: [String] = []
    var missing: [String] = []
  }

  /// - Parameters:
  ///   - signer: the SHA-256 of the only key that may have signed; nil if any may.
  ///   - roots: those below which its time-stamp must be; nil if it need not have one.
  init(signer: String?, roots: TimestampRoots?) {
    self.signer = signer
    self.roots = roots
  }

  /// Takes the next line of the file, without its newline.
  mutating func take(_ line: Bytes) throws(Wrong) {
    guard let members = JSONValue(line)?.object, !members.members.isEmpty else {
      throw Wrong("a line is no JSON object")
    }
    if members.members.count == 1, let digest = members["sha256"]?.string {
      return try self.takeEnd(digest, line)
    }
    self.hasher.update(line)
    self.hasher.update([0x0A])
    switch self.stage {
    case .header: try self.takeHeader(members)
    case .signature: try self.takeSignature(members)
    case .lines where members["line"] != nil: try self.takeLine(members)
    case .lines, .contents:
      self.stage = .contents
      try self.takePiece(members)
    case .over: throw Wrong("something follows its end")
    }
  }

  /// What it proves.
  mutating func finish() throws(Wrong) -> [String] {
    guard self.stage == .over else { throw Wrong("its end is missing") }
    return self.statements
  }

  private mutating func takeHeader(_ members: JSONObject) throws(Wrong) {
    guard members["format"]?.string == "tidewaiter proof 1", let flow = members["flow"]?.string,
      let size = members["size"]?.unsigned, let lines = members["lines"]?.unsigned,
      let root = members["root"]?.string.flatMap({ Hex.decode($0.utf8) }), root.count == 32
    else { throw Wrong("it does not begin as a proof does") }
    self.header = Header(
      flow: flow,
      size: size,
      root: root,
      lines: lines,
      contents: (members["contents"]?.array ?? []).compactMap(\.string),
      missing: (members["missing"]?.array ?? []).compactMap(\.string)
    )
    self.statements.append("flow: \(flow) of case \(members["case"]?.string ?? "")")
    self.stage = .signature
  }

  private mutating func takeSignature(_ members: JSONObject) throws(Wrong) {
    guard let pem = members["signer"]?.string,
      let key = try? VerifyingKey(pem: Bytes(Array(pem.utf8))),
      let signature = members["signature"]?.string.flatMap({ Base64.standard.decode($0.utf8) }),
      let der = Base64.standard.decode(HeadSigner.publicKey(inPEM: Array(pem.utf8)).utf8)
    else { throw Wrong("its signature does not read") }
    let message: [UInt8]
    let what: String
    if let manifest = members["manifest"]?.string {
      message = Array(manifest.utf8)
      what = "the manifest of a sealed case"
      try self.checkManifest(message)
    } else if let caseDigest = members["case_sha256"]?.string {
      let head = TreeHead(size: self.header.size, root: self.header.root)
      message = head.message(caseDigest: caseDigest)
      what = "a tree head of the case with case.json \(caseDigest)"
    } else {
      throw Wrong("nothing in it is signed")
    }
    guard (try? key.isValid(signature, for: message)) == true else {
      throw Wrong("its signature is wrong")
    }
    let signer = Hex.encode(Digest.sha256.hash(der))
    guard self.signer ?? signer == signer else {
      throw Wrong("it is signed by another key, \(signer)")
    }
    self.statements.append("signature: ok, \(what), by the key with SHA-256 \(signer)")
    if let stamp = members["timestamp"]?.string {
      try self.checkTimestamp(stamp, message)
    } else if self.roots != nil {
      throw Wrong("it has no time-stamp")
    }
    self.stage = .lines
  }

  private func checkManifest(_ bytes: [UInt8]) throws(Wrong) {
    let manifest = JSONValue(Bytes(bytes))?.object
    guard manifest?["tree_size"]?.unsigned == self.header.size,
      manifest?["tree_root"]?.string == Hex.encode(self.header.root)
    else { throw Wrong("the manifest is of another tree") }
  }

  private mutating func checkTimestamp(_ text: String, _ manifest: [UInt8]) throws(Wrong) {
    guard let answer = Base64.standard.decode(text.utf8),
      let request = try? TimestampRequest(digest: Digest.sha256.hash(Bytes(manifest))),
      let stamp = try? TimestampVerification.check(
        answer,
        request,
        source: "its time-stamp",
        roots: self.roots
      )
    else { throw Wrong("its time-stamp does not read") }
    guard stamp.isGood, stamp.isTrusted || self.roots == nil else { throw Wrong(stamp.detail) }
    self.statements.append("timestamp: \(stamp.isTrusted ? "ok" : "-"), \(stamp.detail)")
  }

  private mutating func takeLine(_ members: JSONObject) throws(Wrong) {
    guard let text = members["line"]?.string,
      let event = JSONValue(Bytes(Array(text.utf8)))?.object,
      let sequence = event["seq"]?.unsigned, sequence > 0, let type = event["type"]?.string
    else { throw Wrong("a line is not one of a log") }
    let nodes = (members["path"]?.array ?? []).map {
      $0.string.flatMap { Hex.decode($0.utf8) } ?? []
    }
    guard nodes.count <= 64, nodes.allSatisfy({ $0.count == 32 }),
      self.lastIndex.map({ $0 < sequence - 1 }) ?? true
    else { throw Wrong("line \(sequence): its path does not read") }
    let bytes = Array(text.utf8)
    let leaf = MerkleTree.leaf(bytes.span, &self.lineHasher)
    let path = InclusionPath(index: sequence - 1, size: self.header.size, nodes: nodes)
    guard path.root(from: leaf, &self.lineHasher) == self.header.root else {
      throw Wrong("line \(sequence): does not lead to the root")
    }
    self.lastIndex = sequence - 1
    self.lineCount += 1
    let position = LogPosition(segment: 1, offset: 0)
    guard let event = LogEvent(LogLine(position: position, bytes: Bytes(bytes), isWhole: true))
    else {
      throw Wrong("line \(sequence): not an event")
    }
    if let flow = event.members["flow"]?.string {
      guard flow == self.header.flow else { throw Wrong("line \(sequence): of another flow") }
      if type == "flow-start" { self.connection = event.connection }
    } else if let connection = event.connection {
      self.connections.insert(connection)
    } else {
      throw Wrong("line \(sequence): of no flow")
    }
    self.named.formUnion(event.contents)
  }

  private mutating func takePiece(_ members: JSONObject) throws(Wrong) {
    guard let digest = members["content"]?.string,
      let piece = members["piece"]?.string.flatMap({ Base64.standard.decode($0.utf8) })
    else { throw Wrong("a line is neither one of the log nor of a content") }
    if self.contentsSeen.last != digest {
      try self.endContent()
      self.contentsSeen.append(digest)
    }
    self.contentHasher.update(piece)
  }

  private mutating func endContent() throws(Wrong) {
    guard let last = self.contentsSeen.last else { return }
    guard Hex.encode(self.contentHasher.finish()) == last else {
      throw Wrong("content \(last): is not what was recorded")
    }
  }

  private mutating func takeEnd(_ digest: String, _ line: Bytes) throws(Wrong) {
    guard self.stage == .lines || self.stage == .contents else { throw Wrong("it ends too early") }
    self.stage = .over
    guard Hex.encode(self.hasher.finish()) == digest, line.count == 77 else {
      throw Wrong("its bytes are not those that were written")
    }
    try self.endContent()
    guard let connection = self.connection, self.connections.isSubset(of: [connection]) else {
      throw Wrong("it has no line of the flow's start, or lines of another connection")
    }
    guard UInt64(self.lineCount) == self.header.lines, self.contentsSeen == self.header.contents,
      Set(self.contentsSeen).isDisjoint(with: self.header.missing),
      self.named == Set(self.contentsSeen + self.header.missing)
    else { throw Wrong("it lacks lines or contents, or has more than it should") }
    self.statements.append(
      "lines: \(self.lineCount) of the log's first \(self.header.size), each with its path to the root "
        + Hex.encode(self.header.root)
    )
    self.statements.append(
      "contents: \(self.contentsSeen.count), and \(self.header.missing.count) that the case had not any more"
    )
  }
}
