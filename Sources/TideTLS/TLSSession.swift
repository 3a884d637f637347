import COpenSSL
public import TideCore

/// One TLS session, without I/O: bytes in, bytes out.
///
/// Confined to one loop. What the peer sent goes into `receive`; what the peer is owed comes out of
/// `takeOutput`, after `receive`, `send`, `close`, the making of a client, and after a failure too:
/// that is where the alert is.
///
/// A TCP end without `peerHasClosed` is a truncation (RFC 8446 §6.1), which only the caller can see.
@safe public final class TLSSession {
  /// What the session is for.
  enum Role {
    /// We are the client of an upstream.
    case client(TLSClientContext)
    /// We are the server of a device, and select this protocol if it is offered.
    case server([UInt8]?)
    /// We answer a device's hello with this alert.
    case refusal(UInt8)
  }

  /// ```
  /// handshaking ──► established ──► failed
  ///      └─────────────────────────────▲
  /// ```
  private enum State {
    case handshaking
    case established
    case failed(TLSFailure)
  }

  /// The most plaintext that one piece holds: four full records.
  private static let largestPiece = 64 << 10
  /// The most that a record adds to its plaintext (RFC 8446 §5.2, RFC 5246 §6.2.3).
  private static let recordOverhead = 5 + 256
  private static let largestRecord = (16 << 10) + TLSSession.recordOverhead

  let role: Role
  let handle: OpaquePointer
  private var state = State.handshaking
  /// Whether close_notify has come; nothing after it is read.
  public private(set) var peerHasClosed = false
  private var hasClosed = false

  /// What has not been taken from the bytes given to `receive`; empty outside of it.
  private var input = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
  /// About how many bytes of an unfinished record libssl holds.
  private var carried = 0
  private var endsAtRecord = true
  /// What libssl has written and nobody has taken.
  var output: [UInt8] = []

  // What the callbacks learned.
  /// The fatal alert that our side sent.
  var sentAlert: UInt8?
  /// The upstream's certificates as sent, DER.
  var chain: [Bytes] = []
  /// What became of them; nil until they were there.
  var verification: Verification?
  /// Whether the upstream asked for a client certificate; it got none.
  public internal(set) var wantsClientCertificate = false

  private init(role: Role, context: OpaquePointer) throws(TLSFailure) {
    ErrorQueue.clear()
    guard let handle = unsafe SSL_new(context) else { throw .drained(.internal, "no session") }
    self.role = role
    unsafe self.handle = handle
    guard let bio = unsafe SessionBIO.make(for: self) else {
      throw .drained(.internal, "no session")
    }
    unsafe SSL_set_bio(handle, bio, bio)
    let pointer = unsafe Unmanaged.passUnretained(self).toOpaque()
    guard unsafe SSL_set_ex_data(handle, SessionCallbacks.slot, pointer) == 1 else {
      throw .drained(.internal, "no session")
    }
  }

  deinit { unsafe SSL_free(self.handle) }

  // MARK: Making

  /// Begins a handshake with an upstream: `takeOutput` has the hello.
  ///
  /// - Parameters:
  ///   - context: the loop's.
  ///   - host: who it must prove to be; its name is the SNI, an address has none (RFC 6066 §3).
  ///   - applicationProtocols: what to offer by ALPN, in this order; nothing if empty.
  /// - Returns: the session.
  /// - Throws: `.internal`, also for a protocol of no or over 255 bytes.
  public static func client(
    _ context: TLSClientContext,
    host: Host,
    applicationProtocols: [String]
  ) throws(TLSFailure) -> TLSSession {
    let session = try unsafe TLSSession(role: .client(context), context: context.handle)
    let handle = unsafe session.handle
    try session.require(host)
    var offer: [UInt8] = []
    for name in applicationProtocols {
      guard let count = UInt8(exactly: name.utf8.count), count > 0 else {
        throw TLSFailure(.internal, detail: "not a protocol name for ALPN")
      }
      offer.append(count)
      offer.append(contentsOf: name.utf8)
    }
    // Contrary to all else, 0 is success here.
    guard unsafe offer.isEmpty || SSL_set_alpn_protos(handle, offer, UInt32(offer.count)) == 0
    else {
      throw .drained(.internal, "ALPN cannot be set")
    }
    unsafe SSL_set_connect_state(handle)
    if let failure = session.shakeHands() { throw failure }
    return session
  }

