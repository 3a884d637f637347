import CSockets
import Glibc
import NIOCore
import Synchronization
import TideCore

/// One thread with one epoll instance: tells sockets that they are ready, and between that runs tasks and
/// timers.
///
/// Connections live on it from accept to close, so that nothing of theirs is shared. To whoever answers
/// them from elsewhere, as resolvers and scanners do, it is an `EventLoop` like SwiftNIO's own. Those would
/// do as well, for a tenth more of processor time: docs/decisions/0009.
///
/// ```
///            ┌──► wait ──► sockets ──► timers ──► tasks ──┐
///   start ───┤                                            ├── stop ──► the tasks that are left ──► over
///            └────────────────────────────────────────────┘
/// ```
///
/// Sendable unchecked: what is not a lock's, an atomic's or constant is touched by its own thread alone.
@safe final class Reactor: @unchecked Sendable {
  /// Names a watched descriptor; one that was forgotten is never mistaken for a later one.
  struct Token {
    fileprivate let number: UInt64
    fileprivate static let wakeup = UInt64.max
    fileprivate var index: Int { Int(self.number & 0xFFFF_FFFF) }
    fileprivate var generation: UInt32 { UInt32(self.number >> 32) }
  }

  /// What reading a socket brought.
  enum Received {
    case bytes(Bytes)
    case nothing
    /// The peer sends no more.
    case end
    case failed
  }

  private struct Slot {
    var generation: UInt32
    var watched: (any Watched)?
  }

  struct Timer {
    let number: UInt64
    let deadline: NIODeadline
    let task: () -> Void
    /// Says that it will not run.
    let cancel: () -> Void
  }

  private struct Mailbox {
    var tasks: [@Sendable () -> Void] = []
    var isOver = false
    /// Told when the thread is over.
    var onEnd: [@Sendable () -> Void] = []
  }

  /// How many sockets are told in one turn before tasks have theirs.
  private static let mostEvents = 256
  /// As much of a connection's bytes as is read at once.
  private static let roomBytes = 64 << 10

  private let mailbox = Mutex(Mailbox())
  private let thread = Atomic<UInt>(0)
  private let isStopping = Atomic(false)
  let timerCount = Atomic<UInt64>(0)
  private let number: Int
  private let selector: Int32
  private let wakeup: Int32

  // The thread's own.
  private var slots: [Slot] = []
  private var free: [Int] = []
  private var tasks: [@Sendable () -> Void] = []
  /// The next is the last.
  var timers: [Timer] = []
  private var room = [UInt8](repeating: 0, count: Reactor.roomBytes)

  /// Starts the thread.
  ///
  /// - Throws: if the system has no descriptors or threads left.
  init(number: Int) throws(TCP.Failure) {
    let selector = tide_epoll_make()
    guard selector >= 0 else { throw TCP.Failure(code: -selector) }
    let wakeup = tide_wakeup_make()
    guard wakeup >= 0 else {
      TCP.close(selector)
      throw TCP.Failure(code: -wakeup)
    }
    self.number = number
    self.selector = selector
    self.wakeup = wakeup
    _ = tide_epoll_set(selector, EPOLL_CTL_ADD, wakeup, EPOLLIN.rawValue, Token.wakeup)
    try self.begin()
  }

  deinit {
    TCP.close(self.selector)
    TCP.close(self.wakeup)
  }

  private func begin() throws(TCP.Failure) {
    var made = pthread_t()
    let own = unsafe Unmanaged.passRetained(self)  // the thread's, which lets go of it at its end
    let status = unsafe pthread_create(
      &made,
      nil,
      { argument in
        guard let argument = unsafe argument else { return nil }
        let reactor = unsafe Unmanaged<Reactor>.fromOpaque(argument).takeRetainedValue()
        reactor.run()
        return nil
      },
      own.toOpaque()
    )
    guard status == 0 else {
      unsafe own.release()
      throw TCP.Failure(code: status)
    }
    pthread_detach(made)
  }

  // MARK: The thread

