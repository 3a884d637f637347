import TideCore

/// Masking (RFC 6455 §5.3), which is its own inverse.
struct WebSocketMask {
  /// The key, turned so that its most significant byte is for the next byte of the payload.
  private var key: UInt32

  init(_ key: UInt32) { self.key = key }

  /// The next bytes of the payload, masked or unmasked.
  mutating func apply(to bytes: Bytes) -> Bytes {
    unsafe Bytes(capacity: bytes.count) { room in
      unsafe bytes.withUnsafeBytes { unsafe self.apply(to: $0, into: room) }
      return bytes.count
    }
  }

  /// Writes the next bytes of the payload to the start of `room`, which has as many at least.
  mutating func apply(to input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer) {
    // In memory the key's bytes are to lie in the order in which they are sent.
    let key = UInt32(bigEndian: self.key)
    let word = UInt64(key) << 32 | UInt64(key)
    let count = input.count
    var at = 0
    while at &+ 8 <= count {
      let masked = unsafe input.loadUnaligned(fromByteOffset: at, as: UInt64.self) ^ word
      unsafe room.storeBytes(of: masked, toByteOffset: at, as: UInt64.self)
      at &+= 8
    }
    var turned = self.key
    while at < count {
      turned = turned &<< 8 | turned &>> 24
      unsafe room[at] = input[at] ^ UInt8(truncatingIfNeeded: turned)
      at &+= 1
    }
    self.key = turned
  }
}
