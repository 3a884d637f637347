internal import TideCore
internal import TideCrypto

extension ShareSafe.Origin {
  init(_ reader: CaseReader) throws(EvidenceFailure) {
    self.init()
    let description = JSONValue(try Folder.read(reader.path + "/case.json", limit: 16 << 20))
    self.caseName = description?.object["case"]?.string ?? ""
    let path = reader.path + "/" + Manifest.name
    guard Folder.size(of: path) != nil else { return }
    self.manifestSHA256 = Hex.encode(try Manifest.digest(path).0)
    // Its first lines; the list of files that follows may be long.
    var file = try FileReader(path: path, pieceSize: 4 << 10)
    let start = try file.next()?.text ?? ""
    for line in start.split(separator: "\n") {
      let member = JSONValue(Bytes("{\(line.drop { $0 == "{" }.dropLast())}"))?.object
      if let size = member?["tree_size"]?.unsigned { self.treeSize = size }
      if let root = member?["tree_root"]?.string { self.treeRoot = root }
    }
  }
}

extension JSONWriter {
  /// Writes what a share-safe entry was made from: `original`.
  mutating func write(origin: ShareSafe.Origin, lines: [ExportLine]? = nil) {
    self.key("original")
    self.beginObject()
    self.member("case", origin.caseName)
    self.member("manifest_sha256", origin.manifestSHA256)
    self.member("tree_size", origin.treeSize)
    self.member("tree_root", origin.treeRoot)
    if let lines { self.write(lines: lines) }
    self.endObject()
  }

  /// Writes the lines that an entry was made from: `[[seq, leaf hash or null], …]`.
  mutating func write(lines: [ExportLine]) {
    self.key("lines")
    self.beginArray()
    for line in lines {
      self.beginArray()
      self.value(line.sequence)
      if let leaf = line.leaf { self.hex(leaf) } else { self.null() }
      self.endArray()
    }
    self.endArray()
  }
}