  private func run() {
    unsafe tide_name_thread("loop-\(self.number)")
    self.thread.store(UInt(pthread_self()), ordering: .releasing)
    let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: Self.mostEvents)
    defer { unsafe events.deallocate() }
    while !self.isStopping.load(ordering: .acquiring) {
      let count = unsafe tide_epoll_wait(
        self.selector,
        events,
        Int32(Self.mostEvents),
        self.patience
      )
      var index = 0
      while index < count {
        unsafe self.tell(tide_event_token(events + index), tide_event_bits(events + index))
        index += 1
      }
      self.runTimers()
      self.runTasks()
    }
    self.end()
  }

  private func tell(_ number: UInt64, _ bits: UInt32) {
    guard number != Token.wakeup else {
      tide_wakeup_hush(self.wakeup)
      return
    }
    let token = Token(number: number)
    // It may have been forgotten by the one before it in the same turn.
    guard token.index < self.slots.count, self.slots[token.index].generation == token.generation,
      let watched = self.slots[token.index].watched
    else { return }
    watched.isReady(Readiness(rawValue: bits))
  }

  /// How long there is nothing to do but for sockets, in milliseconds; -1 for ever.
  private var patience: Int32 {
    guard self.tasks.isEmpty else { return 0 }
    guard let next = self.timers.last else { return -1 }
    let left = (next.deadline - .now()).nanoseconds
    // Rounded up: to wake too early would be to wake again.
    return left <= 0 ? 0 : Int32(clamping: (left + 999_999) / 1_000_000)
  }

  private func runTasks() {
    // Tasks that tasks add wait for the next turn, so that sockets have theirs.
    var tasks = self.tasks
    self.tasks.removeAll()
    self.mailbox.withLock { box in
      guard !box.tasks.isEmpty else { return }
      tasks += box.tasks
      box.tasks.removeAll(keepingCapacity: true)
    }
    for task in tasks { task() }
  }

  private func runTimers() {
    guard !self.timers.isEmpty else { return }
    let now = NIODeadline.now()
    while let next = self.timers.last, next.deadline <= now {
      self.timers.removeLast()
      next.task()
    }
  }

  /// Runs what was asked for before it was over, so that nobody waits for an answer in vain.
  private func end() {
    let onEnd = self.mailbox.withLock { box in
      box.isOver = true
      defer { box.onEnd = [] }
      return box.onEnd
    }
    repeat { self.runTasks() } while !self.tasks.isEmpty
    for timer in self.timers { timer.cancel() }
    self.timers = []
    self.slots = []
    self.thread.store(0, ordering: .releasing)
    for told in onEnd { told() }
  }

  // MARK: From any thread

  /// Whether the caller runs on its thread.
  var isCurrent: Bool { self.thread.load(ordering: .acquiring) == UInt(pthread_self()) }

  /// Has its thread run `task` with the next turn; never if it is over.
  func post(_ task: @escaping @Sendable () -> Void) {
    if self.isCurrent {
      self.tasks.append(task)
      return
    }
    let isFirst = self.mailbox.withLock { box in
      guard !box.isOver else { return false }
      box.tasks.append(task)
      return box.tasks.count == 1
    }
    if isFirst { tide_wakeup_ring(self.wakeup) }
  }

  /// Ends its thread after the turn under way; returns when it is over.
  func stop() async {
    await withCheckedContinuation { continuation in
      let isOver = self.mailbox.withLock { box in
        if !box.isOver { box.onEnd.append { continuation.resume() } }
        return box.isOver
      }
      if isOver { continuation.resume() }
      self.isStopping.store(true, ordering: .releasing)
      tide_wakeup_ring(self.wakeup)
    }
  }

  // MARK: Sockets, on the thread

  /// Watches a descriptor until it is forgotten.
  ///
  /// - Throws: if the system has no room.
  func watch(
    _ descriptor: Int32,
    for interest: Readiness,
    _ watched: any Watched
  ) throws(TCP.Failure) -> Token {
    if self.free.isEmpty {
      self.free.append(self.slots.count)
      self.slots.append(Slot(generation: 0, watched: nil))
    }
    let index = self.free.removeLast()
    let token = Token(number: UInt64(self.slots[index].generation) << 32 | UInt64(index))
    let result = tide_epoll_set(
      self.selector,
      EPOLL_CTL_ADD,
      descriptor,
      interest.rawValue,
      token.number
    )
    guard result == 0 else {
      self.free.append(index)
      throw TCP.Failure(code: -result)
    }
    self.slots[index].watched = watched
    return token
  }

  /// Watches for something else.
  func rewatch(_ descriptor: Int32, for interest: Readiness, _ token: Token) {
    // It cannot fail for a descriptor that is watched.
    _ = tide_epoll_set(
      self.selector,
      EPOLL_CTL_MOD,
      descriptor,
      interest.rawValue,
      token.number
    )
  }

  /// Forgets a descriptor that is about to be closed, which is what ends its being watched.
  func forget(_ token: Token) {
    guard token.index < self.slots.count, self.slots[token.index].generation == token.generation
    else { return }
    self.slots[token.index].watched = nil
    self.slots[token.index].generation &+= 1
    self.free.append(token.index)
  }

  /// Reads what a socket has, up to 64 KiB.
  func receive(_ descriptor: Int32) -> Received {
    let count = unsafe self.room.withUnsafeMutableBytes { room in
      unsafe tide_receive(descriptor, room.baseAddress, room.count)
    }
    if count > 0 {
      // Much is lent, and only copied if it is kept beyond this turn; little would keep the whole room.
      if count >= Self.roomBytes / 2 { return .bytes(Bytes(self.room).slice(0..<count)) }
      return .bytes(
        unsafe self.room.withUnsafeBytes { room in
          unsafe Bytes(copying: UnsafeRawBufferPointer(rebasing: room[..<count]))
        }
      )
    }
    switch count {
    case 0: return .end
    case -Int(EAGAIN): return .nothing
    default: return .failed
    }
  }
}
