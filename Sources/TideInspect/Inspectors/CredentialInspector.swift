import TideCore

/// Finds passwords as they are, under names that say so, in what the device sends.
///
/// No more than `possible`: an app that lets its user in does send one. Sessions, bearer tokens and
/// signatures are how apps work, and no finding.
struct CredentialInspector: LeafInspector {
  static let id = "credential"
  let interest = Interest(directions: [.request], locations: [.query, .header, .body, .websocket])

  /// Shorter ones are flags and placeholders.
  private static let lengths = 6...128

  func inspect(_ leaves: Leaves, _ sink: inout LeafSink) {
    for (leaf, _) in leaves.leaves(about: .password) {
      guard Self.lengths.contains(leaf.value.count), Self.isPassword(leaf.value) else { continue }
      sink.report(FindingKind("credential"), .possible, in: leaf, value: leaf.value)
    }
  }

  private static func isPassword(_ value: Bytes) -> Bool {
    // Masked, or a path such as `/pass/user`; a digest is no password that could be tried elsewhere.
    guard Set(value).count > 3, !value.contains(0x2F) else { return false }
    let isDigest =
      [32, 40, 64, 96, 128].contains(value.count)
      && value.allSatisfy { ASCII.hexValue($0) != nil }
    let isText = value.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    let words = ["false", "hidden", "redacted", "password", "required", "optional", "changed"]
    return isText && !isDigest && !words.contains(value.text.lowercased())
  }
}
