internal import TideCore

/// What a verifier can see of a case.
enum Disclosure: Sendable {
  /// All: it is not encrypted.
  case plain
  /// All, with its keys.
  case shown(CaseKeys)
  /// What an encrypted case shows to a stranger.
  case hidden(why: String)

  /// What a key opens of the case in a folder, and why that is less than was asked for.
  static func of(_ root: String, _ key: CaseKey?) -> (Disclosure, EvidenceFailure?) {
    do throws(EvidenceFailure) {
      // One from which case.json was taken away is judged by what is left of it.
      guard Folder.size(of: root + "/case.json") != nil,
        let keys = try CaseEncryption.keys(of: root, key)
      else { return (.plain, nil) }
      return (.shown(keys), nil)
    } catch {
      switch error.code {
      case .locked: return (.hidden(why: "no key was given"), nil)
      default: return (.hidden(why: error.detail), error)
      }
    }
  }

  var keys: CaseKeys? {
    if case .shown(let keys) = self { return keys }
    return nil
  }

  var isEncrypted: Bool {
    if case .plain = self { return false }
    return true
  }

  var isHidden: Bool {
    if case .hidden = self { return true }
    return false
  }

  /// What is said of contents that nobody looked into.
  static var bodiesCheck: VerificationReport.Check {
    VerificationReport.Check(
      name: "bodies",
      isGood: nil,
      detail: "not opened: which lines name them is encrypted"
    )
  }

  /// The line of the report; nil if the case is not encrypted.
  var check: VerificationReport.Check? {
    switch self {
    case .plain: nil
    case .shown:
      VerificationReport.Check(
        name: "encryption",
        isGood: true,
        detail: "\(CaseEncryption.cipher); all lines and contents were opened with the key"
      )
    case .hidden(let why):
      VerificationReport.Check(
        name: "encryption",
        isGood: nil,
        detail: "the case is encrypted and its contents were not opened: \(why)"
      )
    }
  }
}
