import CNghttp2
import TideCore

/// What nghttp2 calls back, each time inside a call of the codec's own and for that codec.
///
/// The codec is found through a pointer that it set itself, unretained: it frees its session before it
/// goes, and freeing calls nothing back.
enum Nghttp2Callbacks {
  static func install(in callbacks: OpaquePointer) {
    unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, user in
      guard let frame = unsafe frame else { return 0 }
      unsafe Self.with(user) { unsafe $0.beganHead(frame.pointee) }
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks) {
      _,
      _,
      name,
      nameCount,
      value,
      valueCount,
      flags,
      user in
      let name = unsafe UnsafeBufferPointer(start: name, count: nameCount)
      let value = unsafe UnsafeBufferPointer(start: value, count: valueCount)
      let isNeverIndexed = flags & UInt8(NGHTTP2_NV_FLAG_NO_INDEX.rawValue) != 0
      unsafe Self.with(user) {
        unsafe $0.assembly.add(name: name, value: value, isNeverIndexed: isNeverIndexed)
      }
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
      guard let frame = unsafe frame else { return 0 }
      unsafe Self.with(user) { unsafe $0.received(frame.pointee) }
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
      _,
      _,
      stream,
      data,
      count,
      user in
      let chunk = unsafe UnsafeRawBufferPointer(start: data, count: count)
      unsafe Self.with(user) { unsafe $0.receivedContent(chunk, on: StreamID(stream)) }
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) {
      _,
      stream,
      code,
      user in
      unsafe Self.with(user) { $0.closed(StreamID(stream), HTTP2ErrorCode(rawValue: code)) }
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, user in
      guard let frame = unsafe frame else { return 0 }
      unsafe Self.with(user) { unsafe $0.sentFrame(frame.pointee) }
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) {
      _,
      frame,
      error,
      user in
      guard let frame = unsafe frame else { return 0 }
      unsafe Self.with(user) { unsafe $0.couldNotSend(frame.pointee, error) }
      return 0
    }
    unsafe nghttp2_session_callbacks_set_send_data_callback(callbacks) {
      _,
      frame,
      header,
      count,
      _,
      user in
      guard let frame = unsafe frame, let header = unsafe header else { return 0 }
      var result: Int32 = 0
      unsafe Self.with(user) {
        result = unsafe $0.sendContent(
          count,
          on: StreamID(frame.pointee.hd.stream_id),
          header: UnsafeBufferPointer(start: header, count: 9)
        )
      }
      return result
    }
  }

  /// Where nghttp2 asks how much content of a stream there is.
  static var contentSource: nghttp2_data_provider {
    unsafe nghttp2_data_provider(source: nghttp2_data_source()) {
      _,
      stream,
      _,
      room,
      flags,
      _,
      user in
      var result = Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
      guard let flags = unsafe flags else { return result }
      unsafe Self.with(user) {
        result = unsafe $0.contentToSend(upTo: room, on: StreamID(stream), &flags.pointee)
      }
      return result
    }
  }

  private static func with(_ user: UnsafeMutableRawPointer?, _ body: (HTTP2Codec) -> Void) {
    guard let user = unsafe user else { return }
    unsafe Unmanaged<HTTP2Codec>.fromOpaque(user)._withUnsafeGuaranteedRef(body)
  }
}
