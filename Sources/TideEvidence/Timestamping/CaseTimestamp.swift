internal import TideCore
internal import TideCrypto

/// Has sealed cases time-stamped (RFC 3161).
public enum CaseTimestamp {
  /// Asks an authority for a time-stamp of a case's manifest.json, and keeps the answer as `manifest.tsr` if
  /// it is right; else the case is left as it was.
  ///
  /// - Parameters:
  ///   - path: the case, sealed.
  ///   - authority: who is asked.
  ///   - roots: those below which the authority's certificate must be; nil if any will do, and the result says
  ///     whether it is below one of the system's.
  ///   - replaces: whether a time-stamp that is there is replaced.
  /// - Returns: what the time-stamp says.
  /// - Throws: `notFound` if the case is not sealed, `badName` if it has a time-stamp, `io` if the authority
  ///   does not answer, `malformed` if the answer is not right.
  public static func request(
    _ path: String,
    from authority: TimestampAuthority,
    roots: TimestampRoots? = nil,
    replaces: Bool = false
  ) throws(EvidenceFailure) -> TimestampVerification {
    guard CaseFolder.isSealed(path) else {
      throw EvidenceFailure(.notFound, detail: "\(path): not sealed yet; run: evidence seal")
    }
    let name = TimestampVerification.fileName
    guard replaces || Folder.size(of: path + "/" + name) == nil else {
      throw EvidenceFailure(
        .badName,
        detail: "\(path)/\(name): is there already; --force replaces it"
      )
    }
    let digest = try Manifest.digest(path + "/" + Manifest.name).0
    let nonce: [UInt8]
    do throws(CryptoFailure) {
      nonce = try RandomBytes.make(TimestampRequest.nonceSize)
    } catch {
      throw EvidenceFailure(error)
    }
    let request = try TimestampRequest(digest: digest, nonce: nonce)
    let answer = try authority.ask(request)
    let result = try TimestampVerification.check(
      answer,
      request,
      source: authority.url,
      roots: roots
    )
    guard result.isGood, result.isTrusted || roots == nil else {
      throw EvidenceFailure(.malformed, detail: "\(authority.url): \(result.detail)")
    }
    // By a name that the seal does not cover, should this be cut short.
    let temporary = path + "/bodies/tmp/" + name
    try Folder.make(path + "/bodies/tmp")
    try Folder.write(answer, to: temporary)
    try PosixStorage().rename(temporary, to: path + "/" + name)
    try Folder.sync(parentOf: path + "/" + name)
    return result
  }
}
