public import TideCore

/// What happened on an HTTP/2 connection, in order.
public enum HTTP2Event: Sendable {
  /// A request's head, an informational (1xx) head, or a response's final head.
  ///
  /// `isLast` says that the message has no content: its `.end` follows at once.
  case head(StreamID, MessageHead, isLast: Bool)
  /// The next bytes of a stream's content; never empty.
  ///
  /// Whoever takes them gives their count back with `HTTP2Codec.consumed`.
  case body(StreamID, Bytes)
  /// The trailer section; never empty.
  case trailers(StreamID, HeaderFields)
  /// The peer has ended its message; told after a last head too.
  case end(StreamID)
  /// The stream is gone before both messages were through.
  ///
  /// NO_ERROR after a complete response is told too: the peer does not want the rest of the request.
  case reset(StreamID, HTTP2ErrorCode, isFromPeer: Bool)
  /// So many bytes of a stream's content have left into the output.
  case sent(StreamID, Int)
  /// The peer takes no more streams, and has not looked at those above `last`; their resets follow.
  case goAway(last: StreamID, HTTP2ErrorCode)
  /// Client role: the server takes an extended CONNECT (RFC 8441 §3); told once.
  case extendedConnectAllowed
  /// Server role: a head that goes no further, on a stream that can still be answered or reset.
  ///
  /// `.headTooLarge` (answer `431`) or `.malformedHead` (answer `400`). No other event comes from this
  /// stream but a reset: the codec drops the rest of the request and returns its credit.
  case refusedHead(StreamID, HTTPFailure)
  /// What was wrong with a message for which we reset its stream; the `.reset` follows at once.
  case violation(StreamID, HTTPFailure)
  /// The peer sent an ALTSVC frame (RFC 7838 §4), which goes no further.
  case alternativeService
}
