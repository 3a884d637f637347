internal import TideCore
internal import TideCrypto

/// What a recorder that was killed had put on disk of a body that was not over.
///
/// It stays in bodies/tmp/ until whoever continues or seals the case names it in a line.
struct SalvagedBody: Sendable {
  let key: BodyKey
  let size: UInt64
  let digest: [UInt8]
  /// The name of its file: the digest, or what an encrypted case puts in its place.
  private let name: String

  /// Reads what is in bodies/tmp/ up to its last whole frame, and removes what is of no use.
  ///
  /// - Parameters:
  ///   - root: the case, locked.
  ///   - keys: those of an encrypted case.
  ///   - nextFlow: the first number that the log has no flow of; a file of a later one has no meaning.
  /// - Returns: what is worth a line, in the order of the flows.
  /// - Throws: what the file system says.
  static func find(
    in root: String,
    keys: CaseKeys?,
    before nextFlow: UInt64
  ) throws(EvidenceFailure) -> [Self] {
    var found: [Self] = []
    for name in try Folder.names(in: root + "/bodies/tmp") {
      let path = root + "/bodies/tmp/" + name
      guard let key = BodyLayout.key(ofTemporary: name), key.flow.number < nextFlow,
        let body = try self.read(path, key, keys)
      else {
        try PosixStorage().remove(path)
        continue
      }
      found.append(body)
    }
    return found.sorted { $0.key.flow.number < $1.key.flow.number }
  }

  /// Keeps the content under its digest; for whoever has no `BodyStore`.
  func keep(in root: String) throws(EvidenceFailure) {
    let storage = PosixStorage()
    let temporary = root + "/" + BodyLayout.temporaryPath(self.key)
    let final = root + "/" + BodyLayout.relativePath(self.name, nil)
    if storage.exists(final) {
      try storage.remove(temporary)
    } else {
      try storage.makeFolder("\(root)/bodies/\(self.name.prefix(2))")
      try storage.rename(temporary, to: final)
      try storage.sync([final])
    }
  }

  /// Writes the members of its `body` line.
  func write(into json: inout JSONWriter) {
    json.member("flow", self.key.flow)
    json.member("direction", self.key.direction.rawValue)
    json.member("stage", self.key.stage.rawValue)
    json.member("size", self.size)
    json.key("sha256")
    json.hex(self.digest)
    json.member("complete", false)
  }

  /// Reads a file and cuts what follows its last whole frame; nil if nothing is left.
  ///
  /// In an encrypted case it then gets its end, which no recorder wrote.
  private static func read(
    _ path: String,
    _ key: BodyKey,
    _ keys: CaseKeys?
  ) throws(EvidenceFailure) -> Self? {
    var hasher = SHA256Hasher()
    var size: UInt64 = 0
    var reader = try BodyReader(unfinished: path, keys: keys)
    do throws(EvidenceFailure) {
      while let piece = try reader.next() {
        hasher.update(piece)
        size += UInt64(piece.count)
      }
    } catch {
      guard error.code == .malformed else { throw error }
      let file = try PosixStorage().append(to: path)
      try file.truncate(to: reader.offset)
    }
    guard size > 0 else { return nil }
    let digest = hasher.finish()
    if let keys, let opener = reader.opener {
      let file = try PosixStorage().append(to: path)
      try file.truncate(to: reader.offset)
      let sealer = BodySealer(keys, number: opener.number, after: opener.count)
      try file.writeAll(sealer.end(digest: digest))
    }
    return Self(
      key: key,
      size: size,
      digest: digest,
      name: BodyLayout.name(Hex.encode(digest), keys)
    )
  }
}