  /// Waits for a device's hello, which the first `receive` brings.
  ///
  /// - Parameters:
  ///   - context: the loop's.
  ///   - leaf: what to show.
  ///   - applicationProtocol: the one to select if the device offers it; a device that offers only
  ///     others gets `no_application_protocol`. With nil the offer is not answered.
  ///   - maximumVersion: the highest version to agree on, such as 0x0303, so that the device is not
  ///     shown a newer one than the upstream's; nil for no bound.
  /// - Returns: the session.
  /// - Throws: `.internal`.
  public static func server(
    _ context: TLSServerContext,
    leaf: Leaf,
    applicationProtocol: String?,
    maximumVersion: UInt16?
  ) throws(TLSFailure) -> TLSSession {
    let session = try unsafe TLSSession(
      role: .server(applicationProtocol.map { Array($0.utf8) }),
      context: context.handle
    )
    let handle = unsafe session.handle
    guard unsafe SSL_use_certificate(handle, leaf.certificate.handle) == 1,
      unsafe SSL_use_PrivateKey(handle, leaf.key.handle) == 1
    else { throw .drained(.internal, "a leaf cannot be used") }
    for issuer in leaf.chain {
      guard unsafe tide_ssl_add_chain_certificate(handle, issuer.handle) == 1 else {
        throw .drained(.internal, "a leaf's chain cannot be used")
      }
    }
    if let maximumVersion {
      guard unsafe tide_ssl_set_highest_protocol(handle, Int32(maximumVersion)) == 1 else {
        throw .drained(.internal, "not a version to be bounded by")
      }
    }
    unsafe SSL_set_accept_state(handle)
    return session
  }

  /// Answers a device's hello with a fatal alert: feed it the hello, take the output, close.
  ///
  /// - Parameters:
  ///   - context: the loop's.
  ///   - alert: its number; `alertForClient` and `alertName` know some.
  /// - Returns: the session.
  /// - Throws: `.internal`.
  public static func refusal(
    _ context: TLSServerContext,
    alert: UInt8
  ) throws(TLSFailure) -> TLSSession {
    let session = try unsafe TLSSession(role: .refusal(alert), context: context.handle)
    unsafe SSL_set_accept_state(session.handle)
    return session
  }

