internal import Dispatch
internal import Foundation
internal import Synchronization
public import TideCore

/// Records what the data plane reports into a case, on a thread of its own.
///
/// `offer` may be called from any number of event loops; it takes a lock for an append and makes no
/// system call but for one wake-up when the ring is half full. Events reach the file within a tick
/// (2 ms under load, 25 ms after a rest), and outlast a power failure after `fsyncInterval`.
public final class EvidenceRecorder: FlowEventSink, Sendable {
  private enum Ending: Sendable {
    case running
    case ended(LogTail)
    case abandoned
    case closed
  }

  private let folder: CaseFolder
  private let settings: RecorderSettings
  private let signer: HeadSigner?
  private let ring: EvidenceRing
  private let health = RecorderHealth()
  private let ending = Mutex(Ending.running)
  private let ended = DispatchSemaphore(value: 0)

  /// Starts to record: the case's log gets a `start` line.
  ///
  /// - Parameters:
  ///   - folder: the case; it stays locked until the recorder is closed.
  ///   - settings: what is kept, and what gives way when there is no room.
  ///   - log: takes one line for the operator when writing fails and one when it works again.
  /// - Throws: what the file system says of a log that cannot be opened.
  public convenience init(
    case folder: CaseFolder,
    settings: RecorderSettings,
    log: @escaping @Sendable (String) -> Void
  ) throws(EvidenceFailure) {
    try self.init(case: folder, settings: settings, storage: PosixStorage(), log: log)
  }

  init(
    case folder: CaseFolder,
    settings: RecorderSettings,
    storage: any Storage,
    log: @escaping @Sendable (String) -> Void
  ) throws(EvidenceFailure) {
    self.folder = folder
    self.settings = settings
    let signer = try settings.signingKey.map { key throws(EvidenceFailure) in
      try HeadSigner(key, caseDigest: folder.descriptionDigest)
    }
    // Before the first head: who is told one can check it from now on.
    if let signer { try Folder.write(signer.pem, to: folder.path + "/signer.pem") }
    self.signer = signer
    self.ring = EvidenceRing(settings)
    let used = try Folder.files(below: folder.path)
      .filter { !$0.path.hasPrefix("flows.sqlite") }
      .reduce(0) { $0 + $1.size }
    // Opened here once, so that what cannot work at all is said now and not by the writer.
    _ = try storage.append(to: LogReader.path(of: folder.tail.segment, in: folder.path))
    let thread = Thread { [ring, health, settings, folder, signer] in
      // From inside: so the system knows it by that name, too.
      Thread.current.name = "evidence"
      let access = StorageAccess(
        storage: storage,
        ring: ring,
        health: health,
        settings: settings,
        used: used,
        log: log
      )
      self.end(
        Self.write(
          folder: folder,
          settings: settings,
          signer: signer,
          ring: ring,
          health: health,
          access: access
        )
      )
    }
    thread.start()
  }

  /// Whether a sender that was told to pause may go on.
  public var hasRoom: Bool { self.ring.hasRoom }

  /// What was done so far.
  public var statistics: RecorderStatistics {
    var statistics = self.health.statistics.withLock { $0 }
    statistics.dropped = self.ring.droppedEver
    return statistics
  }

  /// Takes an event; `pause` if evidence is required and the writer is behind or cannot write.
  public func offer(_ event: consuming FlowEvent) -> Offer { self.ring.offer(event) }

  /// Records a phase mark, such as "SIM inserted".
  public func mark(_ text: String) { self.note(type: "mark", fields: ["text": text]) }

  /// Records something of the proxy's own life, such as a reload.
  ///
  /// - Parameters:
  ///   - type: the event's type; letters, digits and hyphens.
  ///   - fields: its members; none may be called as those that every line has.
  public func note(type: String, fields: KeyValuePairs<String, String>) {
    let members = fields.map { ($0.key, $0.value) }
    _ = self.ring.offer(.entry(type, members, self.settings.clock.now), size: 0, body: nil)
  }

  /// Writes what waits, makes it durable and, if asked to, seals the case; a second call does nothing.
  ///
  /// - Parameter seal: whether to seal; needs a `signingKey` in the settings.
  /// - Throws: why the last events could not be written, or the case not be sealed.
  public func close(seal: Bool) throws(EvidenceFailure) {
    self.health.isClosing.store(true, ordering: .releasing)
    self.ring.close()
    self.health.closing.signal()
    self.ended.wait()
    defer {
      self.folder.unlock()
      self.ended.signal()
    }
    let ending = self.ending.withLock { ending in
      defer { ending = .closed }
      return ending
    }
    switch ending {
    case .closed: return
    case .ended(let tail):
      guard seal else { return }
      guard let key = self.settings.signingKey else {
        throw EvidenceFailure(.crypto, detail: "\(self.folder.path): no key to seal the case with")
      }
      try CaseSealer.seal(self.folder, after: tail, key: key, at: self.settings.clock.now)
    case .running, .abandoned:
      let failure = self.health.failure.withLock { $0 }
      throw failure
        ?? EvidenceFailure(.io, detail: "\(self.folder.path): the recorder stopped early")
    }
  }

  private func end(_ tail: LogTail?) {
    self.ending.withLock { $0 = tail.map { .ended($0) } ?? .abandoned }
    self.ended.signal()
  }

  private static func write(
    folder: CaseFolder,
    settings: RecorderSettings,
    signer: HeadSigner?,
    ring: EvidenceRing,
    health: RecorderHealth,
    access: StorageAccess
  ) -> LogTail? {
    do throws(Abandoned) {
      var writer = try EvidenceWriter(
        folder: folder,
        settings: settings,
        signer: signer,
        ring: ring,
        health: health,
        access: access
      )
      return try writer.run()
    } catch {
      return nil
    }
  }
}
