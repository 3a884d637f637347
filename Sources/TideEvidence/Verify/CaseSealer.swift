public import TideCore
public import TideCrypto

/// Ends a case: a last line, a manifest of every file, a signature over it.
public enum CaseSealer {
  /// Seals a case that nobody is recording into.
  ///
  /// - Parameters:
  ///   - path: the case.
  ///   - key: signs the manifest.
  ///   - caseKey: opens an encrypted case.
  ///   - now: the time to date the seal by.
  ///   - reason: why, if there is something to say; it stands in the last line.
  /// - Throws: `sealed` if it is, `locked` or `wrongKey` of an encrypted case, `inUse` if it is being recorded, `malformed` if the end of its log
  ///   was altered, or what the file system says.
  public static func seal(
    _ path: String,
    key: SigningKey,
    caseKey: CaseKey? = nil,
    at now: WallTime,
    reason: String? = nil
  ) throws(EvidenceFailure) {
    let folder = try CaseFolder.reopen(path, caseKey)
    try self.seal(
      folder,
      after: folder.tail,
      wireRecoveries: folder.wireRecoveries,
      salvaged: folder.salvaged,
      key: key,
      at: now,
      reason: reason
    )
  }

  static func seal(
    _ folder: CaseFolder,
    after tail: LogTail,
    wireRecoveries: [WireRecovery] = [],
    salvaged: [SalvagedBody] = [],
    key: SigningKey,
    at now: WallTime,
    reason: String? = nil
  ) throws(EvidenceFailure) {
    let root = folder.path
    for body in salvaged { try body.keep(in: root) }
    let signer = try HeadSigner(key, caseDigest: folder.descriptionDigest)
    var ending = try LogEnding(root, after: tail, signer: signer, keys: folder.keys)
    try ending.writeRepairs(wireRecoveries, salvaged, at: now)
    try ending.writeHead(at: now)
    ending.write("sealed", at: now) { $0.member("reason", reason) }
    try ending.flush()
    let last = ending.state
    try Folder.write(signer.pem, to: root + "/signer.pem")
    try Folder.write(Array(VerifyText.text(caseName: folder.name).utf8), to: root + "/VERIFY.txt")
    let manifest = try Manifest.make(root, caseName: folder.name, last: last, at: now)
    let signature: [UInt8]
    do throws(CryptoFailure) {
      signature = try key.sign(manifest)
    } catch {
      throw EvidenceFailure(error)
    }
    // The manifest comes last: it is what makes a case sealed, and then nothing must be missing.
    try Folder.write(signature, to: root + "/manifest.sig")
    try Folder.write(manifest, to: root + "/manifest.json")
  }
}

/// `manifest.json`: one line per file, so that sed and sha256sum can check it.
enum Manifest {
  static let name = "manifest.json"

  /// What a manifest says.
  struct Contents {
    let lastSequence: UInt64
    let lastHash: String
    let files: [File]
  }

  struct File {
    let path: String
    let size: UInt64
    let sha256: String
  }

  /// What the manifest does not list: itself and what is made from it, the index, which can be made
  /// again at any time, the secret, which is kept back when a case is handed on, and what was removed later.
  static func isListed(_ path: String) -> Bool {
    !["manifest.json", "manifest.sig", "manifest.tsr", "secret", PurgeLog.name].contains(path)
      && !path.hasPrefix("flows.sqlite") && !path.hasPrefix("bodies/tmp/")
  }