  /// Sets who the upstream must prove to be.
  private func require(_ host: Host) throws(TLSFailure) {
    let parameters = unsafe SSL_get0_param(self.handle)
    // The name stands in the subjectAltName or nowhere; a wildcard is one whole left-most label
    // (RFC 9525 §6.3).
    unsafe X509_VERIFY_PARAM_set_hostflags(
      parameters,
      UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)
    )
    let isSet =
      switch host {
      case .name(let name):
        unsafe tide_ssl_set_server_name(self.handle, name.text) == 1
          && X509_VERIFY_PARAM_set1_host(parameters, name.text, name.text.utf8.count) == 1
      case .address(let address):
        unsafe X509_VERIFY_PARAM_set1_ip(parameters, address.octets, address.octets.count) == 1
      }
    guard isSet else { throw .drained(.internal, "the host to verify cannot be set") }
  }

  // MARK: Data

  /// Whether the handshake is over and data may be sent.
  public var isEstablished: Bool {
    if case .established = self.state { return true }
    return false
  }

  /// Takes in what the peer sent: drives the handshake, then decrypts all that is complete.
  ///
  /// - Parameters:
  ///   - ciphertext: the next bytes, split anywhere.
  ///   - plaintext: gets the decrypted bytes in pieces of up to 64 KiB, also those before a failure.
  /// - Throws: `.untrusted`, `.handshake`, `.alert`, `.protocol`; once failed, the same again.
  public func receive(_ ciphertext: Bytes, _ plaintext: inout [Bytes]) throws(TLSFailure) {
    if case .failed(let failure) = self.state { throw failure }
    guard !self.peerHasClosed else { return }
    let failure: TLSFailure? = unsafe ciphertext.withUnsafeBytes { bytes in
      unsafe self.input = bytes
      defer { unsafe self.input = UnsafeRawBufferPointer(start: nil, count: 0) }
      if case .handshaking = self.state, let failure = self.shakeHands() { return failure }
      guard case .established = self.state else { return nil }
      return self.readAll(&plaintext)
    }
    if let failure { throw failure }
  }

  /// Encrypts `plaintext` into the output; all of it, whatever its size.
  ///
  /// - Throws: `.closed` after `close`; `.internal` before the handshake is over; else as `receive`.
  public func send(_ plaintext: Bytes) throws(TLSFailure) {
    switch self.state {
    case .failed(let failure): throw failure
    case .handshaking: throw TLSFailure(.internal, detail: "nothing is sent before the handshake")
    case .established: break
    }
    guard !self.hasClosed else { throw TLSFailure(.closed, detail: "the session has been closed") }
    guard !plaintext.isEmpty else { return }  // libssl takes no empty write
    let records = plaintext.count / (16 << 10) + 1
    let needed = self.output.count + plaintext.count + records * 32
    if self.output.capacity < needed {
      self.output.reserveCapacity(max(needed, self.output.count * 2))
    }
    ErrorQueue.clear()
    var written = 0
    let result = unsafe plaintext.withUnsafeBytes { bytes in
      unsafe SSL_write_ex(self.handle, bytes.baseAddress, bytes.count, &written)
    }
    guard result == 1, written == plaintext.count else { throw self.fail(during: "sending") }
  }

  /// Whether there are bytes for the peer.
  public var hasOutput: Bool { !self.output.isEmpty }

  /// Takes the bytes for the peer.
  public func takeOutput() -> Bytes {
    defer { self.output = [] }
    return Bytes(self.output)
  }

  /// Puts close_notify into the output, once; the peer may still send.
  public func close() {
    guard case .established = self.state, !self.hasClosed else { return }
    self.hasClosed = true
    ErrorQueue.clear()
    unsafe SSL_shutdown(self.handle)
    ErrorQueue.clear()
  }

  /// Moves input to libssl; 0 if there is none left.
  func takeInput(_ target: UnsafeMutableRawBufferPointer) -> Int {
    let count = unsafe min(target.count, self.input.count)
    guard count > 0 else {
      // Without read-ahead libssl asks for exactly a header when it holds no part of a record.
      self.endsAtRecord = target.count == Int(SSL3_RT_HEADER_LENGTH)
      return 0
    }
    unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: self.input[..<count]))
    unsafe self.input = UnsafeRawBufferPointer(rebasing: self.input[count...])
    return count
  }

  private func shakeHands() -> TLSFailure? {
    ErrorQueue.clear()
    let result = unsafe SSL_do_handshake(self.handle)
    if result == 1 {
      self.state = .established
      return nil
    }
    if unsafe SSL_get_error(self.handle, result) == SSL_ERROR_WANT_READ { return nil }
    if case .refusal(let alert) = self.role, self.sentAlert == alert {
      // It did what it is for; the state keeps it from being fed again.
      self.state = .failed(TLSFailure(.closed, detail: "the hello was refused", alert: alert))
      ErrorQueue.clear()
      return nil
    }
    return self.fail(during: "handshake")
  }

  /// Why reading stopped.
  private enum Pause {
    case full, dry, closed, failed
  }

  private func readAll(_ plaintext: inout [Bytes]) -> TLSFailure? {
    var pause = Pause.full
    while case .full = pause {
      // No record is longer decrypted than encrypted, so this is enough but for what libssl kept.
      let available = unsafe self.input.count + self.carried + Int(SSL_pending(self.handle))
      guard available > 0 else { return nil }
      let room = min(available, Self.largestPiece)
      let offered = unsafe self.input.count
      let piece = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, filled in
        pause = unsafe self.read(into: UnsafeMutableRawBufferPointer(buffer), &filled)
      }
      let taken = unsafe offered - self.input.count
      self.carried =
        switch pause {
        case .dry where self.endsAtRecord: 0
        case .full, .dry, .closed, .failed:
          max(0, min(Self.largestRecord, self.carried + taken - piece.count))
        }
      if !piece.isEmpty { plaintext.append(Bytes(piece)) }
    }
    switch pause {
    case .full, .dry:
      return nil
    case .closed:
      self.peerHasClosed = true
      return nil
    case .failed:
      return self.fail(during: "receiving")
    }
  }

  /// Decrypts into `room` until it is full or nothing more can be had.
  private func read(into room: UnsafeMutableRawBufferPointer, _ filled: inout Int) -> Pause {
    ErrorQueue.clear()
    while filled < room.count {
      var count = 0
      let target = unsafe room.baseAddress.map { unsafe $0 + filled }
      let result = unsafe SSL_read_ex(self.handle, target, room.count - filled, &count)
      filled += count
      if result == 1 { continue }
      switch unsafe SSL_get_error(self.handle, result) {
      case SSL_ERROR_WANT_READ: return .dry
      case SSL_ERROR_ZERO_RETURN: return .closed
      default: return .failed
      }
    }
    return .full
  }

  // MARK: Failure

  /// Turns libssl's error into the session's last state.
  private func fail(during stage: String) -> TLSFailure {
    let failure = self.failure(during: stage)
    ErrorQueue.clear()
    self.state = .failed(failure)
    return failure
  }

  private func failure(during stage: String) -> TLSFailure {
    if let verification = self.verification, verification.isRefused {
      return TLSFailure(
        .untrusted,
        detail: "\(verification) at depth \(verification.depth)",
        alert: self.sentAlert,
        verifyError: verification.error
      )
    }
    if let alert = self.peerAlert {
      return TLSFailure(.alert, detail: "the peer sent \(alertName(alert))", alert: alert)
    }
    let reason = ErrorQueue.first.map(ErrorQueue.text(of:)) ?? "no reason given"
    let code: TLSFailure.Code = self.isEstablished ? .protocol : .handshake
    return TLSFailure(code, detail: "\(stage): \(reason)", alert: self.sentAlert)
  }

  /// The alert by which the peer ended the session, close_notify too if it came in the handshake.
  private var peerAlert: UInt8? {
    if let error = ErrorQueue.first, ERR_GET_LIB(error) == ERR_LIB_SSL {
      let alert = ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET
      if let alert = UInt8(exactly: alert) { return alert }
    }
    return unsafe SSL_get_shutdown(self.handle) & SSL_RECEIVED_SHUTDOWN == 0 ? nil : 0
  }
}
