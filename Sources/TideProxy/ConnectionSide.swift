import TideTLS

extension ConnectionMachine {
  /// One side of the connection.
  ///
  /// A class: its parts are changed one by one, each by whoever has something to do with it.
  final class Side {
    var tls: TLSSession?
    /// Plain bytes to be sent at the end of this event.
    var output: [UInt8] = []
    var pauses: PauseReasons = []
    var isOpen = false
    var closing: CloseMode?
    /// Whether the end of our writing was said.
    var hasEndedWriting = false
  }

  /// Why a leg is not read.
  struct PauseReasons: OptionSet {
    let rawValue: UInt8
    /// The other leg's output queue is high.
    static let congestion = PauseReasons(rawValue: 1)
    /// What was read cannot be used yet.
    static let waiting = PauseReasons(rawValue: 2)
    /// The recorder has no room.
    static let evidence = PauseReasons(rawValue: 4)
    /// Our own answers are not taken: there is no server's leg to pause for it.
    static let unread = PauseReasons(rawValue: 8)
  }
}
