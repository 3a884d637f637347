internal import TideCore
internal import TideCrypto

extension EvidenceWriter {
  /// Removes what the case may no longer keep: first says so in the log, then makes that durable, then removes it.
  mutating func purgeIfDue() throws(Abandoned) {
    if self.retention.begin(used: self.access.used, now: self.now) { self.bodies.beginToName() }
    let start = ContinuousClock.now
    guard let portions = self.retention.take(used: self.access.used) else { return }
    self.access.say(ifLongSince: start, "what may go of a case that has reached case.max_size")
    let named = self.bodies.takeNamed()
    var freed = PurgeSummary()
    for var removal in portions {
      // A flow since then has sent the same once more.
      let planned = removal.contents.count
      removal.contents.removeAll { digest in
        Hex.decode(digest.utf8).map { named.contains(DigestKey($0)) } ?? true
      }
      removal.summary.contents = removal.contents.count
      guard !removal.contents.isEmpty || !removal.wire.isEmpty else { continue }
      if planned > removal.contents.count { removal.summary.bytes = self.size(of: removal) }
      try self.purge(removal)
      freed += removal.summary
    }
    self.retention.end(used: self.access.used, freed: freed, now: self.now)
    self.access.mayExceed = self.retention.mayFree
    guard freed.bytes > 0, let first = portions.first, let last = portions.last else { return }
    if last.reason == Removal.wireAtLast {
      self.access.say(
        "case.max_size: nothing else was left to remove: \(Self.files(last.wire.count)) of wire/ with flows that have "
          + "findings went; what they said is in log/ and bodies/, pcapng shows them no more"
      )
    }
    guard first.reason != Removal.wireAtLast else { return }
    self.access.say(
      "case.\(first.reason): \(freed.contents) contents of flows without findings were removed "
        + "(\(freed.bytes) bytes, \(Self.files(freed.wireFiles)) of wire/ with them); the log says which"
    )
  }

  private static func files(_ count: Int) -> String { count == 1 ? "1 file" : "\(count) files" }

  private mutating func purge(_ removal: Removal) throws(Abandoned) {
    // Of a file that goes, too: what a line states after it went would be missing.
    try self.writeExtents()
    try self.log.begin("purged", at: self.now)
    removal.write(into: &self.log.json)
    self.log.end()
    // Whatever was named before is in this sync too: nothing is removed of which the log does not say so for good.
    self.log.note(paths: self.bodies.takeStored())
    try self.log.syncNow(with: self.wire.file)
    for path in removal.paths { try self.access.remove(self.folder.path + "/" + path) }
    for digest in removal.contents { self.bodies.forget(digest) }
  }

  private func size(of removal: Removal) -> UInt64 {
    removal.paths.reduce(0) { $0 + (Folder.size(of: self.folder.path + "/" + $1) ?? 0) }
  }
}
