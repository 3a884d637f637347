import CSockets
import Glibc

/// What a descriptor is watched for, or ready for.
struct Readiness: OptionSet {
  let rawValue: UInt32

  /// There are bytes, a client, or an end.
  static let readable = Readiness(rawValue: EPOLLIN.rawValue)
  /// There is room for bytes.
  static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
  /// The peer has ended its side; what it said before may be unread.
  static let peerEnded = Readiness(rawValue: EPOLLRDHUP.rawValue)
  /// Both sides have ended; watched for always.
  static let hungUp = Readiness(rawValue: EPOLLHUP.rawValue)
  /// The connection is lost; watched for always.
  static let failed = Readiness(rawValue: EPOLLERR.rawValue)
}

/// Whoever has a descriptor watched by a reactor.
protocol Watched: AnyObject {
  /// Told on the reactor's thread.
  func isReady(_ readiness: Readiness)
}
