internal import Glibc
internal import Synchronization

/// The file systems that were flushed; owns a descriptor of each.
///
/// A descriptor tells once of each failure to write to its file system since it was opened (syncfs(2), since Linux 5.8). So they stay
/// open: one that is opened for each flush would not know of what failed between two, if another process was told.
final class FileSystems: Sendable {
  /// `syncfs`, which is Linux's own and so not in Glibc's module; nil if the system has none.
  static let syncfs: (@Sendable (Int32) -> Int32)? = {
    typealias Function = @convention(c) (Int32) -> Int32
    guard let symbol = unsafe dlsym(nil, "syncfs") else { return nil }
    let function = unsafe unsafeBitCast(symbol, to: Function.self)
    return { function($0) }
  }()

  private let flush: @Sendable (Int32) -> Int32
  private let descriptors = Mutex<[dev_t: Int32]>([:])

  init(flush: @escaping @Sendable (Int32) -> Int32) { self.flush = flush }

  deinit { self.descriptors.withLock { for descriptor in $0.values { close(descriptor) } } }

  /// Waits until all that was written to the file systems of these folders will outlast a power failure.
  ///
  /// - Throws: `io` if something was not written, of whichever file: a failure that is not ours costs one more attempt.
  func flush(_ folders: Set<String>) throws(EvidenceFailure) {
    var flushed: Set<Int32> = []
    for folder in folders.sorted() {
      let descriptor = try self.descriptor(of: folder)
      guard flushed.insert(descriptor).inserted else { continue }
      guard self.flush(descriptor) == 0 else { throw .system("make it durable", folder) }
    }
  }

  private func descriptor(of folder: String) throws(EvidenceFailure) -> Int32 {
    var status = stat()
    guard unsafe stat(folder, &status) == 0 else { throw .system("open it", folder) }
    let device = status.st_dev
    if let known = self.descriptors.withLock({ $0[device] }) { return known }
    let opened = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard opened >= 0 else { throw .system("open it", folder) }
    let kept = self.descriptors.withLock { descriptors in
      if let known = descriptors[device] { return known }
      descriptors[device] = opened
      return opened
    }
    if kept != opened { close(opened) }
    return kept
  }
}
