public import TideCrypto

/// How a recorder behaves.
public struct RecorderSettings: Sendable {
  /// Whether heads and bodies are kept (`Mode.keepsBodies`).
  public var keepsBodies = true
  /// Whether what crosses the devices' sockets is kept in wire/, with its TLS keys (`case.wire`, and not in
  /// observe mode).
  public var keepsWire = false
  /// Whether traffic waits for evidence (`evidence: required`) or evidence may be dropped and counted.
  public var isRequired = true
  /// After how long at most what is written is made to outlast a power failure, in nanoseconds.
  public var fsyncInterval: UInt64 = 1_000_000_000
  /// The size of the case without its index, in bytes; nil for none.
  ///
  /// Near it contents of flows without findings go, oldest first; where there are no more, it counts as full. It is
  /// exceeded by as much as is written at once, and by what was taken in when it is closed.
  public var maxSize: UInt64?
  /// After how long contents of flows without findings go, in nanoseconds; nil to keep them.
  public var maxAge: UInt64?
  /// The key that signs the tree heads and seals the case; nil for neither.
  public var signingKey: SigningKey?

  /// What the time is told by.
  var clock = CaseClock.system
  /// How many events wait at most.
  var ringEvents = 4_096
  /// How many bytes of heads and bodies wait at most.
  var ringBytes = 8 << 20
  /// How long the writer sleeps at most when there was nothing to write, in milliseconds.
  var tick = 25
  /// How long it sleeps after a batch, in milliseconds: short, because on a core that it shares with a loop an answer
  /// may wait for a batch.
  var busyTick = 2
  /// After how long a write that failed is tried again, in milliseconds.
  var retryInterval = 1_000
  /// How long one call of the disk's, or a plan of what goes, may keep the writer before it is said, in
  /// nanoseconds: traffic may have waited by then.
  var longWait: UInt64 = 5_000_000_000
  /// How many bytes of bodies that are not over are in memory at most; beyond it they go to disk.
  var openBodyBytes = 32 << 20
  /// How long a piece of a body that is not over stays in memory, in nanoseconds, once or twice: what
  /// is on disk outlives a kill.
  var spillInterval: UInt64 = 5_000_000_000
  /// How large a segment grows, in bytes.
  var segmentSize: UInt64 = 64 << 20

  /// The defaults.
  public init() {}
}

/// What a recorder has done so far.
public struct RecorderStatistics: Hashable, Sendable {
  /// Lines written.
  public var events: UInt64 = 0
  /// Events and pieces of bodies that were dropped for want of room.
  public var dropped: UInt64 = 0
  /// Bytes written to the log and to bodies.
  public var bytes: UInt64 = 0
  /// Why nothing can be written at the moment; nil if all is well.
  public var failing: String?

  /// Nothing yet.
  public init() {}
}
