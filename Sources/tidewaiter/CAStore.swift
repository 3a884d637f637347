import Foundation
import TideConfig
import TideControl
import TideCore
import TideTLS

/// The interception authority's files: `ca.crt` and `ca.key` (0600 in a 0700 folder), after a rotation
/// also `previous.crt` and `previous.key`, in `ca.dir` or, with `ca.per_case`, in `ca.dir/cases/NAME`.
///
/// Where the key is in a PKCS #11 token, the key file holds its URI, without a PIN.
struct CAStore {
  /// What a run works with.
  struct Opened {
    let authority: CertificateAuthority
    /// The one before the rotation, if it has not ended and its key is there.
    let previous: CertificateAuthority?
    /// The certificate of the one before the rotation, until it ends: devices install both.
    let previousCertificate: CACertificate?
    let isNew: Bool
    /// What an operator should know, one sentence each.
    let notices: [String]

    /// The certificates, in DER, that no upstream may be trusted by.
    var certificates: [[UInt8]] {
      [self.authority.certificateDER] + (self.previousCertificate.map { [$0.der] } ?? [])
    }
  }

  /// One of the pairs.
  enum Pair: String {
    case current = "ca"
    case previous = "previous"
    /// What a rotation has made and not yet put into place.
    case next = "next"
  }

  /// `ca.dir`.
  let root: String
  /// The folder of the pairs.
  let directory: String
  /// The case that the CA is for; nil for one of all cases.
  let caseName: String?
  let settings: Configuration.CA
  let controlSocket: String
  let secret: KeySecret

  /// The store of one case's CA, or of the CA of all cases.
  ///
  /// - Parameters:
  ///   - configuration: what holds.
  ///   - caseName: the case; without `ca.per_case` it makes no difference.
  init(_ configuration: Configuration, caseName: String? = nil) {
    self.root = configuration.ca.directory
    self.caseName = configuration.ca.isPerCase ? caseName : nil
    self.directory =
      self.caseName.map { "\(configuration.ca.directory)/cases/\($0)" }
      ?? configuration.ca.directory
    self.settings = configuration.ca
    self.controlSocket = configuration.caseFolder.directory + "/control.sock"
    self.secret = KeySecret(configuration)
  }

  func certificatePath(_ pair: Pair) -> String { "\(self.directory)/\(pair.rawValue).crt" }
  func keyPath(_ pair: Pair) -> String { "\(self.directory)/\(pair.rawValue).key" }

  var certificatePath: String { self.certificatePath(.current) }
  var keyPath: String { self.keyPath(.current) }

  /// Whether any of the two files is there.
  var exists: Bool { Self.isThere(self.certificatePath) || Self.isThere(self.keyPath) }

  /// The options that name this store's case, for commands that are suggested.
  var caseWords: String { self.caseName.map { " --case \($0)" } ?? "" }

  /// The pairs that are there, or a new one; an expired CA is refused.
  func open() throws(CommandFailure) -> Opened {
    try self.settle()
    guard self.exists else {
      let authority = try self.create()
      return Opened(
        authority: authority,
        previous: nil,
        previousCertificate: nil,
        isNew: true,
        notices: []
      )
    }
    let authority = try self.load()
    let now = Self.now()
    guard authority.notAfter > now else {
      throw CommandFailure(
        .usage,
        "\(self.certificatePath): the CA expired on \(authority.notAfter.rfc3339.prefix(10)): run "
          + "`tidewaiter ca rotate\(self.caseWords)`, then install the new CA on the devices"
      )
    }
    guard authority.notBefore <= now else {
      throw CommandFailure(
        .usage,
        "\(self.certificatePath): the CA begins on \(authority.notBefore.rfc3339.prefix(10)): "
          + "is the clock right?"
      )
    }
    var notices = self.notices(authority.publicPart)
    let certificate = try self.previousCertificate()
    var previous: CertificateAuthority?
    if certificate != nil, Self.isThere(self.keyPath(.previous)) {
      do throws(CommandFailure) {
        previous = try self.load(.previous)
      } catch {
        notices.append("the CA before the rotation cannot sign: \(error.message)")
      }
    }
    return Opened(
      authority: authority,
      previous: previous,
      previousCertificate: certificate,
      isNew: false,
      notices: notices
    )
  }

  /// What there is to say of a CA that can be used.
  func notices(_ certificate: CACertificate) -> [String] {
    var list: [String] = []
    let left = certificate.notAfter.seconds - Self.now().seconds
    if left <= 14 * 86_400 {
      list.append(
        "the CA ends on \(certificate.notAfter.rfc3339.prefix(10)) (in \(max(0, left / 86_400)) "
          + "days): `tidewaiter ca rotate\(self.caseWords)` makes a new one, to be installed on "
          + "the devices"
      )
    }
    if !certificate.isLimited(to: self.permitted) {
      let own =
        certificate.permittedNames.map { $0.map(\.description).joined(separator: ", ") }
        ?? "every name"
      list.append(
        "the CA was made for \(own), which is not what ca.permit says now: "
          + "`tidewaiter ca rotate\(self.caseWords)` makes one that keeps to it"
      )
    }
    return list
  }

  /// The names that a new CA is limited to.
  var permitted: [PermittedName] { self.settings.permit.compactMap { PermittedName($0) } }

  /// Whether `path` is there.
  static func isThere(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  static func now() -> WallTime {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return WallTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }
}
