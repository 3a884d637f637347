import TideCore

/// Addresses of pages: the scheme, `redacted.invalid` where there is room for it, and filler.
struct URLRedactor: Redactor {
  static let kinds = ["browsing_url"]

  func pseudonym(_ kind: FindingKind, _ subject: Subject, _ choices: inout Choices) -> Subject? {
    guard case .text(let text) = subject else { return nil }
    return Filler.url(text, &choices).map { .text($0) }
  }
}
