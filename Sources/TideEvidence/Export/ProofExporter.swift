public import TideCore
internal import TideCrypto

/// Writes the proof of one flow: its lines, its contents, and for each line the path to a signed root.
///
/// docs/proofs.md describes the file. It shows what was recorded of this flow and nothing of any other.
public enum ProofExporter {
  /// What a proof begins with, so that it is known by its first bytes.
  static let opening = Array("{\"format\":\"tidewaiter proof 1\",".utf8)
  /// How much of a content one line has.
  private static let piece = 48 << 10

  /// Exports a flow.
  ///
  /// - Parameters:
  ///   - flow: which.
  ///   - root: the case's folder; sealed, or with a signed tree head that covers the flow.
  ///   - path: the file; `-` for standard output.
  ///   - replaces: whether a file of that name is replaced.
  ///   - progress: is told how far it is.
  /// - Returns: the proof, and what it has.
  /// - Throws: `notFound` if the flow is not there or nothing signed covers it, `malformed` if the log does
  ///   not lead to the root that was signed, or what the file system says.
  public static func export(
    _ flow: FlowID,
    of root: String,
    to path: String,
    replaces: Bool,
    progress: ExportProgress? = nil
  ) throws(EvidenceFailure) -> ProofSummary {
    let description = JSONValue(try Folder.read(root + "/case.json", limit: 16 << 20))?.object
    if let encryption = description?["encryption"], encryption != .null {
      throw EvidenceFailure(
        .badName,
        detail: "\(root): is encrypted; its lines prove nothing to whoever has not its key"
      )
    }
    progress?.begin("proving")
    let survey = try ProofSurvey(flow, in: root)
    let (events, lines, treeRoot) = try self.lines(survey, in: root)
    let contents = Set(events.flatMap(\.contents)).sorted()
    var missing: [String] = []
    for digest in contents where try !BodyLayout.holds(digest, in: root, nil) {
      missing.append(digest)
    }
    let file = ProofStream(
      try ExportFile(path, replaces: replaces, in: root, progress: progress)
    )
    try file.write { json in
      json.member("format", "tidewaiter proof 1")
      json.member("case", root.split(separator: "/").last.map(String.init) ?? "")
      json.member("flow", flow)
      json.member("size", survey.base.size)
      json.key("root")
      json.hex(treeRoot)
      json.member("lines", events.count)
      json.member("contents", contents.filter { !missing.contains($0) })
      json.member("missing", missing)
    }
    try self.write(survey.base, of: root, to: file)
    for (line, inclusion) in lines {
      try file.write { json in
        json.member("line", String(decoding: line, as: UTF8.self))
        json.key("path")
        json.beginArray()
        for node in inclusion.nodes { json.hex(node) }
        json.endArray()
      }
    }
    for digest in contents where !missing.contains(digest) {
      try self.write(content: digest, of: root, to: file)
    }
    return ProofSummary(
      file: try file.finish(),
      lines: events.count,
      contents: contents.count - missing.count,
      missing: missing.count
    )
  }

  /// The lines with their paths, while the whole log passes by, and the root.
  private static func lines(
    _ survey: ProofSurvey,
    in root: String
  ) throws(EvidenceFailure) -> ([LogEvent], [(Bytes, InclusionPath)], [UInt8]) {
    var paths = ProofPaths(of: survey.lines.map { $0 - 1 })
    var events: [LogEvent] = []
    var wanted = survey.lines[...]
    var count: UInt64 = 0
    try LogReader(root: root, keys: nil).forEachLine { line throws(EvidenceFailure) in
      guard count < survey.base.size else { return false }
      count += 1
      line.bytes.withSpan { paths.append(line: $0) }
      if wanted.first == count {
        wanted.removeFirst()
        events.append(try LogEvent(line, in: root))
      }
      return true
    }
    let (treeRoot, found) = paths.finish()
    if case .head(let head, _, _) = survey.base, head.root != treeRoot || head.size != count {
      throw EvidenceFailure(
        .malformed,
        detail: "\(root): the log does not lead to its last signed tree head; see evidence verify"
      )
    }
    return (events, Array(zip(events.map(\.line.bytes), found)), treeRoot)
  }

  private static func write(
    _ base: ProofSurvey.Base,
    of root: String,
    to file: ProofStream
  ) throws(EvidenceFailure) {
    let signer = try Folder.read(root + "/signer.pem", limit: 4_096)
    switch base {
    case .head(_, let caseDigest, let signature):
      try file.write { json in
        json.member("signer", signer.text)
        json.member("case_sha256", caseDigest)
        json.member("signature", signature)
      }
    case .manifest:
      let manifest = try Folder.read(root + "/" + Manifest.name, limit: 1 << 30)
      let signature = try Folder.read(root + "/manifest.sig", limit: 4_096)
      let path = root + "/" + TimestampVerification.fileName
      let stamp = Folder.size(of: path) == nil ? nil : try Folder.read(path, limit: 1 << 20)
      try file.write { json in
        json.member("signer", signer.text)
        json.member("manifest", manifest.text)
        json.key("signature")
        json.base64(signature)
        json.key("timestamp")
        if let stamp { json.base64(stamp) } else { json.null() }
      }
    }
  }

  private static func write(
    content digest: String,
    of root: String,
    to file: ProofStream
  ) throws(EvidenceFailure) {
    var body = try BodyReader(root: root, sha256: digest, keys: nil)
    var isFirst = true
    while let content = try body.next() {
      var rest = content
      // An empty content has one piece, too.
      while isFirst || !rest.isEmpty {
        isFirst = false
        let part = rest.slice(0..<min(Self.piece, rest.count))
        rest = rest.dropping(first: part.count)
        try file.write { json in
          json.member("content", digest)
          json.key("piece")
          json.base64(part)
        }
      }
    }
  }
}

/// What a proof came to.
public struct ProofSummary: Sendable {
  /// The proof.
  public let file: WrittenFile
  /// How many lines of the log it has.
  public let lines: Int
  /// How many contents.
  public let contents: Int
  /// How many contents the case does not have any more.
  public let missing: Int

  /// One JSON object: `path bytes sha256 lines contents missing`.
  public var json: [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    json.members(of: self.file)
    json.member("lines", self.lines)
    json.member("contents", self.contents)
    json.member("missing", self.missing)
    json.endObject()
    return json.bytes
  }
}

/// Writes a proof's lines, and at its end the digest of all of them.
private final class ProofStream {
  private let file: ExportFile
  private var hasher = SHA256Hasher()

  init(_ file: ExportFile) { self.file = file }

  func write(_ members: (inout JSONWriter) -> Void) throws(EvidenceFailure) {
    var json = JSONWriter()
    json.beginObject()
    members(&json)
    json.endObject()
    json.endLine()
    self.hasher.update(json.bytes)
    try self.file.write(json.bytes)
  }

  func finish() throws(EvidenceFailure) -> WrittenFile {
    var json = JSONWriter()
    json.beginObject()
    json.key("sha256")
    json.hex(self.hasher.finish())
    json.endObject()
    json.endLine()
    try self.file.write(json.bytes)
    return try self.file.finish()
  }
}
