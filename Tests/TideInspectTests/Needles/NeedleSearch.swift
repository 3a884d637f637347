import TideCore

@testable import TideInspect

/// Needles alone, without the decoders and inspectors that work beside them.
struct NeedleSearch {
  let set: NeedleSet
  private let scanner: NeedleScanner?

  init(_ values: [(kind: String, value: String)], cache: (any NeedleCache)? = nil) throws {
    let identifiers = values.map {
      DeviceProfile.Identifier(kind: FindingKind($0.kind), value: $0.value)
    }
    try self.init(
      [DeviceProfile(name: "phone", addresses: [], identifiers: identifiers)],
      cache: cache
    )
  }

  init(_ profiles: [DeviceProfile], cache: (any NeedleCache)? = nil) throws {
    self.set = try NeedleSet(profiles, cache: cache)
    self.scanner = try self.set.database.map { try NeedleScanner($0) }
  }

  /// What is in these bytes, in no order: `imei md5 4..<36`.
  func matches(_ bytes: [UInt8]) -> Set<String> {
    guard let scanner = self.scanner else { return [] }
    let span = bytes.span
    var found = Set<String>()
    for hit in scanner.hits(in: span) {
      let needle = self.set.needles[hit.needle]
      let value = self.set.values[needle.value]
      let range = needle.confirm(span, end: hit.end) { $0.spelling.bytes(of: value.subject) }
      guard let range else { continue }
      found.insert(
        ([value.kind.name] + needle.encoding + ["\(range)"]).joined(separator: " ")
      )
    }
    return found
  }

  /// What is in this text.
  func matches(_ text: String) -> Set<String> { self.matches(Array(text.utf8)) }

  /// Whether exactly `bytes` between `edge` and `edge` is a match of this name.
  func finds(_ name: String, in bytes: [UInt8], edge: [UInt8] = Array("\"".utf8)) -> Bool {
    let range = edge.count..<edge.count + bytes.count
    return self.matches(edge + bytes + edge).contains("\(name) \(range)")
  }

  func finds(_ name: String, in text: String) -> Bool { self.finds(name, in: Array(text.utf8)) }
}
