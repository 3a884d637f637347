import TideCore

/// Names of apps: reverse-DNS names with as many labels, each as long, under the same first one.
struct PackageRedactor: Redactor {
  static let kinds = ["app_list"]

  func pseudonym(_ kind: FindingKind, _ subject: Subject, _ choices: inout Choices) -> Subject? {
    guard case .text(let text) = subject, text.contains(0x2E) else { return nil }
    let isName = text.allSatisfy {
      ASCII.isDigit($0) || ASCII.lowercased($0) &- 0x61 < 26 || $0 == 0x2E || $0 == 0x5F
    }
    guard isName else { return nil }
    var labels = text.split(separator: 0x2E, omittingEmptySubsequences: false).map { Array($0) }
    for index in labels.indices {
      // `com` is no secret, and what has another first label is none of the usual names.
      if index == 0, Self.firstLabels.contains(String(decoding: labels[0], as: UTF8.self)) {
        continue
      }
      labels[index] = Filler.word(labels[index], &choices)
    }
    return .text(Array(labels.joined(separator: [0x2E])))
  }

  private static let firstLabels: Set<String> = [
    "android", "app", "cn", "co", "com", "de", "dev", "eu", "fr", "hk", "in", "io", "jp", "kr",
    "me", "net", "org", "ru", "tv", "tw", "uk", "us",
  ]
}
