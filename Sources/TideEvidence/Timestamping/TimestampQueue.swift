internal import Glibc
internal import TideCore

/// Sealed cases that wait for a time-stamp because no authority could be asked: `timestamps.queue` in the
/// folder of cases, one line a case.
public struct TimestampQueue: Sendable {
  /// A case that waits.
  public struct Entry: Hashable, Sendable {
    /// Its name in the folder of cases, or its path elsewhere.
    public let name: String
    /// Where to ask.
    public let authority: TimestampAuthority
  }

  /// What came of one.
  public struct Outcome: Sendable {
    /// The case's folder.
    public let path: String
    /// Its time-stamp, or why it waits still.
    public let result: Result<TimestampVerification, EvidenceFailure>

    /// Joins an outcome.
    public init(path: String, result: Result<TimestampVerification, EvidenceFailure>) {
      self.path = path
      self.result = result
    }
  }

  /// The most bytes that are read: some ten thousands of cases.
  private static let largest = 4 << 20

  private let folder: String
  private var path: String { self.folder + "/timestamps.queue" }

  /// The queue of a folder of cases.
  public init(in folder: String) { self.folder = folder }

  /// The cases that wait.
  public func entries() throws(EvidenceFailure) -> [Entry] {
    guard Folder.size(of: self.path) != nil else { return [] }
    return try self.change { _ in }
  }

  /// Has a case wait, if it does not yet.
  public func add(_ name: String, _ authority: TimestampAuthority) throws(EvidenceFailure) {
    try Folder.make(self.folder)
    let entry = Entry(name: name, authority: authority)
    _ = try self.change { if !$0.contains(entry) { $0.append(entry) } }
  }

  /// Asks for each case that waits; those that have a time-stamp by now, or are gone, are forgotten.
  ///
  /// An authority that does not answer once is not asked again.
  ///
  /// - Parameter roots: as of `CaseTimestamp.request`.
  /// - Returns: what came of each.
  /// - Throws: what the file system says of the queue itself.
  public func retry(roots: TimestampRoots? = nil) throws(EvidenceFailure) -> [Outcome] {
    var outcomes: [Outcome] = []
    var unreachable: [TimestampAuthority: EvidenceFailure] = [:]
    for entry in try self.entries() {
      let path = entry.name.contains("/") ? entry.name : self.folder + "/" + entry.name
      let hasOne = Folder.size(of: path + "/" + TimestampVerification.fileName) != nil
      if hasOne || !CaseFolder.isSealed(path) {
        try self.forget(entry)
        continue
      }
      if let failure = unreachable[entry.authority] {
        outcomes.append(Outcome(path: path, result: .failure(failure)))
        continue
      }
      do throws(EvidenceFailure) {
        let stamp = try CaseTimestamp.request(path, from: entry.authority, roots: roots)
        try self.forget(entry)
        outcomes.append(Outcome(path: path, result: .success(stamp)))
      } catch {
        if error.code == .io { unreachable[entry.authority] = error }
        outcomes.append(Outcome(path: path, result: .failure(error)))
      }
    }
    return outcomes
  }

  private func forget(_ entry: Entry) throws(EvidenceFailure) {
    _ = try self.change { $0.removeAll { $0 == entry } }
  }

  /// Reads the queue and writes what became of it, while no other process can.
  private func change(_ body: (inout [Entry]) -> Void) throws(EvidenceFailure) -> [Entry] {
    let descriptor = unsafe open(self.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .system("open it", self.path) }
    // Closing it unlocks it.
    defer { close(descriptor) }
    while flock(descriptor, LOCK_EX) != 0 {
      guard errno == EINTR else { throw .system("lock it", self.path) }
    }
    let before = Self.parse(try Folder.read(self.path, limit: Self.largest))
    var entries = before
    body(&entries)
    guard entries != before else { return entries }
    try self.write(entries, to: descriptor)
    return entries
  }

  /// Over the old lines, then cut: a line torn by a crash is passed over, and one that is there twice is asked
  /// for once.
  private func write(_ entries: [Entry], to descriptor: Int32) throws(EvidenceFailure) {
    var json = JSONWriter()
    for entry in entries {
      json.beginObject()
      json.member("case", entry.name)
      json.member("tsa", entry.authority.url)
      json.endObject()
      json.endLine()
    }
    let bytes = json.bytes
    var start = 0
    while start < bytes.count {
      let written = unsafe bytes.withUnsafeBytes { buffer in
        unsafe pwrite(
          descriptor,
          buffer.baseAddress.map { unsafe $0 + start },
          buffer.count - start,
          off_t(start)
        )
      }
      guard written > 0 || errno == EINTR else { throw .system("write", self.path) }
      start += max(0, written)
    }
    guard ftruncate(descriptor, off_t(bytes.count)) == 0, fsync(descriptor) == 0 else {
      throw .system("write", self.path)
    }
  }

  private static func parse(_ bytes: Bytes) -> [Entry] {
    var entries: [Entry] = []
    for line in bytes.array.split(separator: 0x0A) {
      let members = JSONValue(Bytes(Array(line)))?.object
      guard let name = members?["case"]?.string, let url = members?["tsa"]?.string,
        let authority = TimestampAuthority(url: url)
      else { continue }
      let entry = Entry(name: name, authority: authority)
      if !entries.contains(entry) { entries.append(entry) }
    }
    return entries
  }
}
