internal import Glibc
import TideCore

/// Asks a running proxy over its control socket.
public enum ControlClient {
  /// The most bytes of a reply that are read.
  private static let replyLimit = 1 << 20

  /// Sends one request and waits for the reply.
  ///
  /// - Parameters:
  ///   - request: what to ask.
  ///   - socketPath: the proxy's `control.sock`.
  ///   - patience: how long to wait in all; a reload reads region databases and may take a while.
  /// - Returns: what the proxy answered.
  /// - Throws: `.notRunning`, `.refused` with the proxy's reason, `.timeOut`, `.malformed`, `.system`.
  public static func send(
    _ request: ControlRequest,
    socketPath: String,
    patience: Duration = .seconds(60)
  ) throws(ControlFailure) -> ControlReply {
    let deadline = ContinuousClock.now + patience
    let socket = try UnixSocket.connect(to: socketPath)
    var rest = request.line
    while !rest.isEmpty {
      switch UnixSocket.write(socket, rest) {
      case .moved(let count): rest = rest.dropping(first: count)
      case .wait: try Self.wait(for: socket, POLLOUT, until: deadline)
      case .closed:
        throw ControlFailure(.malformed, "Tidewaiter hung up before the request was out")
      }
    }
    var reply = Bytes()
    while reply.count <= Self.replyLimit {
      var part = Bytes()
      switch UnixSocket.read(socket, into: &part) {
      case .moved:
        // Only what is new is looked through: a list of a mebibyte comes in a hundred parts.
        let end = part.firstIndex(of: 0x0A)
        reply.append(part.slice(0..<(end ?? part.count)))
        if end != nil { return try ControlReply(line: reply) }
      case .wait: try Self.wait(for: socket, POLLIN, until: deadline)
      case .closed: throw ControlFailure(.malformed, "Tidewaiter hung up before it replied")
      }
    }
    throw ControlFailure(.malformed, "the reply is over \(Self.replyLimit) bytes")
  }

  private static func wait(
    for socket: Descriptor,
    _ events: Int32,
    until deadline: ContinuousClock.Instant
  ) throws(ControlFailure) {
    let left = ContinuousClock.now.duration(to: deadline)
    guard left > .zero else { throw ControlFailure(.timeOut, "Tidewaiter did not reply in time") }
    _ = UnixSocket.wait(for: [(socket, events)], timeout: left)
  }
}
