internal import TideCore
internal import TideCrypto

/// What a crash left of a file of wire/, as the `wire-recovered` line says it.
///
/// It takes the place of what `wire` lines that no tree head covers say of the file.
struct WireRecovery: Equatable, Sendable {
  /// How many bytes were cut off.
  let cut: UInt64
  /// What is left.
  let extent: WireExtent

  /// Writes the members of its line.
  func write(into json: inout JSONWriter) {
    json.member("segment", self.extent.segment)
    json.member("bytes", self.cut)
    json.member("size", self.extent.bytes)
    json.key("sha256")
    json.hex(self.extent.sha256)
  }

  /// Compares what is left, after repair, with what the end of the log says of it.
  static func find(
    in root: String,
    after tail: LogTail,
    wire: WireTail
  ) throws(EvidenceFailure) -> [WireRecovery] {
    var found: [WireRecovery] = []
    var segments = Set(tail.openExtents.map(\.segment))
    if wire.tornBytes > 0 { segments.insert(wire.segment) }
    for segment in segments.sorted() {
      let cut = segment == wire.segment ? wire.tornBytes : 0
      let claim = tail.openExtents.first { $0.segment == segment }
      let path = WireFormat.path(of: segment, in: root)
      var isAsClaimed = false
      if let claim, let size = Folder.size(of: path), size >= claim.bytes {
        isAsClaimed = try self.digest(path, count: claim.bytes) == claim.sha256
      }
      guard cut > 0 || !isAsClaimed else { continue }
      let size = Folder.size(of: path) ?? 0
      let digest = size == 0 ? Digest.sha256.hash([]) : try self.digest(path, count: size)
      found.append(
        WireRecovery(cut: cut, extent: WireExtent(segment: segment, bytes: size, sha256: digest))
      )
    }
    return found
  }

  /// The SHA-256 of the first bytes of a file.
  private static func digest(_ path: String, count: UInt64) throws(EvidenceFailure) -> [UInt8] {
    var file = try FileReader(path: path)
    var hasher = SHA256Hasher()
    var rest = count
    while rest > 0, let piece = try file.next() {
      let part = Int(clamping: min(rest, UInt64(piece.count)))
      hasher.update(piece.slice(0..<part))
      rest -= UInt64(part)
    }
    return hasher.finish()
  }
}
