internal import Glibc
internal import TideCore

/// `manifest.json` as read, line by line: the only file of a case that is in memory whole, 160 bytes or so for each file
/// that it lists, as its signature is over all of it at once.
struct ManifestFile {
  let lastSequence: UInt64
  let lastHash: String
  let treeSize: UInt64?
  let treeRoot: String?
  private let bytes: [UInt8]
  private var index: Int

  /// Reads what comes before the files; nil if it does not read as a manifest.
  init?(_ bytes: [UInt8]) {
    let opening = Array("\"files\":[\n".utf8)
    var head: [UInt8] = []
    var index = 0
    while let end = bytes[index...].firstIndex(of: 0x0A), index < 4_096 {
      let line = bytes[index...end]
      index = end + 1
      head += line
      if line.elementsEqual(opening) { break }
    }
    guard head.suffix(opening.count).elementsEqual(opening),
      let object = JSONValue(Bytes(head + Array("]}".utf8)))?.object,
      let sequence = object["last_seq"]?.unsigned, let hash = object["last_hash"]?.string
    else { return nil }
    self.lastSequence = sequence
    self.lastHash = hash
    self.treeSize = object["tree_size"]?.unsigned
    self.treeRoot = object["tree_root"]?.string
    self.bytes = bytes
    self.index = index
  }

  /// The next file; nil at the end.
  ///
  /// - Throws: `malformed` if what is there is no file's line.
  mutating func next() throws(EvidenceFailure) -> Manifest.File? {
    let end = self.bytes[self.index...].firstIndex(of: 0x0A) ?? self.bytes.count
    var line = self.bytes[self.index..<end]
    if line.elementsEqual(Array("]}".utf8)), end == self.bytes.count - 1 { return nil }
    if line.last == 0x2C { line.removeLast() }
    guard let object = JSONValue(Bytes(Array(line)))?.object, let path = object["path"]?.string,
      let size = object["size"]?.unsigned, let sha256 = object["sha256"]?.string
    else {
      throw EvidenceFailure(.malformed, detail: "\(Manifest.name) does not read as a manifest")
    }
    self.index = min(end + 1, self.bytes.count)
    return Manifest.File(path: path, size: size, sha256: sha256)
  }

  /// The bytes of a manifest, in room for them and no more.
  static func read(_ root: String) throws(EvidenceFailure) -> [UInt8] {
    let path = root + "/" + Manifest.name
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Int(clamping: Folder.size(of: path) ?? 0))
    var file = try FileReader(path: path)
    while let piece = try file.next() { bytes.append(contentsOf: piece) }
    return bytes
  }
}

/// Walks the files below a folder in the order of their paths, a folder's names in memory at a time.
struct SortedFiles {
  private let root: String
  private var pending: [(path: String, isFolder: Bool)] = []

  init(below root: String) throws(EvidenceFailure) {
    self.root = root
    try self.push("")
  }

  /// The next regular file; symbolic links are not followed.
  mutating func next() throws(EvidenceFailure) -> FolderEntry? {
    while let entry = self.pending.popLast() {
      if entry.isFolder {
        try self.push(entry.path)
      } else if let size = Folder.size(of: self.root + "/" + entry.path) {
        return FolderEntry(path: entry.path, size: size)
      }
    }
    return nil
  }

  private mutating func push(_ folder: String) throws(EvidenceFailure) {
    var entries: [(key: String, path: String, isFolder: Bool)] = []
    for entry in try Folder.entries(in: folder.isEmpty ? self.root : self.root + "/" + folder) {
      let path = folder.isEmpty ? entry.name : folder + "/" + entry.name
      // By whole paths a folder's names come where its name and a slash would.
      entries.append((entry.isFolder ? entry.name + "/" : entry.name, path, entry.isFolder))
    }
    entries.sort { $0.key > $1.key }
    self.pending += entries.map { ($0.path, $0.isFolder) }
  }
}

extension Folder {
  /// The regular files and folders in a folder.
  fileprivate static func entries(
    in path: String
  ) throws(EvidenceFailure) -> [(name: String, isFolder: Bool)] {
    var entries: [(name: String, isFolder: Bool)] = []
    for name in try self.names(in: path) {
      var status = stat()
      guard unsafe lstat(path + "/" + name, &status) == 0 else { continue }
      switch status.st_mode & S_IFMT {
      case S_IFDIR: entries.append((name, true))
      case S_IFREG: entries.append((name, false))
      default: continue
      }
    }
    return entries
  }
}
