internal import Glibc
import TideCore

/// The system calls behind the control socket; nothing here blocks but `wait`.
enum UnixSocket {
  /// Makes a socket that listens at `path` and that only its owner may connect to.
  ///
  /// - Throws: `.system(EADDRINUSE)` if something has the name.
  static func listen(at path: String) throws(ControlFailure) -> Descriptor {
    let descriptor = try Self.make()
    // On Linux the mode of the socket becomes that of its name: no moment in which others may connect.
    guard fchmod(descriptor.number, 0o600) == 0 else {
      throw .system(errno, "cannot protect the control socket")
    }
    guard try unsafe Self.withAddress(path, { unsafe bind(descriptor.number, $0, $1) }) == 0,
      Glibc.listen(descriptor.number, 16) == 0
    else { throw .system(errno, "cannot listen on \(path)") }
    return descriptor
  }

  /// Connects to the socket at `path`.
  ///
  /// - Throws: `.notRunning` if there is no socket or nobody listens.
  static func connect(to path: String) throws(ControlFailure) -> Descriptor {
    let descriptor = try Self.make()
    guard
      try unsafe Self.withAddress(path, { unsafe Glibc.connect(descriptor.number, $0, $1) }) == 0
    else {
      if errno == ENOENT || errno == ECONNREFUSED {
        throw ControlFailure(
          .notRunning,
          "no Tidewaiter listens on \(path); start one with: tidewaiter run"
        )
      }
      throw .system(errno, "cannot connect to \(path)")
    }
    return descriptor
  }

  /// The next connection; nil if there is none now.
  static func accept(from listener: Descriptor) -> Descriptor? {
    guard let socket = Descriptor(owning: Glibc.accept(listener.number, nil, nil)),
      fcntl(socket.number, F_SETFD, FD_CLOEXEC) == 0,
      fcntl(socket.number, F_SETFL, O_NONBLOCK) == 0
    else { return nil }
    return socket
  }

  /// Who is at the other end: the process and its user, as of the connection's or the listener's start.
  static func peer(of socket: Descriptor) throws(ControlFailure) -> (process: Int32, user: UInt32) {
    // `struct ucred` of unix(7), which the Glibc module leaves out: three 32-bit numbers.
    var credentials: (process: Int32, user: UInt32, group: UInt32) = (0, 0, 0)
    var length = socklen_t(MemoryLayout.size(ofValue: credentials))
    guard
      unsafe getsockopt(socket.number, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0
    else { throw .system(errno, "cannot tell who is at the other end") }
    return (credentials.process, credentials.user)
  }

  /// What came of a read or a write.
  enum Transfer {
    /// So many bytes went; never 0.
    case moved(Int)
    /// Not now.
    case wait
    /// The other side is gone.
    case closed
  }

  /// Adds to `bytes` what has come.
  static func read(_ socket: Descriptor, into bytes: inout Bytes) -> Transfer {
    var result = 0
    let part = unsafe Bytes(capacity: 8 << 10) { room in
      result = unsafe recv(socket.number, room.baseAddress, room.count, 0)
      return max(0, result)
    }
    bytes.append(part)
    return Self.transfer(result)
  }

  /// Sends what goes of `bytes`.
  static func write(_ socket: Descriptor, _ bytes: Bytes) -> Transfer {
    let result = unsafe bytes.withUnsafeBytes { buffer in
      unsafe send(socket.number, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
    }
    return Self.transfer(result)
  }

  /// Waits until one of `interests` is ready, or for `timeout`; says which are.
  static func wait(
    for interests: [(socket: Descriptor, events: Int32)],
    timeout: Duration
  ) -> [Bool] {
    var entries = interests.map {
      pollfd(fd: $0.socket.number, events: Int16(truncatingIfNeeded: $0.events), revents: 0)
    }
    let parts = timeout.components
    // Rounded up, or the last millisecond would be spent spinning.
    let milliseconds = parts.seconds * 1_000 + parts.attoseconds / 1_000_000_000_000_000 + 1
    let limit = Int32(clamping: max(0, milliseconds))
    let count = unsafe poll(&entries, nfds_t(entries.count), limit)
    // An interrupted wait found nothing; whoever waits looks at the clock and waits again.
    return count > 0 ? entries.map { $0.revents != 0 } : entries.map { _ in false }
  }

  private static func make() throws(ControlFailure) -> Descriptor {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    guard let descriptor = Descriptor(owning: socket(AF_UNIX, type, 0)) else {
      throw .system(errno, "cannot make a socket")
    }
    return descriptor
  }

  private static func transfer(_ result: Int) -> Transfer {
    if result > 0 { return .moved(result) }
    if result < 0, errno == EAGAIN || errno == EINTR { return .wait }
    return .closed
  }

  private static func withAddress(
    _ path: String,
    _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws(ControlFailure) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let room = MemoryLayout.size(ofValue: address.sun_path)
    let bytes = Array(path.utf8)
    guard bytes.count < room, !bytes.contains(0) else {
      throw ControlFailure(
        .system(ENAMETOOLONG),
        "\(path): the system allows a socket's path \(room - 1) bytes; choose a shorter case.dir"
      )
    }
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
    return unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}
