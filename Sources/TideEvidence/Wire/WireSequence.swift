internal import TideCore

/// Reads all of wire/ in order, across its files, a record at a time.
struct WireSequence {
  /// What comes next.
  enum Piece {
    /// A record.
    case record(WireRecord)
    /// It is not known what is missing here: a file, or the end of one.
    case hole
  }

  /// A file, and how large it was at first: what is added to it meanwhile is not read.
  private struct File {
    let segment: Int
    let size: UInt64
  }

  private let root: String
  private let keys: CaseKeys?
  private let files: [File]

  init(root: String, keys: CaseKeys?) throws(EvidenceFailure) {
    self.root = root
    self.keys = keys
    self.files = try WireFormat.segments(in: root).map { segment in
      File(segment: segment, size: Folder.size(of: WireFormat.path(of: segment, in: root)) ?? 0)
    }
  }

  /// Whether there are no files.
  var isEmpty: Bool { self.files.isEmpty }
  /// How many bytes there are.
  var size: UInt64 { self.files.reduce(0) { $0 + $1.size } }

  /// Calls `body` with each piece, and `progress` after each file with how many bytes it has.
  ///
  /// - Throws: what `body` throws, or what the file system says.
  func forEach(
    _ body: (Piece) throws(EvidenceFailure) -> Void,
    afterFile progress: (UInt64) -> Void = { _ in }
  ) throws(EvidenceFailure) {
    var next = self.files.first?.segment ?? 1
    for file in self.files {
      if file.segment != next { try body(.hole) }
      next = file.segment + 1
      if try !self.read(file, body) { try body(.hole) }
      progress(file.size)
    }
  }

  /// Reads one file; false if more of it should be there.
  ///
  /// The end of the last one may be half a record, which is being written.
  private func read(
    _ file: File,
    _ body: (Piece) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) -> Bool {
    var reader = try WireReader(root: self.root, segment: file.segment, keys: self.keys)
    while reader.offset < file.size {
      let record: WireRecord?
      do throws(EvidenceFailure) {
        record = try reader.next()
      } catch {
        guard error.code == .malformed else { throw error }
        return false  // another version's, or none of ours: `verify` says so
      }
      guard let record else {
        return reader.rest == .nothing || file.segment == self.files.last?.segment
      }
      try body(.record(record))
    }
    return true
  }
}
