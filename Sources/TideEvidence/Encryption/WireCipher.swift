internal import TideCore
internal import TideCrypto

/// Encrypts what records of wire/ hold; their kinds, connections and times stay in the clear.
///
/// What a record holds is then its nonce, the ciphertext and the tag. The record's header and its place are bound to it.
final class WireCipher {
  /// How much longer a record becomes.
  static let overhead = AEAD.nonceByteCount + AEAD.tagByteCount

  private let keys: CaseKeys
  private let cipher: AEAD
  private var count: UInt64 = 0

  init(_ keys: CaseKeys) {
    self.keys = keys
    self.cipher = AEAD(keys.wire)
  }

  /// What a record holds in an encrypted case.
  func seal(_ content: Bytes, at place: WirePlace) -> Bytes {
    let nonce = self.keys.nonce(self.count)
    self.count += 1
    let bound = place.bytes
    var sealed = nonce
    sealed.reserveCapacity(content.count + Self.overhead)
    content.withSpan {
      self.cipher.seal($0, nonce: nonce, associated: bound.span, into: &sealed)
    }
    return Bytes(sealed)
  }

  /// What a record held; nil if it is not as it was written, or not where it was.
  func open(_ sealed: Bytes, at place: WirePlace) -> Bytes? {
    guard sealed.count >= AEAD.nonceByteCount else { return nil }
    let nonce = sealed.slice(0..<AEAD.nonceByteCount).array
    let bound = place.bytes
    return sealed.dropping(first: AEAD.nonceByteCount).withSpan {
      self.cipher.open($0, nonce: nonce, associated: bound.span)
    }.map { Bytes($0) }
  }
}

/// What a record of wire/ is bound to: where it stands and what its header says.
struct WirePlace {
  let segment: Int
  /// Where its header begins, in bytes from the start of the file.
  let offset: UInt64
  let kind: UInt8
  let connection: ConnectionID
  let time: WallTime

  fileprivate var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(29)
    func write(_ number: UInt64, _ count: Int) {
      for index in (0..<count).reversed() {
        bytes.append(UInt8(truncatingIfNeeded: number >> (UInt64(index) * 8)))
      }
    }
    write(UInt64(clamping: self.segment), 4)
    write(self.offset, 8)
    bytes.append(self.kind)
    write(self.connection.number, 8)
    write(UInt64(bitPattern: self.time.nanoseconds), 8)
    return bytes
  }
}
