internal import TideCore
internal import TideCrypto

/// Checks `purges.ndjson`: what was removed from a case after its seal, by who sealed it.
struct PurgeVerification {
  /// The names of the files of contents that its lines name, as far as they are right.
  private(set) var contents: Set<DigestKey> = []
  /// The files of wire/ that they name.
  private(set) var wire: Set<Int> = []
  private(set) var problem: String?
  private var lines = 0
  private let isThere: Bool

  /// Reads the file of a sealed case; of another one there is none.
  init(root: String, isSealed: Bool) throws(EvidenceFailure) {
    let path = root + "/" + PurgeLog.name
    self.isThere = isSealed && Folder.size(of: path) != nil
    guard self.isThere else { return }
    let (manifest, _) = try Manifest.digest(root + "/" + Manifest.name)
    let pem = (try? Folder.read(root + "/" + SignerFile.name, limit: 4_096)) ?? Bytes()
    let key = try? VerifyingKey(pem: pem)
    let fingerprint = SignerFile.fingerprint(in: root)
    var hash = Array(Hex.encode(manifest).utf8)
    var hasher = SHA256Hasher()
    var file = try FileReader(path: path)
    var rest = Bytes()
    while self.problem == nil, let piece = try file.next() {
      rest.append(piece)
      while self.problem == nil, let end = rest.firstIndex(of: 0x0A) {
        let line = rest.slice(0..<end)
        rest = rest.dropping(first: end + 1)
        guard let face = LineFace(line), face.sequence == UInt64(self.lines + 1),
          face.previous.elementsEqual(hash), face.follows(hash, &hasher),
          let object = JSONValue(line)?.object, let key,
          object["key"]?.string == fingerprint, Self.isSigned(line, object, key)
        else {
          self.problem = "\(PurgeLog.name): line \(self.lines + 1) was altered"
          break
        }
        self.take(object)
        hash = face.hash
        self.lines += 1
      }
      if rest.count > 64 << 20 { self.problem = "\(PurgeLog.name): a line is too long" }
    }
    // Half a line at the end is what a kill leaves: nothing was removed for it.
  }

  /// The line of the report; nil if there is no such file.
  var check: VerificationReport.Check? {
    guard self.isThere else { return nil }
    return VerificationReport.Check(
      name: "purges",
      isGood: self.problem == nil,
      detail: self.problem
        ?? "\(self.lines) lines, signed: \(self.contents.count) contents were removed after the seal"
    )
  }

  /// Whether a file may be missing.
  func hasRemoved(_ path: String) -> Bool {
    if path.hasPrefix("bodies/"), let name = path.split(separator: "/").last,
      let digest = Hex.decode(name.utf8), digest.count == 32
    {
      return self.contents.contains(DigestKey(digest))
    }
    return self.wire.contains { WireFormat.relativePath(of: $0) == path }
  }

  private mutating func take(_ object: JSONObject) {
    for text in ((object["files"] ?? object["contents"])?.array ?? []).compactMap(\.string) {
      if let digest = Hex.decode(text.utf8), digest.count == 32 {
        self.contents.insert(DigestKey(digest))
      }
    }
    for number in (object["wire"]?.array ?? []).compactMap(\.unsigned) {
      self.wire.insert(Int(clamping: number))
    }
  }

  /// Whether the bytes before the member `key` are as signed.
  private static func isSigned(_ line: Bytes, _ object: JSONObject, _ key: VerifyingKey) -> Bool {
    guard let signature = object["signature"]?.string,
      let bytes = Base64.standard.decode(signature.utf8)
    else { return false }
    // The members that follow are of a fixed form: `,"key":"…","signature":"…"` and the hash.
    let tail = ",\"key\":\"\(object["key"]?.string ?? "")\",\"signature\":\"\(signature)\""
    let start = line.count - LineTail.length - tail.utf8.count
    guard start > 0,
      line.slice(start..<line.count - LineTail.length).elementsEqual(Array(tail.utf8))
    else { return false }
    return (try? key.isValid(bytes, for: PurgeLog.message(line.slice(0..<start)))) == true
  }
}
