import COpenSSL
import TideCore

/// Reads signed certificate timestamps (RFC 6962 §3.3) as libssl gathered them.
enum SignedTimestamps {
  /// More are not noted: a policy asks for two or three.
  private static let most: Int32 = 32

  /// The timestamps of a stack, which keeps them; of version 1 only.
  static func read(_ stack: OpaquePointer?) -> [HandshakeFacts.CertificateTimestamp] {
    unsafe (0..<min(Self.most, max(0, OPENSSL_sk_num(stack)))).compactMap { index in
      guard let timestamp = unsafe OPENSSL_sk_value(stack, index).map({ OpaquePointer($0) }),
        unsafe SCT_get_version(timestamp) == SCT_VERSION_V1
      else { return nil }
      var start: UnsafeMutablePointer<UInt8>?
      let count = unsafe SCT_get0_log_id(timestamp, &start)
      let log =
        unsafe start.map { unsafe Bytes(copying: .init(start: $0, count: count)) } ?? Bytes()
      // In milliseconds; cut to the range of `WallTime`.
      let milliseconds = unsafe min(SCT_get_timestamp(timestamp), 9_200_000_000_000)
      let source =
        switch unsafe SCT_get_source(timestamp) {
        case SCT_SOURCE_TLS_EXTENSION: "tls"
        case SCT_SOURCE_OCSP_STAPLED_RESPONSE: "ocsp"
        default: "certificate"
        }
      return HandshakeFacts.CertificateTimestamp(
        log: log,
        time: WallTime(nanoseconds: Int64(milliseconds) * 1_000_000),
        source: source
      )
    }
  }
}
