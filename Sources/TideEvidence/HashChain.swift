internal import TideCore
internal import TideCrypto

/// Where a hash chain stands: the number of its last line and that line's hash.
struct ChainState: Equatable, Sendable {
  /// Before the first line.
  static let start = ChainState(sequence: 0, hash: [UInt8](repeating: 0x30, count: 64))

  /// The `seq` of the last line; 0 before the first.
  var sequence: UInt64
  /// The last line's hash as 64 hexadecimal digits in ASCII.
  var hash: [UInt8]
}

/// Where a log stands: its chain and the tree of its lines.
struct LogState: Equatable, Sendable {
  /// Before the first line.
  static let start = LogState(chain: .start, tree: .empty)

  var chain: ChainState
  var tree: MerkleTree
}

/// Writes the lines of a log, each with the hash of the one before, and each a leaf of the log's tree
/// (docs/evidence-format.md, section 2).
struct HashChain: ~Copyable {
  private(set) var state: ChainState
  private(set) var tree: MerkleTree
  private var hasher = SHA256Hasher()
  private var timestamps = TimestampWriter()
  private var lineStart = 0
  /// Kept for its memory alone.
  private var digest: [UInt8] = []
  /// Hides members; nil if the case is not encrypted.
  private let sealer: LineSealer?
  /// Whether the line at hand has members to hide.
  private var hides = false

  init(continuing state: LogState, keys: CaseKeys?) {
    self.state = state.chain
    self.tree = state.tree
    self.sealer = keys.map { LineSealer($0) }
  }

  /// Where the log stands.
  var logState: LogState { LogState(chain: self.state, tree: self.tree) }

  /// The head of the tree of all lines so far.
  mutating func head() -> TreeHead {
    TreeHead(size: self.tree.size, root: self.tree.root(&self.hasher))
  }

  /// Begins a line: everything up to where the event's own members follow.
  mutating func begin(_ type: String, at time: WallTime, in json: inout JSONWriter) {
    self.lineStart = json.bytes.count
    json.literal("{\"seq\":")
    json.digits(self.state.sequence + 1)
    json.literal(",\"time\":")
    self.timestamps.write(time, into: &json)
    json.literal(",\"type\":")
    json.value(type)
    json.literal(",\"prev\":\"", self.state.hash, "\"")
    guard self.sealer != nil else { return }
    json.hideWhatFollows()
    self.hides = !ClearLines.contain(type)
  }

  /// Hides what is to be hidden of the line that `begin` began, so that members may follow that are not.
  mutating func hide(in json: inout JSONWriter) {
    guard let sealer = self.sealer, self.hides else { return }
    self.hides = false
    json.hide(with: sealer, lineStart: self.lineStart, sequence: self.state.sequence + 1)
  }

  /// Writes the first line of a segment that is not the first: whoever goes on with it reads no other.
  mutating func writeSegment(
    _ number: Int,
    _ counters: LogTail,
    at time: WallTime,
    in json: inout JSONWriter
  ) {
    let subtrees = self.tree.peaks
    self.begin("segment", at: time, in: &json)
    json.member("number", number)
    json.member("next_flow", counters.nextFlow)
    json.member("next_connection", counters.nextConnection)
    json.member("findings", counters.findings)
    json.key("tree")
    json.beginArray()
    for subtree in subtrees { json.hex(subtree) }
    json.endArray()
    self.end(in: &json)
  }

  /// Ends the line that `begin` began: SHA-256 over the hash before and the line so far, then that of the
  /// whole line as a leaf.
  mutating func end(in json: inout JSONWriter) {
    self.hide(in: &json)
    self.hasher.update(self.state.hash)
    self.hasher.update(json.bytes.span.extracting(self.lineStart..<json.bytes.count))
    var digest: [UInt8] = []
    swap(&digest, &self.digest)
    self.hasher.finish(into: &digest)
    self.state.hash.removeAll(keepingCapacity: true)
    Hex.encode(digest.span, into: &self.state.hash)
    self.state.sequence += 1
    json.literal(",\"hash\":\"", self.state.hash, "\"}\n")
    MerkleTree.hash(
      leaf: json.bytes.span.extracting(self.lineStart..<json.bytes.count - 1),
      into: &digest,
      &self.hasher
    )
    self.tree.append(leaf: &digest, &self.hasher)
    swap(&digest, &self.digest)
  }
}

/// The fixed tail of a line: `,"hash":"`, 64 digits, `"}`.
enum LineTail {
  static let opening = Array(",\"hash\":\"".utf8)
  static let length = opening.count + 64 + 2

  /// The part that is hashed and the hash, of a line without its newline; nil if there is no such tail.
  static func split(_ line: Bytes) -> (hashed: Bytes, hash: [UInt8])? {
    let start = line.count - self.length
    guard start > 0, line[line.count - 2] == 0x22, line[line.count - 1] == 0x7D,
      line.slice(start..<start + self.opening.count).elementsEqual(self.opening)
    else { return nil }
    let hash = line.slice(start + self.opening.count..<line.count - 2).array
    guard hash.allSatisfy({ ASCII.isDigit($0) || (0x61...0x66).contains($0) }) else { return nil }
    return (line.slice(0..<start), hash)
  }

  /// The hash that a line should have.
  static func hash(_ hashed: Bytes, after previous: [UInt8]) -> [UInt8] {
    var hasher = SHA256Hasher()
    hasher.update(previous)
    hasher.update(hashed)
    var text: [UInt8] = []
    Hex.encode(hasher.finish().span, into: &text)
    return text
  }
}
