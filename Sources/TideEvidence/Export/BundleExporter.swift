internal import TideCoding
internal import TideCore

/// Writes a sealed case as one file, `.tar.zst`: always the same bytes for the same case.
///
/// Left out are what the seal leaves out and a stranger needs not: `secret`, the index, unfinished bodies.
public enum BundleExporter {
  /// How much content one Zstandard frame has.
  private static let frameContent = 1 << 20
  /// Most of it is compressed already.
  private static let level: Int32 = 3

  /// Exports a case.
  ///
  /// - Parameters:
  ///   - root: the case's folder.
  ///   - path: the file; `-` for standard output.
  ///   - replaces: whether a file of that name is replaced.
  ///   - progress: is told how far it is.
  /// - Returns: the bundle, and how many files of the case it has.
  /// - Throws: `notFound` if the case is not sealed, or what the file system says.
  public static func export(
    _ root: String,
    to path: String,
    replaces: Bool,
    progress: ExportProgress? = nil
  ) throws(EvidenceFailure) -> BundleSummary {
    guard CaseFolder.isSealed(root) else {
      throw EvidenceFailure(
        .notFound,
        detail: "\(root): not sealed, so no two bundles of it would be the same; run: evidence seal"
      )
    }
    progress?.begin("bundling")
    let name = root.split(separator: "/").last.map(String.init) ?? "case"
    let entries = try Folder.files(below: root).filter { self.isIncluded($0.path) }
    let total = entries.reduce(UInt64(1)) { $0 + $1.size }
    let archive = BundleStream(
      try ExportFile(path, replaces: replaces, in: root, progress: progress),
      frameContent: self.frameContent,
      level: self.level
    )
    let seconds = try self.sealed(root)
    var folders: [Substring] = []
    var done: UInt64 = 0
    try archive.write(BundleTar.header(name + "/", size: 0, seconds: seconds))
    for entry in entries {
      let parts = entry.path.split(separator: "/").dropLast()
      for depth in 0..<parts.count where !folders.starts(with: parts.prefix(depth + 1)) {
        let folder = parts.prefix(depth + 1).joined(separator: "/")
        try archive.write(BundleTar.header("\(name)/\(folder)/", size: 0, seconds: seconds))
      }
      folders = Array(parts)
      try archive.write(
        BundleTar.header("\(name)/\(entry.path)", size: entry.size, seconds: seconds)
      )
      try self.copy(root + "/" + entry.path, size: entry.size, to: archive)
      done += entry.size
      progress?.advance(flows: 0, fraction: Double(done) / Double(total))
    }
    try archive.write(BundleTar.end)
    return BundleSummary(file: try archive.finish(), files: entries.count)
  }

  /// What the manifest lists, and the manifest with its signature and time-stamp.
  private static func isIncluded(_ path: String) -> Bool {
    Manifest.isListed(path)
      || ["manifest.json", "manifest.sig", TimestampVerification.fileName, "purges.ndjson"]
        .contains(path)
  }

  /// When the case was sealed, in seconds since 1970; 0 if its manifest does not say.
  private static func sealed(_ root: String) throws(EvidenceFailure) -> Int64 {
    var file = try FileReader(path: root + "/" + Manifest.name, pieceSize: 4 << 10)
    let head = (try file.next() ?? Bytes()).array
    let key = "\"sealed\":\""
    for line in head.split(separator: 0x0A).prefix(8) {
      let text = String(decoding: line, as: UTF8.self)
      guard text.hasPrefix(key) else { continue }
      return WallTime(rfc3339: String(text.dropFirst(key.count).prefix { $0 != "\"" }))?.seconds
        ?? 0
    }
    return 0
  }

  private static func copy(
    _ path: String,
    size: UInt64,
    to archive: BundleStream
  ) throws(EvidenceFailure) {
    var file = try FileReader(path: path)
    var count: UInt64 = 0
    while count < size, let piece = try file.next() {
      let part = piece.slice(0..<Int(min(UInt64(piece.count), size - count)))
      try archive.write(part)
      count += UInt64(part.count)
    }
    guard count == size else {
      throw EvidenceFailure(.malformed, detail: "\(path): became shorter while it was read")
    }
    try archive.write([UInt8](repeating: 0, count: BundleTar.padding(after: size)))
  }
}

/// What a bundle came to.
public struct BundleSummary: Sendable {
  /// The bundle.
  public let file: WrittenFile
  /// How many files of the case it has.
  public let files: Int

  /// One JSON object: `path bytes sha256 files`.
  public var json: [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    json.members(of: self.file)
    json.member("files", self.files)
    json.endObject()
    return json.bytes
  }
}

/// Compresses what is written to it, frame after frame of the same size.
private final class BundleStream {
  private let file: ExportFile
  private let frameContent: Int
  private let level: Int32
  private var pending: [UInt8] = []

  init(_ file: ExportFile, frameContent: Int, level: Int32) {
    self.file = file
    self.frameContent = frameContent
    self.level = level
    self.pending.reserveCapacity(frameContent)
  }

  func write(_ bytes: some RandomAccessCollection<UInt8>) throws(EvidenceFailure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let part = rest.prefix(self.frameContent - self.pending.count)
      self.pending.append(contentsOf: part)
      rest = rest.dropFirst(part.count)
      if self.pending.count == self.frameContent { try self.flush() }
    }
  }

  func finish() throws(EvidenceFailure) -> WrittenFile {
    if !self.pending.isEmpty { try self.flush() }
    return try self.file.finish()
  }

  private func flush() throws(EvidenceFailure) {
    try self.file.write(Zstd.compress(Bytes(self.pending), level: self.level))
    self.pending.removeAll(keepingCapacity: true)
  }
}
