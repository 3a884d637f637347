import TideCore

/// What the codec knows of one stream that is not closed.
///
/// ```
///   receiving:  head ──► content ──► ended          sending:  head ──► content ──► ended
///                │ ▲                                             │ ▲
///                │ └ 1xx                                         └─┘ 1xx
///                └──► refused (server role)
/// ```
final class HTTP2Stream {
  /// How far a message has come.
  enum Progress {
    /// The final head has not been seen.
    case head
    /// So many bytes are to come; nil if nothing says how many.
    case content(left: UInt64?)
    /// The message is complete.
    case ended
    /// The head was refused: what follows is dropped.
    case refused
  }

  let id: StreamID
  /// The request's method as far as it matters for its response; nil if the head was refused.
  var method: AnsweredMethod?
  var receiving = Progress.head
  var sending = Progress.head
  var queue = SendQueue()
  /// What to send after the queue's end.
  var trailers: HeaderFields?
  /// Whether nghttp2 waits to be told that there is content.
  var isDeferred = false
  /// Client role: whether the request has not left, for want of room among the server's streams.
  var isWaiting = false
  /// Whether our END_STREAM has left.
  var hasSentEnd = false
  var isResetByPeer = false

  init(id: StreamID) { self.id = id }

  /// Whether our message is complete but for what is queued.
  var isSendingEnded: Bool {
    switch self.sending {
    case .ended: true
    case .head, .content, .refused: false
    }
  }
}
