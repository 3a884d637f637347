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
    /// We are the server of a device.
    case server(DeviceSide)
    /// We answer a device's hello with this alert.
    case refusal(UInt8)
  }

  /// What a device's handshake is answered with.
  struct DeviceSide {
    /// The protocol to select if it is offered.
    let applicationProtocol: [UInt8]?
    /// The end of the leaf, which no ticket outlives.
    let leafEnd: WallTime
    /// What tickets are sealed with; nil gives none.
    let tickets: TicketKeys?
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
  /// The most plaintext of a small record: one that fits into a TCP segment of 1,440 bytes whatever TLS adds.
  static let smallRecord = 1_369
  /// How much is sent in small records before they are full ones.
  static let smallBytes = 16 << 10
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
  /// How many bytes are yet to be sent in small records.
  private var smallLeft = 0
  private var hasSmallRecords = false
  /// What libssl has written and nobody has taken.
  var output: [UInt8] = []

  // What the callbacks learned.
  /// The fatal alert that our side sent.
  var sentAlert: UInt8?
  /// What the upstream showed, or had shown when the session was new that this one went on from.
  var peerRecord = PeerRecord()
  /// Whether the upstream asked for a client certificate, in this handshake or in the one that it went
  /// on from.
  public internal(set) var wantsClientCertificate = false
  /// Who we are to this upstream, if it asks.
  var identity: ClientIdentity?
  /// Whether it asked, and was not shown who we are because it is not verified.
  var withholdsIdentity = false
  /// The JA4 of our own hello; nil on the device's leg.
  var fingerprint: String?
  /// What an upstream's session needs to resume; nil on the device's leg or if nothing is kept.
  var resuming: Resuming?
  /// The lines of the key log that nobody has taken.
  var secrets: [Bytes] = []

  init(role: Role, context: OpaquePointer) throws(TLSFailure) {
    ErrorQueue.clear()
    guard let handle = unsafe SSL_new(context) else { throw .drained(.internal, "no session") }
    self.role = role
    unsafe self.handle = handle
    self.rest()
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
    self.beginKeeping()
    let small = min(self.smallLeft, plaintext.count)
    let records = small / Self.smallRecord + plaintext.count / (16 << 10) + 2
    let needed = self.output.count + plaintext.count + records * 32
    if self.output.capacity < needed {
      self.output.reserveCapacity(max(needed, self.output.count * 2))
    }
    self.smallLeft -= small
    guard small > 0 else {
      try self.write(plaintext, inSmallRecords: false)
      return
    }
    try self.write(plaintext.slice(0..<small), inSmallRecords: true)
    guard small < plaintext.count else { return }
    try self.write(plaintext.dropping(first: small), inSmallRecords: false)
  }

  /// Has what is sent next begin in small records, as after a while in which nothing was.
  ///
  /// A peer can use nothing of a record before its last byte has come. While TCP's window is small, as it
  /// is at the begin and after a pause, a full record is several round trips; later it is less work. Only
  /// for devices: servers are near, and what they are sent is mostly small.
  public func rest() {
    guard case .server = self.role else { return }
    self.smallLeft = Self.smallBytes
  }

  private func write(_ plaintext: Bytes, inSmallRecords isSmall: Bool) throws(TLSFailure) {
    if isSmall != self.hasSmallRecords {
      self.hasSmallRecords = isSmall
      let size = isSmall ? Self.smallRecord : 16 << 10
      // The first lowers the second, by which libssl cuts, and does not raise it again.
      unsafe SSL_ctrl(self.handle, SSL_CTRL_SET_MAX_SEND_FRAGMENT, size, nil)
      unsafe SSL_ctrl(self.handle, SSL_CTRL_SET_SPLIT_SEND_FRAGMENT, size, nil)
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

  func shakeHands() -> TLSFailure? {
    ErrorQueue.clear()
    let result = unsafe SSL_do_handshake(self.handle)
    if result == 1 {
      self.state = .established
      self.adoptOffered()
      self.heedRevocation()
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
      if result == 1 {
        if unsafe !self.input.isEmpty || SSL_has_pending(self.handle) == 1 { continue }
        // All that came is read: to ask again would only say so.
        self.endsAtRecord = true
        return .dry
      }
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
    if !self.isEstablished {
      self.forgetKept()
      self.heedRevocation()
    }
    self.state = .failed(failure)
    return failure
  }

  private func failure(during stage: String) -> TLSFailure {
    if let verification = self.peerRecord.verification, verification.isRefused {
      return TLSFailure(
        .untrusted,
        detail: "\(verification) at depth \(verification.depth)",
        alert: self.sentAlert,
        verifyError: verification.error
      )
    }
    if let alert = self.peerAlert {
      let detail = "the peer sent \(alertName(alert))" + self.certificateDemand(behind: alert)
      return TLSFailure(.alert, detail: detail, alert: alert)
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
