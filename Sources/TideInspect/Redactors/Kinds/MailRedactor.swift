import TideCore

/// Mail addresses: in a domain that cannot exist.
struct MailRedactor: Redactor {
  static let kinds = ["email"]

  func pseudonym(_ kind: FindingKind, _ subject: Subject, _ choices: inout Choices) -> Subject? {
    guard case .email(let text) = subject else { return nil }
    return .email(Filler.email(text, &choices))
  }
}
