import COpenSSL
import Synchronization

/// The keys under which devices keep our sessions for us, shared by all loops.
///
/// A ticket is the session itself, encrypted with AES-256-CBC and authenticated with HMAC-SHA256
/// (RFC 5077 §4): nothing is stored here. Whoever has the keys can read what was sent under a ticket
/// of TLS 1.2, so they are made at random, never leave memory, and are replaced: after one lifetime
/// they seal no more, and after two they open no more.
public final class TicketKeys: Sendable {
  private struct State {
    var current: TicketKey
    var previous: TicketKey?
  }

  /// What a key that was found for a ticket is good for.
  struct Opener {
    let key: TicketKey
    let isCurrent: Bool
  }

  private let lifetimeSeconds: Int64
  private let clock: @Sendable () -> Int64
  private let state: Mutex<State>

  /// Makes fresh keys.
  ///
  /// - Parameter lifetimeSeconds: how long one seals tickets; it opens them as long again.
  /// - Throws: `.internal` if there is no randomness.
  public convenience init(lifetimeSeconds: Int64 = 12 * 3_600) throws(TLSFailure) {
    let clock = ContinuousClock()
    let start = clock.now
    try self.init(lifetimeSeconds: lifetimeSeconds) {
      start.duration(to: clock.now).components.seconds
    }
  }

  /// Makes fresh keys that age by a clock in seconds, which never goes back.
  init(
    lifetimeSeconds: Int64,
    clock: @escaping @Sendable () -> Int64
  ) throws(TLSFailure) {
    guard let key = TicketKey(madeAt: clock()) else {
      throw .drained(.internal, "no key for tickets")
    }
    self.lifetimeSeconds = max(1, lifetimeSeconds)
    self.clock = clock
    self.state = Mutex(State(current: key, previous: nil))
  }

  /// The key to seal with; nil if there is no randomness for a new one.
  func sealer() -> TicketKey? {
    let now = self.clock()
    return self.state.withLock { state in
      guard now - state.current.madeAt >= self.lifetimeSeconds else { return state.current }
      guard let key = TicketKey(madeAt: now) else { return nil }
      state.previous = state.current
      state.current = key
      return key
    }
  }

  /// The key by a ticket's name for it; nil if it is none of ours or too old.
  func opener(named name: UnsafeRawBufferPointer) -> Opener? {
    let now = self.clock()
    return self.state.withLock { state in
      let age = now - state.current.madeAt
      if unsafe state.current.isNamed(name) {
        guard age < 2 * self.lifetimeSeconds else { return nil }
        return Opener(key: state.current, isCurrent: age < self.lifetimeSeconds)
      }
      guard let previous = state.previous, unsafe previous.isNamed(name),
        now - previous.madeAt < 2 * self.lifetimeSeconds
      else { return nil }
      return Opener(key: previous, isCurrent: false)
    }
  }
}

/// One set of keys for tickets; wiped when the last handshake that uses it is over.
@safe final class TicketKey: @unchecked Sendable {
  // Sendable: the bytes are written once, before anyone else knows of them, and wiped by the last
  // owner.
  static let nameSize = 16
  private static let cipherKeySize = 32
  private static let macKeySize = 32

  private let bytes: UnsafeMutableRawBufferPointer
  /// By the keys' clock, in seconds.
  let madeAt: Int64

  /// Makes a random one; nil if there is no randomness.
  init?(madeAt: Int64) {
    let count = Self.nameSize + Self.cipherKeySize + Self.macKeySize
    unsafe self.bytes = .allocate(byteCount: count, alignment: 16)
    self.madeAt = madeAt
    let start = unsafe self.bytes.bindMemory(to: UInt8.self).baseAddress
    guard unsafe RAND_priv_bytes(start, Int32(count)) == 1 else { return nil }
  }

  deinit {
    unsafe OPENSSL_cleanse(self.bytes.baseAddress, self.bytes.count)
    unsafe self.bytes.deallocate()
  }

  private func part(_ start: Int, _ count: Int) -> UnsafeMutablePointer<UInt8>? {
    let part = unsafe UnsafeMutableRawBufferPointer(rebasing: self.bytes[start..<(start + count)])
    return unsafe part.bindMemory(to: UInt8.self).baseAddress
  }

  /// Whether a ticket's first 16 bytes name this key; the name is no secret.
  func isNamed(_ name: UnsafeRawBufferPointer) -> Bool {
    unsafe name.elementsEqual(self.bytes[..<Self.nameSize])
  }

  /// Names the key in a ticket and sets up what libssl then seals it with.
  func seal(
    _ name: UnsafeMutablePointer<UInt8>,
    _ vector: UnsafeMutablePointer<UInt8>,
    _ cipher: OpaquePointer?,
    _ mac: OpaquePointer?
  ) -> Bool {
    let kind = unsafe EVP_aes_256_cbc()
    let key = unsafe self.part(Self.nameSize, Self.cipherKeySize)
    unsafe UnsafeMutableRawBufferPointer(start: name, count: Self.nameSize)
      .copyBytes(from: self.bytes[..<Self.nameSize])
    return unsafe RAND_bytes(vector, EVP_CIPHER_get_iv_length(kind)) == 1
      && EVP_EncryptInit_ex(cipher, kind, nil, key, vector) == 1
      && self.authenticate(mac)
  }

  /// Sets up what libssl opens a ticket with.
  func open(
    _ vector: UnsafeMutablePointer<UInt8>,
    _ cipher: OpaquePointer?,
    _ mac: OpaquePointer?
  ) -> Bool {
    let key = unsafe self.part(Self.nameSize, Self.cipherKeySize)
    return unsafe EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nil, key, vector) == 1
      && self.authenticate(mac)
  }

  private func authenticate(_ mac: OpaquePointer?) -> Bool {
    let start = Self.nameSize + Self.cipherKeySize
    return unsafe tide_mac_set_hmac_sha256(mac, self.part(start, Self.macKeySize), Self.macKeySize)
      == 1
  }
}
