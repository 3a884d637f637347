internal import TideCoding
internal import TideCore
internal import TideCrypto

/// What opening a case again does about the crash that ended it.
extension LogTail {
  /// Reads the end of a case's log, and keeps in bodies/ what does not follow from what is before it.
  ///
  /// The first line of every segment but the first says where the log stood, so that one segment is read, two
  /// if the last one holds nothing that is right. The log itself is cut when its next line is written.
  ///
  /// - Throws: `malformed` if what a tree head covers was altered, or what the file system says.
  static func find(in root: String, keys: CaseKeys?) throws(EvidenceFailure) -> LogTail {
    let log = try LogReader(root: root, keys: keys)
    guard let last = log.segments.last else { return .none }
    let scan = try SegmentScan(log, segment: last)
    var sound = scan
    if scan.state == nil {
      // The segment was begun and nothing in it is right: the one before was made durable first.
      guard let previous = log.segments.dropLast().last else {
        throw Self.malformed(root, last, "there is no segment before it")
      }
      sound = try SegmentScan(log, segment: previous)
      guard !sound.isBroken else {
        throw Self.malformed(root, previous, "it was finished, and has what is no line of it")
      }
    }
    guard let state = sound.state else {
      throw Self.malformed(root, last, "no line says where the log stood")
    }
    try scan.requireSound(state)
    try sound.requireSound(state)
    let (kept, lost) = try sound.sortOpen()
    let cut = try CutEnd.keep(root, segment: last, from: scan.length, keys)
    var recovery: Recovery?
    if cut != nil || !lost.isEmpty {
      recovery = Recovery(
        segment: last,
        bytes: cut?.bytes ?? 0,
        sha256: cut?.sha256,
        path: cut?.path,
        lines: cut?.lines ?? 0,
        lost: lost
      )
    }
    var tail = LogTail(
      sound,
      state: state,
      segment: last,
      length: scan.length,
      recovery: recovery
    )
    // A recorder that was killed had not synced them; the next tree head speaks for them too.
    tail.unsynced = kept.map { BodyLayout.relativePath($0, keys) }
    if let path = recovery?.path { tail.unsynced.append(path) }
    if let wire = try WireFormat.segments(in: root).last {
      tail.unsynced.append(WireFormat.relativePath(of: wire))
    }
    return tail
  }

  private static func malformed(
    _ root: String,
    _ segment: Int,
    _ what: String
  ) -> EvidenceFailure {
    EvidenceFailure(
      .malformed,
      detail: "\(LogReader.path(of: segment, in: root)): \(what); see `tidewaiter evidence verify`"
    )
  }
}

/// What follows the last right line of a log, on its way to bodies/.
private struct CutEnd {
  var bytes: UInt64 = 0
  var lines: UInt64 = 0
  /// Nil if it is nothing but zeros, which tell nothing.
  var sha256: [UInt8]?
  /// Where in the case it is kept.
  var path: String?

  /// Stores the bytes of a segment from a place on as a content; nil if there are none.
  ///
  /// It is made durable with the line that names it.
  static func keep(
    _ root: String,
    segment: Int,
    from offset: UInt64,
    _ keys: CaseKeys?
  ) throws(EvidenceFailure) -> CutEnd? {
    let path = LogReader.path(of: segment, in: root)
    var cut = CutEnd()
    var isZero = true
    var hasher = SHA256Hasher()
    let temporary = root + "/bodies/tmp/cut"
    let storage = PosixStorage()
    try storage.remove(temporary)
    let file = try storage.append(to: temporary)
    var reader = try FileReader(path: path, from: offset, pieceSize: BodyLayout.frameContent)
    var sealer = try keys.map { keys throws(EvidenceFailure) in
      BodySealer(keys, number: try SealedBody.randomNumber())
    }
    while let piece = try reader.next() {
      cut.bytes += UInt64(piece.count)
      cut.lines += UInt64(piece.count { $0 == 0x0A })
      if isZero { isZero = piece.allSatisfy { $0 == 0 } }
      hasher.update(piece)
      try file.writeAll(BodyLayout.stored(BodyLayout.frame(piece), &sealer))
    }
    let digest = hasher.finish()
    if let sealer { try file.writeAll(sealer.end(digest: digest)) }
    guard cut.bytes > 0, !isZero else {
      try storage.remove(temporary)
      return cut.bytes > 0 ? cut : nil
    }
    cut.sha256 = digest
    let relative = BodyLayout.relativePath(Hex.encode(digest), keys)
    try storage.makeFolder(root + "/" + relative.prefix(BodyLayout.folderLength))
    try storage.rename(temporary, to: root + "/" + relative)
    cut.path = relative
    return cut
  }
}
