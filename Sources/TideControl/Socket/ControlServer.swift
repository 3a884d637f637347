internal import Foundation
internal import Glibc
import Synchronization
import TideCore

/// Listens on the control socket of a running proxy and passes what is asked to its `ControlPort`.
///
/// One thread, one request and one reply a connection. Everything is bounded: see `Bounds`.
public final class ControlServer: Sendable {
  /// What the socket takes before it hangs up.
  struct Bounds: Sendable {
    /// The most bytes of a request's line.
    var line = 64 << 10
    /// The most connections; further ones wait in the system's queue.
    var clients = 16
    /// How long a client may take to send its request, and again to take its reply.
    var patience = Duration.seconds(5)
  }

  private let path: String
  private let wake: Descriptor
  private let finished = DispatchSemaphore(value: 0)
  private let isStopped = Mutex(false)

  /// Begins to listen at `socketPath`.
  ///
  /// The name of a socket whose process died is taken over.
  ///
  /// - Parameters:
  ///   - socketPath: where; its folder is there already.
  ///   - port: what to steer.
  /// - Throws: `.alreadyRunning` if another process listens there, `.system` otherwise.
  public convenience init(
    socketPath: String,
    port: any ControlPort
  ) throws(ControlFailure) {
    try self.init(socketPath: socketPath, port: port, bounds: Bounds())
  }

  init(socketPath: String, port: any ControlPort, bounds: Bounds) throws(ControlFailure) {
    let listener = try Self.claim(socketPath)
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0,
      let wait = Descriptor(owning: ends[0]), let wake = Descriptor(owning: ends[1])
    else { throw .system(errno, "cannot make a socket pair") }
    self.path = socketPath
    self.wake = wake
    let finished = self.finished
    let thread = Thread {
      var loop = ControlLoop(listener: listener, wake: wait, port: port, bounds: bounds)
      loop.run()
      finished.signal()
    }
    thread.name = "control"
    thread.start()
  }

  /// Stops listening, hangs up on everyone and waits for the thread; not to be called from the port.
  public func stop() {
    let isFirst = self.isStopped.withLock { isStopped in
      defer { isStopped = true }
      return !isStopped
    }
    guard isFirst else { return }
    var signal: UInt8 = 0
    _ = unsafe write(self.wake.number, &signal, 1)
    self.finished.wait()
    unsafe unlink(self.path)
  }

  /// Binds the name, replacing a dead process's.
  ///
  /// Two that start at once both find a dead name; a lock on the folder keeps one from removing what
  /// the other has just bound.
  private static func claim(_ path: String) throws(ControlFailure) -> Descriptor {
    let end = path.lastIndex(of: "/")
    let folder = end.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    guard let lock = Descriptor(owning: unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    else { throw .system(errno, "cannot open \(folder)") }
    guard flock(lock.number, LOCK_EX | LOCK_NB) == 0 else {
      throw .system(errno, "another Tidewaiter is starting in \(folder)")
    }
    defer { flock(lock.number, LOCK_UN) }
    do throws(ControlFailure) {
      return try UnixSocket.listen(at: path)
    } catch {
      guard error.code == .system(EADDRINUSE) else { throw error }
    }
    do throws(ControlFailure) {
      let other = try UnixSocket.peer(of: UnixSocket.connect(to: path)).process
      throw ControlFailure(
        .alreadyRunning(other),
        "already running (pid \(other)): it listens on \(path); stop it with: tidewaiter stop"
      )
    } catch {
      guard error.code == .notRunning else { throw error }
    }
    unsafe unlink(path)
    return try UnixSocket.listen(at: path)
  }
}
