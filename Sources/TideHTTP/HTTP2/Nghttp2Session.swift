import CNghttp2
import TideCore

/// Makes nghttp2's sessions as we want them.
enum Nghttp2Session {
  /// Makes a session without user data; nil if memory is exhausted.
  static func make(_ role: HTTP2Codec.Role) -> OpaquePointer? {
    var option: OpaquePointer?
    var callbacks: OpaquePointer?
    defer {
      unsafe nghttp2_option_del(option)
      unsafe nghttp2_session_callbacks_del(callbacks)
    }
    guard unsafe nghttp2_option_new(&option) == 0,
      unsafe nghttp2_session_callbacks_new(&callbacks) == 0,
      let option = unsafe option, let callbacks = unsafe callbacks
    else { return nil }
    unsafe Nghttp2Callbacks.install(in: callbacks)
    unsafe self.set(option)
    var session: OpaquePointer?
    var memory = unsafe FramePages.allocator
    switch role {
    case .server:
      unsafe nghttp2_session_server_new3(&session, callbacks, nil, option, &memory)
    case .client:
      unsafe nghttp2_session_client_new3(&session, callbacks, nil, option, &memory)
    }
    return unsafe session
  }

  private static func set(_ option: OpaquePointer) {
    // Credit is given back when content has left the other leg, not when it was read.
    unsafe nghttp2_option_set_no_auto_window_update(option, 1)
    // See `FieldValidation`.
    unsafe nghttp2_option_set_no_http_messaging(option, 1)
    // Our own bounds come first and end with a GOAWAY; nghttp2's end without one.
    unsafe nghttp2_option_set_max_continuations(option, FrameScanner.maxContinuations + 1)
    unsafe nghttp2_option_set_max_outbound_ack(option, HTTP2Codec.maxUntakenReplies)
    unsafe nghttp2_option_set_stream_reset_rate_limit(option, 1 << 40, 1 << 20)
    // By default 64 KiB of what a head might become in the worst case, beyond which it would vanish.
    unsafe nghttp2_option_set_max_send_header_block_length(option, 64 << 20)
  }

  /// Queues settings, and the window of the connection; false for values that HTTP/2 cannot have.
  static func configure(
    _ session: OpaquePointer,
    _ role: HTTP2Codec.Role,
    _ limits: Limits
  ) -> Bool {
    guard let window = Int32(exactly: limits.connectionWindow),
      let streamWindow = UInt32(exactly: limits.streamWindow),
      let streams = UInt32(exactly: limits.streams),
      let headBytes = UInt32(exactly: limits.headBytes)
    else { return false }
    var settings = [
      self.setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, streamWindow),
      self.setting(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, headBytes),
    ]
    switch role {
    case .server:
      settings.append(self.setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams))
      // With RFC 7540's priorities a device could let its streams starve each other.
      settings.append(self.setting(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1))
    case .client:
      settings.append(self.setting(NGHTTP2_SETTINGS_ENABLE_PUSH, 0))
    }
    return unsafe nghttp2_submit_settings(session, 0, settings, settings.count) == 0
      && nghttp2_session_set_local_window_size(session, 0, 0, window) == 0
  }

  private static func setting(
    _ id: nghttp2_settings_id,
    _ value: UInt32
  ) -> nghttp2_settings_entry {
    nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: value)
  }

  /// What to say of an error after which a session may only be freed.
  static func failure(ofFatal error: Int) -> (HTTP2ErrorCode, HTTPFailure) {
    let number = Int32(clamping: error)
    let text = unsafe nghttp2_strerror(number).map { unsafe String(cString: $0) } ?? "\(number)"
    switch number {
    case NGHTTP2_ERR_FLOODED.rawValue, NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue:
      return (.enhanceYourCalm, HTTPFailure(.flood, detail: text))
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue:
      return (.protocolError, HTTPFailure(.malformedFrame, detail: text))
    default:
      return (.internalError, HTTPFailure(.malformedFrame, detail: text))
    }
  }
}
