internal import TideCore
internal import TideCrypto

/// What a proof of one flow is made of: which lines, and what vouches for them.
struct ProofSurvey {
  /// Who vouches for the root that the lines' paths lead to.
  enum Base {
    /// A signed tree head.
    case head(TreeHead, caseDigest: String, signature: String)
    /// The signed manifest of a sealed case.
    case manifest(size: UInt64)

    /// How many lines the tree has.
    var size: UInt64 {
      switch self {
      case .head(let head, _, _): head.size
      case .manifest(let size): size
      }
    }
  }

  /// The lines, by number.
  let lines: [UInt64]
  let base: Base

  /// Reads a case's log once.
  ///
  /// - Throws: `notFound` if the flow is not there, or nothing that is signed covers it yet.
  init(_ flow: FlowID, in root: String) throws(EvidenceFailure) {
    let log = try LogReader(root: root, keys: nil)
    var picked = Picked(flow: flow)
    var heads = try SignedHeads(in: root)
    var count: UInt64 = 0
    try log.forEachLine { line throws(EvidenceFailure) in
      guard line.isWhole else { return false }
      let event = try LogEvent(line, in: root)
      count = event.sequence
      picked.take(event)
      heads.take(event)
      return true
    }
    guard let lines = picked.lines, let last = lines.last else {
      throw EvidenceFailure(.notFound, detail: "\(flow): there is no such flow in \(root)")
    }
    self.lines = lines
    let isStamped = Folder.size(of: root + "/" + TimestampVerification.fileName) != nil
    // A head reveals nothing of the rest; the manifest, its sizes and digests.
    if !isStamped, let (head, digest, signature) = heads.last, head.size >= last {
      self.base = .head(head, caseDigest: digest, signature: signature)
    } else if CaseFolder.isSealed(root) {
      self.base = .manifest(size: count)
    } else {
      throw EvidenceFailure(
        .notFound,
        detail:
          "\(flow): no signed tree head covers all of it yet; ask again, or run: evidence seal"
      )
    }
  }
}

/// Picks a flow's lines, and those of its connection that speak of no other flow.
private struct Picked {
  let flow: FlowID
  private var own: [UInt64] = []
  private var start: LogEvent?
  /// Of each connection that is open, until the flow's own is known.
  private var connections: [ConnectionID: [LogEvent]] = [:]

  init(flow: FlowID) { self.flow = flow }

  mutating func take(_ event: LogEvent) {
    if event.members["flow"]?.string != nil {
      guard event.flow == self.flow else { return }
      self.own.append(event.sequence)
      if event.type == "flow-start" {
        self.start = event
        self.connections = self.connections.filter { $0.key == event.connection }
      }
      return
    }
    // No connection outlives its session, though of a killed one none has an end.
    if event.type == "start", self.start == nil { self.connections = [:] }
    guard let connection = event.connection else { return }
    if let start = self.start, start.connection != connection { return }
    // Unless it is ours, it began no flow of ours before it ended.
    if event.type == "connection-end", self.start == nil {
      self.connections[connection] = nil
    } else {
      self.connections[connection, default: []].append(event)
    }
  }

  /// The numbers of the lines, ascending; nil if there is no such flow.
  var lines: [UInt64]? {
    guard let start = self.start else { return nil }
    let events = start.connection.flatMap { self.connections[$0] } ?? []
    // In plain, one connection asks for many hosts; with TLS, all flows share its one destination.
    let isShared = !events.contains { $0.type == "hello" }
    let names = [start.members["host"]?.string, start.members["sni"]?.string].compactMap { $0 }
    let kept = events.filter { event in
      switch event.type {
      case "dns": !isShared || names.contains(event.members["name"]?.string ?? "")
      case "decided":
        !isShared || names.contains(Self.host(event.members["authority"]?.string ?? ""))
      case "handshake", "coverage": !isShared
      default: true
      }
    }
    return (self.own + kept.map(\.sequence)).sorted()
  }

  /// An authority's host.
  private static func host(_ authority: String) -> String {
    authority.lastIndex(of: ":").map { String(authority[..<$0]) } ?? authority
  }
}

/// Finds the last tree head that is signed by the key that stands beside the case.
private struct SignedHeads {
  /// The SHA-256 of that key.
  private let key: String?
  private var caseDigest: String?
  private(set) var last: (TreeHead, caseDigest: String, signature: String)?

  init(in root: String) throws(EvidenceFailure) {
    let path = root + "/signer.pem"
    guard Folder.size(of: path) != nil else {
      self.key = nil
      return
    }
    let text = HeadSigner.publicKey(inPEM: try Folder.read(path, limit: 4_096).array)
    self.key = Base64.standard.decode(text.utf8).map { Hex.encode(Digest.sha256.hash($0)) }
  }

  mutating func take(_ event: LogEvent) {
    if event.type == "start", self.caseDigest == nil {
      self.caseDigest = event.members["case_sha256"]?.string
    }
    guard event.type == "tree-head", let digest = self.caseDigest, let key = self.key,
      event.members["key"]?.string == key,
      let size = event.members["size"]?.unsigned,
      let root = event.members["root"]?.string.flatMap({ Hex.decode($0.utf8) }),
      let signature = event.members["signature"]?.string
    else { return }
    self.last = (TreeHead(size: size, root: root), digest, signature)
  }
}
