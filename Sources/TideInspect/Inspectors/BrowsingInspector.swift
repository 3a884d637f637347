import TideCore

/// Finds addresses of pages that were looked at and are in no profile: under a name that says so, or in a
/// list of visits.
///
/// A `url` alone is what every app talks about; so are scripts, styles and pictures. Referer is how
/// browsers browse.
struct BrowsingInspector: LeafInspector {
  static let id = "browsing"
  let interest = Interest(directions: [.request], locations: [.query, .body, .websocket])

  private static let longest = 4_096
  private static let assets = [
    "js", "mjs", "css", "png", "jpg", "jpeg", "gif", "webp", "svg", "ico", "woff", "woff2", "ttf",
    "mp4",
    "m3u8", "ts", "json", "xml", "apk", "zip", "wasm", "map",
  ]

  func inspect(_ leaves: Leaves, _ sink: inout LeafSink) {
    for (leaf, topics) in leaves.leaves(about: [.visited, .url]) {
      guard (12...Self.longest).contains(leaf.value.count), leaf.value.first == 0x68,
        Self.isPage(leaf.value)
      else { continue }
      let isVisit = topics.contains(.visited) || leaves.outerTopics(of: leaf).contains(.visited)
      guard isVisit else { continue }
      sink.report(FindingKind("browsing_url"), .likely, in: leaf, value: leaf.value)
    }
  }

  /// Whether it is a URL from end to end, of something under a host that is no part of a page.
  private static func isPage(_ value: Bytes) -> Bool {
    let text = value.array
    let scheme = text.starts(with: "https://".utf8) ? 8 : text.starts(with: "http://".utf8) ? 7 : 0
    guard scheme > 0, text.allSatisfy({ $0 > 0x20 && $0 != 0x22 && $0 != 0x3C }) else {
      return false
    }
    let rest = text[scheme...]
    guard let slash = rest.firstIndex(of: 0x2F), rest[..<slash].contains(0x2E) else { return false }
    let path = rest[slash...].prefix { $0 != 0x3F && $0 != 0x23 }
    // The front page of a site says little and is everywhere.
    guard rest[slash...].count > 1 else { return false }
    let ending = path.suffix(while: { $0 != 0x2E && $0 != 0x2F })
    let hasEnding = ending.count < path.count && path[ending.startIndex - 1] == 0x2E
    let last = String(decoding: ending, as: UTF8.self).lowercased()
    return !(hasEnding && self.assets.contains(last))
  }
}

extension ArraySlice<UInt8> {
  /// The longest ending of which every byte passes.
  fileprivate func suffix(while passes: (UInt8) -> Bool) -> ArraySlice<UInt8> {
    var start = self.endIndex
    while start > self.startIndex, passes(self[start - 1]) { start -= 1 }
    return self[start...]
  }
}