  static func make(
    _ root: String,
    caseName: String,
    last: LogState,
    at now: WallTime
  ) throws(EvidenceFailure) -> [UInt8] {
    var text = Array("{\"format\":\(CaseFolder.format),\n".utf8)
    func line(
      _ end: String,
      _ write: (inout JSONWriter) throws(EvidenceFailure) -> Void
    )
      throws(EvidenceFailure)
    {
      var json = JSONWriter()
      try write(&json)
      text += json.bytes + Array(end.utf8)
    }
    try line(",\n") { $0.member("case", caseName) }
    try line(",\n") { $0.member("sealed", now.rfc3339) }
    try line(",\n") { $0.member("last_seq", last.chain.sequence) }
    try line(",\n") { $0.member("last_hash", String(decoding: last.chain.hash, as: UTF8.self)) }
    try line(",\n") { $0.member("tree_size", last.tree.size) }
    try line(",\n") { $0.member("tree_root", last.tree.rootHex) }
    text += Array("\"files\":[\n".utf8)
    let entries = try Folder.files(below: root).filter { self.isListed($0.path) }
    for (index, entry) in entries.enumerated() {
      let (digest, size) = try self.digest(root + "/" + entry.path)
      try line(index == entries.count - 1 ? "\n" : ",\n") { json in
        json.beginObject()
        json.member("path", entry.path)
        json.member("size", size)
        json.key("sha256")
        json.hex(digest)
        json.endObject()
      }
    }
    return text + Array("]}\n".utf8)
  }

  static func parse(_ bytes: Bytes) -> Contents? {
    guard let object = JSONValue(bytes)?.object, let sequence = object["last_seq"]?.unsigned,
      let hash = object["last_hash"]?.string, let list = object["files"]?.array
    else { return nil }
    var files: [File] = []
    for item in list.map(\.object) {
      guard let path = item["path"]?.string, let size = item["size"]?.unsigned,
        let sha256 = item["sha256"]?.string
      else { return nil }
      files.append(File(path: path, size: size, sha256: sha256))
    }
    return Contents(lastSequence: sequence, lastHash: hash, files: files)
  }

  /// The SHA-256 and size of a file, read piece by piece.
  static func digest(_ path: String) throws(EvidenceFailure) -> ([UInt8], UInt64) {
    var file = try FileReader(path: path)
    var hasher = SHA256Hasher()
    var size: UInt64 = 0
    while let piece = try file.next() {
      hasher.update(piece)
      size += UInt64(piece.count)
    }
    return (hasher.finish(), size)
  }
}

/// `VERIFY.txt`.
enum VerifyText {
  static func text(caseName: String) -> String {
    """
    How to check the case \(caseName) without Tidewaiter
    ====================================================

    You need sh, sed, sha256sum, find and openssl (1.1.1 or later). Run the commands in this folder.

    1. Who sealed it. The signer's key has this fingerprint; ask the signer, by another way than the one
       on which this folder reached you, whether it is theirs:

    openssl pkey -pubin -in signer.pem -outform DER | sha256sum

    2. The manifest is the one that was signed ("Signature Verified Successfully"):

    openssl pkeyutl -verify -pubin -inkey signer.pem -rawin -in manifest.json -sigfile manifest.sig

    3. Every file is as the manifest says (prints nothing and ends with 0 if all is well):

    sed -n 's/^{"path":"\\([^"]*\\)","size":[0-9]*,"sha256":"\\([0-9a-f]*\\)"}.*/\\2  \\1/p' manifest.json | sha256sum -c --quiet

       If there is a file purges.ndjson, contents were removed on purpose after the seal, by who sealed it: it lists
       the digests of those that are missing here.

    4. Nothing was added (prints nothing if all is well; the index flows.sqlite, the file secret, a time
       stamp manifest.tsr and purges.ndjson are not in the manifest):

    find . -type f | sed 's/^\\.\\///' | grep -v -e '^manifest\\.' -e '^flows\\.sqlite' -e '^secret$' -e '^purges\\.ndjson$' | while read -r f; do grep -q "^{\\"path\\":\\"$f\\"," manifest.json || echo "not in the manifest: $f"; done

    What these files mean, and how to check the chain of the log line by line, is in
    docs/evidence-format.md of Tidewaiter's sources; `tidewaiter evidence verify` does all of it.

    """
  }
}
