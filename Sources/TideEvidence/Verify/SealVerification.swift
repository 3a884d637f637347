internal import TideCore
internal import TideCrypto

/// The checks of a sealed case's manifest; nil if there is none.
struct SealVerification {
  let checks: [VerificationReport.Check]
  private let contents: Manifest.Contents?
  private let problems: [String]

  init?(root: String) throws(EvidenceFailure) {
    guard CaseFolder.isSealed(root) else { return nil }
    let bytes = try Folder.read(root + "/" + Manifest.name, limit: 4 << 30)
    let isSigned = Self.isSigned(bytes, root)
    var problems: [String] = isSigned ? [] : ["manifest.json: its signature is wrong"]
    self.contents = Manifest.parse(bytes)
    var fileProblems: [String] = []
    if let contents = self.contents {
      fileProblems = try Self.compare(contents, root)
    } else {
      fileProblems = ["manifest.json does not read as a manifest"]
    }
    problems += fileProblems
    self.problems = problems
    self.checks = [
      VerificationReport.Check(
        name: "signature",
        isGood: isSigned,
        detail: isSigned
          ? "manifest.json is as signed by \(Self.fingerprint(root))" : "it is not signer.pem's"
      ),
      VerificationReport.Check(
        name: "manifest",
        isGood: fileProblems.isEmpty,
        detail: fileProblems.first.map { problem in
          fileProblems.count == 1 ? problem : "\(problem), and \(fileProblems.count - 1) more"
        } ?? "\(self.contents?.files.count ?? 0) files"
      ),
    ]
  }

  /// The first line that the manifest counts and the log has not; nil if it has all.
  func missingFrom(_ state: ChainState) -> UInt64? {
    guard let contents = self.contents, state.sequence < contents.lastSequence else { return nil }
    return state.sequence + 1
  }

  /// What is wrong with the seal, if anything is.
  func problem(_ end: ChainState) -> String? {
    if let problem = self.problems.first { return problem }
    guard let contents = self.contents, contents.lastSequence == end.sequence,
      Array(contents.lastHash.utf8) == end.hash
    else { return "the log does not end where manifest.json says" }
    return nil
  }

  private static func isSigned(_ bytes: Bytes, _ root: String) -> Bool {
    guard let pem = try? Folder.read(root + "/signer.pem", limit: 4_096),
      let signature = try? Folder.read(root + "/manifest.sig", limit: 4_096),
      let key = try? VerifyingKey(pem: pem)
    else { return false }
    return (try? key.isValid(signature.array, for: bytes.array)) ?? false
  }

  private static func fingerprint(_ root: String) -> String {
    guard let pem = try? Folder.read(root + "/signer.pem", limit: 4_096) else { return "nobody" }
    let lines = pem.text.split(separator: "\n").filter { !$0.hasPrefix("-----") }
    guard let der = Base64.standard.decode(lines.joined().utf8) else { return "nobody" }
    return "the key with SHA-256 " + Hex.encode(Digest.sha256.hash(der))
  }

  private static func compare(
    _ contents: Manifest.Contents,
    _ root: String
  ) throws(EvidenceFailure) -> [String] {
    var problems: [String] = []
    var present: [String: UInt64] = [:]
    for entry in try Folder.files(below: root) where Manifest.isListed(entry.path) {
      present[entry.path] = entry.size
    }
    for file in contents.files {
      guard let size = present.removeValue(forKey: file.path) else {
        problems.append("\(file.path) is missing")
        continue
      }
      guard size == file.size,
        Hex.encode(try Manifest.digest(root + "/" + file.path).0) == file.sha256
      else {
        problems.append("\(file.path) was altered")
        continue
      }
    }
    return problems + present.keys.sorted().map { "\($0) is not in the manifest" }
  }
}
