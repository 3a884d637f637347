import TideCore
import TideDecoding

/// Finds lists of what is installed: three or more packages that many phones have, or any three under a
/// name that says so.
///
/// Each is reported; the pipeline drops them where a message has fewer than three.
struct AppListInspector: LeafInspector {
  static let id = "apps"
  let interest = Interest(directions: [.request])

  /// How many make a list (DETECTION.md section 2).
  private static let fewest = 3
  /// The most bytes of one leaf that are read.
  private static let longest = 64 << 10
  /// The most packages that are told of.
  private static let most = 1_024

  private struct Package {
    let leaf: Leaves.Leaf
    let range: Range<Int>
    let name: Bytes
  }

  func inspect(_ leaves: Leaves, _ sink: inout LeafSink) {
    var known: [Package] = []
    var listed: [Package] = []
    // Most layers have neither.
    let told = Set(leaves.leaves(about: .packages).lazy.map(\.leaf.index))
    let candidates = told.isEmpty ? leaves.survey.dotted : leaves.survey.leaves
    for index in candidates {
      let isListed = told.contains(index)
      guard isListed || leaves.withValue(of: index, { Self.beginsLikePackage($0, $1) }) else {
        continue
      }
      let leaf = leaves.leaf(index)
      guard leaf.value.count >= 6 else { continue }
      for package in Self.packages(in: leaf) {
        guard known.count < Self.most, listed.count < Self.most else { break }
        if isListed { listed.append(package) }
        if KnownPackages.contain(package.name) { known.append(package) }
      }
    }
    let isListOfKnown = Set(known.map(\.name)).count >= Self.fewest
    let isList = Set(listed.map(\.name)).count >= Self.fewest
    guard isListOfKnown || isList else { return }
    var said = Set<Place>()
    for package in (isListOfKnown ? known : []) + (isList ? listed : []) {
      let place = Place(leaf: package.leaf.index, start: package.range.lowerBound)
      guard said.insert(place).inserted else { continue }
      sink.report(
        FindingKind("app_list"),
        .likely,
        in: package.leaf,
        at: package.range,
        value: package.name
      )
    }
  }

  private struct Place: Hashable {
    let leaf: Int
    let start: Int
  }

  /// The first label of most packages.
  private static let heads = [
    "com.", "org.", "net.", "jp.", "tw.", "cn.", "io.", "us.", "me.", "ru.", "tv.",
  ]
  .map { Array($0.utf8) }

  private static func beginsLikePackage(_ span: Span<UInt8>, _ form: LayerNode.Form) -> Bool {
    guard span.count >= 6, span[0] &- 0x61 < 26, span[2] == 0x2E || span[3] == 0x2E else {
      return false
    }
    return self.heads.contains { head in
      head.indices.allSatisfy { head[$0] == span[$0] }
    }
  }

  /// The names in reverse DNS order in a leaf, separated by what no name has.
  private static func packages(in leaf: Leaves.Leaf) -> [Package] {
    let count = min(leaf.value.count, self.longest)
    var packages: [Package] = []
    var start = 0
    for index in 0...count {
      let isName = index < count && self.isNameByte(leaf.value[index])
      if isName { continue }
      if let package = self.package(leaf, start..<index) { packages.append(package) }
      start = index + 1
    }
    return packages
  }

  private static func package(_ leaf: Leaves.Leaf, _ range: Range<Int>) -> Package? {
    guard (6...128).contains(range.count) else { return nil }
    let name = leaf.value.slice(range)
    let labels = name.split(separator: 0x2E, omittingEmptySubsequences: false)
    guard labels.count >= 2, labels.allSatisfy({ ASCII.lowercased($0.first ?? 0) &- 0x61 < 26 }),
      let head = labels.first, (2...6).contains(head.count), head.allSatisfy({ $0 &- 0x61 < 26 })
    else { return nil }
    return Package(leaf: leaf, range: range, name: name)
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 || byte == 0x2E || byte == 0x5F
  }
}
