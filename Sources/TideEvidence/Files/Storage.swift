/// The few things that a recorder asks of a file system: a seam, so that a full disk can be played.
protocol Storage: Sendable {
  /// Opens a file for writing at its end; makes it, readable by its owner alone, if there is none.
  func append(to path: String) throws(EvidenceFailure) -> any StoredFile
  /// Gives a file its final name, replacing one of that name.
  func rename(_ path: String, to final: String) throws(EvidenceFailure)
  /// Makes a folder for its owner alone; one that is there already is no error.
  func makeFolder(_ path: String) throws(EvidenceFailure)
  /// Whether there is something at `path`.
  func exists(_ path: String) -> Bool
  /// Waits until files that were written and closed will outlast a power failure.
  func sync(_ paths: [String]) throws(EvidenceFailure)
  /// Removes a file; none at `path` is no error.
  func remove(_ path: String) throws(EvidenceFailure)
}

/// A file open for writing at its end; closed when the last reference goes.
protocol StoredFile: AnyObject, Sendable {
  /// Writes some of `bytes` from `start` on, and says how many: at least 1.
  func write(_ bytes: [UInt8], from start: Int) throws(EvidenceFailure) -> Int
  /// Cuts the file.
  func truncate(to count: UInt64) throws(EvidenceFailure)
  /// Waits until what was written will outlast a power failure.
  func sync() throws(EvidenceFailure)
}

extension StoredFile {
  func writeAll(_ bytes: [UInt8]) throws(EvidenceFailure) {
    var start = 0
    while start < bytes.count { start += try self.write(bytes, from: start) }
  }
}
