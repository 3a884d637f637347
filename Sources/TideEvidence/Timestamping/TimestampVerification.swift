public import TideCore
internal import TideCrypto

/// What the time-stamp of a sealed case says, and whether it is right.
public struct TimestampVerification: Hashable, Sendable {
  /// The file in a case's folder that has the authority's answer.
  static let fileName = "manifest.tsr"

  /// When manifest.json was there at the latest, by the authority's clock; nil if that cannot be read.
  public let time: WallTime?
  /// The name of the authority, as in its certificate (RFC 2253).
  public let name: String
  /// The token's number, in hexadecimal.
  public let serial: String
  /// Whether the token is of this manifest.json and signed by the certificate in it.
  public let isGood: Bool
  /// Whether that certificate leads to one of the roots that are known.
  public let isTrusted: Bool
  /// What was found, for people.
  public let detail: String

  /// Checks the time-stamp of a case.
  ///
  /// - Parameters:
  ///   - root: the case's folder.
  ///   - roots: those to trust; nil for the system's.
  /// - Returns: nil if there is none.
  /// - Throws: what the file system says.
  public static func check(
    root: String,
    roots: TimestampRoots? = nil
  ) throws(EvidenceFailure) -> TimestampVerification? {
    let path = root + "/" + self.fileName
    guard Folder.size(of: path) != nil else { return nil }
    let digest = try Manifest.digest(root + "/" + Manifest.name).0
    let answer: Bytes
    do throws(EvidenceFailure) {
      answer = try Folder.read(path, limit: TimestampAuthority.largestAnswer)
    } catch {
      guard error.code == .malformed else { throw error }
      return self.init(wrong: error.detail)
    }
    let request = try TimestampRequest(digest: digest)
    return try self.check(answer.array, request, source: path, roots: roots)
  }

  /// Checks an answer.
  static func check(
    _ answer: [UInt8],
    _ request: borrowing TimestampRequest,
    source: String,
    roots: TimestampRoots?
  ) throws(EvidenceFailure) -> TimestampVerification {
    let response: TimestampResponse
    do throws(EvidenceFailure) {
      response = try TimestampResponse(answer, from: source)
    } catch {
      guard error.code == .malformed else { throw error }
      return self.init(wrong: error.detail)
    }
    let wrong = response.problem(with: request, roots: roots, anyRoot: true)
    let untrusted =
      wrong == nil ? response.problem(with: request, roots: roots, anyRoot: false) : wrong
    return self.init(response, wrong: wrong, untrusted: untrusted, roots: roots)
  }

  private init(wrong: String) {
    self.time = nil
    self.name = ""
    self.serial = ""
    self.isGood = false
    self.isTrusted = false
    self.detail = wrong
  }

  private init(
    _ response: borrowing TimestampResponse,
    wrong: String?,
    untrusted: String?,
    roots: TimestampRoots?
  ) {
    self.time = response.time
    self.name = response.authority
    self.serial = response.serial
    self.isGood = wrong == nil
    self.isTrusted = untrusted == nil
    let what = "\(response.time.rfc3339) by \(response.authority), number \(response.serial)"
    let known = roots?.path ?? "this system"
    if let wrong {
      self.detail = "\(what): \(wrong)"
    } else if untrusted != nil {
      self.detail =
        "\(what): only well-formed, not below a root of \(known), so who that is was not checked"
    } else {
      self.detail = "\(what): trusted, below a root of \(known)"
    }
  }
}
