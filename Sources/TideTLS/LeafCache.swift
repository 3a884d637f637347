import TideCore

/// The leaves that were used last, by host: a dictionary over a doubly linked list in one array.
struct LeafCache {
  private struct Slot {
    var leaf: Leaf
    /// The slot used just before this one was.
    var older: Int?
    /// The slot used just after this one was.
    var newer: Int?
  }

  private let capacity: Int
  private var slots: [Slot] = []
  private var positions: [Host: Int] = [:]
  private var newest: Int?
  private var oldest: Int?

  /// Makes an empty cache for `capacity` leaves, at least one.
  init(capacity: Int) { self.capacity = max(1, capacity) }

  /// The leaf for `host`, which becomes the most recently used one.
  mutating func leaf(for host: Host) -> Leaf? {
    guard let position = self.positions[host] else { return nil }
    self.moveToFront(position)
    return self.slots[position].leaf
  }

  /// Keeps `leaf`, in place of its host's earlier one or of the least recently used.
  mutating func insert(_ leaf: Leaf) {
    if let position = self.positions[leaf.host] {
      self.slots[position].leaf = leaf
      self.moveToFront(position)
      return
    }
    let position: Int
    if self.slots.count < self.capacity {
      position = self.slots.count
      self.slots.append(Slot(leaf: leaf, older: nil, newer: nil))
      self.linkInFront(position)
    } else if let victim = self.oldest {
      position = victim
      self.positions[self.slots[victim].leaf.host] = nil
      self.slots[victim].leaf = leaf
      self.moveToFront(victim)
    } else {
      return  // not reached: a full cache of at least one slot has an oldest
    }
    self.positions[leaf.host] = position
  }

  private mutating func moveToFront(_ position: Int) {
    guard self.newest != position else { return }
    let slot = self.slots[position]
    if let older = slot.older {
      self.slots[older].newer = slot.newer
    } else {
      self.oldest = slot.newer
    }
    if let newer = slot.newer { self.slots[newer].older = slot.older }
    self.linkInFront(position)
  }

  private mutating func linkInFront(_ position: Int) {
    self.slots[position].older = self.newest
    self.slots[position].newer = nil
    if let newest = self.newest {
      self.slots[newest].newer = position
    } else {
      self.oldest = position
    }
    self.newest = position
  }
}
