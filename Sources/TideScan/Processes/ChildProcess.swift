import Glibc

/// A program that was started: its number, and our ends of its pipes.
///
/// The caller owns the descriptors. Whoever starts one has to `reap` it.
struct ChildProcess {
  /// Its process number, which is its group's as well.
  let pid: pid_t
  /// Written to its standard input.
  let input: CInt
  /// Read from its standard output.
  let output: CInt
  /// Read from its standard error.
  let errors: CInt

  /// Starts a program without a shell, in a process group of its own, so that what it starts ends with it.
  ///
  /// It inherits nothing but its three pipes and the environment without `TIDEWAITER_*`.
  ///
  /// - Throws: `unavailable` with the system's reason.
  static func start(_ command: [String], in directory: String) throws(ScanFailure) -> ChildProcess {
    guard let program = command.first else { throw ScanFailure(.unavailable, "no command") }
    var ends: [CInt] = []
    func pipeEnds() throws(ScanFailure) -> (read: CInt, write: CInt) {
      var pair: [CInt] = [-1, -1]
      guard unsafe pipe(&pair) == 0 else {
        let code = errno
        for end in ends { close(end) }
        throw Self.failure("a pipe", code)
      }
      ends += pair
      for end in pair { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      return (pair[0], pair[1])
    }
    let input = try pipeEnds()
    let output = try pipeEnds()
    let errors = try pipeEnds()
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
      unsafe posix_spawn_file_actions_destroy(&actions)
      unsafe posix_spawnattr_destroy(&attributes)
    }
    unsafe posix_spawn_file_actions_adddup2(&actions, input.read, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output.write, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, errors.write, 2)
    guard unsafe SpawnExtensions.closeOthers(&actions),
      unsafe SpawnExtensions.changeFolder(&actions, directory.isEmpty ? "." : directory)
    else {
      for end in ends { close(end) }
      throw ScanFailure(.unavailable, "this system's C library cannot start \(program) safely")
    }
    Self.setAttributes(&attributes)
    var pid: pid_t = 0
    let result = unsafe Self.withCStrings(command) { arguments in
      unsafe Self.withCStrings(Self.environment()) { environment in
        unsafe posix_spawnp(&pid, program, &actions, &attributes, arguments, environment)
      }
    }
    for end in [input.read, output.write, errors.write] { close(end) }
    guard result == 0 else {
      for end in [input.write, output.read, errors.read] { close(end) }
      throw Self.failure("\(program)", result)
    }
    return ChildProcess(pid: pid, input: input.write, output: output.read, errors: errors.read)
  }

  /// A group of its own, and the signals as a program expects to find them.
  private static func setAttributes(_ attributes: inout posix_spawnattr_t) {
    var none = sigset_t()
    unsafe sigemptyset(&none)
    var reset = sigset_t()
    unsafe sigemptyset(&reset)
    for signal in [SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD, SIGUSR1, SIGUSR2] {
      unsafe sigaddset(&reset, signal)
    }
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &reset)
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
  }

  private static func failure(_ what: String, _ code: CInt) -> ScanFailure {
    let reason = unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    return ScanFailure(.unavailable, "cannot start \(what): \(reason)")
  }

  /// Our environment without what is meant for us alone.
  private static func environment() -> [String] {
    var list: [String] = []
    var next = unsafe environ
    while let entry = unsafe next.pointee {
      let text = unsafe String(cString: entry)
      if !text.hasPrefix("TIDEWAITER_") { list.append(text) }
      unsafe next += 1
    }
    return list
  }

  /// Lends a list of C strings that ends with a null pointer.
  private static func withCStrings<R>(
    _ texts: [String],
    _ body: ([UnsafeMutablePointer<CChar>?]) -> R
  ) -> R {
    var pointers: [UnsafeMutablePointer<CChar>?] = unsafe texts.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe body(pointers)
  }

  // MARK: Its end

  /// Signals it and all that it has started; nothing once it was reaped.
  static func signal(_ pid: pid_t, _ signal: CInt) { kill(-pid, signal) }

  /// How it ended, for people; nil while it runs.
  ///
  /// What it has started ends with it.
  static func reap(_ pid: pid_t) -> String? {
    var info = unsafe siginfo_t()
    // First only looked at: until it is reaped its number, and its group's, is nobody else's.
    guard unsafe waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 else {
      return "is gone"
    }
    var status: CInt = 0
    guard unsafe info.si_signo == SIGCHLD else { return nil }
    kill(-pid, SIGKILL)
    guard unsafe waitpid(pid, &status, WNOHANG) == pid else { return "is gone" }
    let signal = status & 0x7F
    return signal == 0 ? "exited with \(status >> 8 & 0xFF)" : "was ended by signal \(signal)"
  }
}

/// Two functions of glibc (2.29 and 2.34) that its headers show only to programs that ask for extensions
/// before the first of them is read, which importers of the `Glibc` module cannot.
private enum SpawnExtensions {
  private typealias Actions = UnsafeMutablePointer<posix_spawn_file_actions_t>
  private typealias CloseFrom = @convention(c) (Actions, CInt) -> CInt
  private typealias ChangeFolder = @convention(c) (Actions, UnsafePointer<CChar>) -> CInt

  /// Has the child close every descriptor but its three pipes: sockets of devices are none of its business,
  /// and one that it holds stays open.
  static func closeOthers(_ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>) -> Bool {
    guard let symbol = unsafe dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else {
      return false
    }
    return unsafe unsafeBitCast(symbol, to: CloseFrom.self)(actions, 3) == 0
  }

  static func changeFolder(
    _ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>,
    _ folder: String
  ) -> Bool {
    guard let symbol = unsafe dlsym(nil, "posix_spawn_file_actions_addchdir_np") else {
      return false
    }
    return unsafe unsafeBitCast(symbol, to: ChangeFolder.self)(actions, folder) == 0
  }
}
