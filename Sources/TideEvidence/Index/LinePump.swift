internal import Dispatch
internal import Synchronization
internal import TideCore

/// Reads the log on a thread of its own, a few hundred lines ahead of whoever makes rows of them.
final class LinePump: Sendable {
  typealias Batch = [(line: LogLine, content: IndexedLine)]

  private enum Item: Sendable {
    case batch(Batch)
    case failure(EvidenceFailure)
    case end
  }

  private static let batchSize = 512
  private static let mostBatches = 8

  private let items = Mutex<[Item]>([])
  private let filled = DispatchSemaphore(value: 0)
  private let room = DispatchSemaphore(value: 0)
  private let isStopped = Atomic(false)

  /// Begins to read after a place.
  init(_ log: LogReader, from position: LogPosition) {
    // Counted up from 0: a semaphore must not go below the value that it was made with.
    for _ in 0..<Self.mostBatches { self.room.signal() }
    DispatchQueue(label: "tidewaiter.index.read").async { self.read(log, from: position) }
  }

  /// The next lines in order; nil at the end.
  ///
  /// - Throws: what reading them met, after all that is before it.
  func next() throws(EvidenceFailure) -> Batch? {
    self.filled.wait()
    let item = self.items.withLock { $0.removeFirst() }
    switch item {
    case .batch(let batch):
      self.room.signal()
      return batch
    case .failure(let failure): throw failure
    case .end: return nil
    }
  }

  /// Reads no more.
  func stop() {
    self.isStopped.store(true, ordering: .releasing)
    self.room.signal()
  }

  private func read(_ log: LogReader, from position: LogPosition) {
    var batch = Batch()
    batch.reserveCapacity(Self.batchSize)
    var contents = ContentWords(log)
    do throws(EvidenceFailure) {
      try log.forEachLine(from: position) { line throws(EvidenceFailure) in
        guard line.isWhole else { return false }
        batch.append((line, try IndexedLine(line, in: log.root, &contents)))
        guard batch.count == Self.batchSize else { return true }
        self.put(.batch(batch))
        batch.removeAll(keepingCapacity: true)
        return !self.isStopped.load(ordering: .acquiring)
      }
      if !batch.isEmpty { self.put(.batch(batch)) }
      self.put(.end)
    } catch {
      if !batch.isEmpty { self.put(.batch(batch)) }
      self.put(.failure(error))
    }
  }

  private func put(_ item: Item) {
    if case .batch = item {
      guard !self.isStopped.load(ordering: .acquiring) else { return }
      self.room.wait()
    }
    self.items.withLock { $0.append(item) }
    self.filled.signal()
  }
}
