import TideCore

/// Finds address books that are in no profile: three or more siblings, each with a name and a telephone
/// number.
///
/// A list of shops has the same form; it says so in its name, or its numbers are a company's.
struct ContactListInspector: LeafInspector {
  static let id = "contact_list"
  let interest = Interest(directions: [.request])

  /// How many make a list.
  private static let fewest = 3

  private struct Entry {
    var name: Leaves.Leaf?
    var phones: [(leaf: Leaves.Leaf, number: PhoneText)] = []
  }

  func inspect(_ leaves: Leaves, _ sink: inout LeafSink) {
    let phones = leaves.leaves(about: [.phone, .generic])
    guard phones.count >= Self.fewest else { return }
    var entries: [Int: Entry] = [:]
    for (leaf, topics) in phones {
      guard let group = leaf.group, topics.isDisjoint(with: .service),
        let number = PhoneText(leaf.value), number.isCallable
      else { continue }
      entries[group, default: Entry()].phones.append((leaf, number))
    }
    guard entries.count >= Self.fewest else { return }
    for (leaf, _) in leaves.leaves(about: .personName) {
      guard let group = leaf.group, entries[group] != nil, Self.isName(leaf.value) else { continue }
      if entries[group]?.name == nil { entries[group]?.name = leaf }
    }
    let whole = entries.values.filter { $0.name != nil }
    guard Set(whole.compactMap { $0.phones.first?.number.digits }).count >= Self.fewest else {
      return
    }
    for entry in whole.sorted(by: { ($0.name?.index ?? 0) < ($1.name?.index ?? 0) }) {
      guard let name = entry.name,
        leaves.outerTopics(of: name).isDisjoint(with: .service)
      else { continue }
      sink.report(.contactName, .likely, in: name, value: name.value)
      for (leaf, number) in entry.phones {
        sink.report(.contactPhone, .likely, in: leaf, value: Bytes(number.digits))
      }
    }
  }

  /// Letters with little else: no digits, no address.
  private static func isName(_ value: Bytes) -> Bool {
    guard (2...64).contains(value.count) else { return false }
    return value.allSatisfy { byte in
      byte >= 0x80 || ASCII.lowercased(byte) &- 0x61 < 26
        || [0x20, 0x27, 0x2C, 0x2D, 0x2E].contains(byte)
    }
  }
}

extension PhoneText {
  /// Whether somebody may answer: an address book has land lines and numbers without area codes too.
  fileprivate var isCallable: Bool {
    if Placeholder.isOne(self.digits) { return false }
    if self.isInternational { return self.isSubscriber }
    return !["400", "800", "0800"].contains { self.digits.starts(with: $0.utf8) }
  }
}
