import TideCore

/// What is kept of a device's bytes as they are on its socket (`case.wire`).
///
/// ```
///   waiting ──its first request is no CONNECT──► open ◄──CONNECT was answered── waiting
///                                                 │
///   off ◄─────────passed on undecrypted───────────┘
/// ```
///
/// So neither a CONNECT exchange is kept nor what nobody decrypts, but for the hello that tells that it is
/// to be passed on, which is in the log anyway.
struct WireTap {
  enum State {
    /// Nothing is kept, or nothing more.
    case off
    /// What came before the first request's head was whole, bounded as heads are, and since when.
    case waiting(Bytes, since: WallTime?)
    /// All is kept.
    case open
  }

  var state: State
  /// What hides the credentials for the proxy itself; nil inside a tunnel, where there are none.
  var mask: CredentialMask? = CredentialMask()
  /// Which sides have ended.
  var ended: Set<Direction> = []

  init(isKept: Bool) { self.state = isKept ? .waiting(Bytes(), since: nil) : .off }

  var isOpen: Bool {
    if case .open = self.state { return true }
    return false
  }
}

extension ConnectionMachine {
  /// Takes what the device's socket gave.
  func keepReceived(_ bytes: Bytes) {
    switch self.tap.state {
    case .off: return
    case .waiting(var held, let since):
      self.tap.state = .off  // so that `held` is alone, and grows in place
      held.append(bytes)
      self.tap.state = .waiting(held, since: since ?? self.now.wall)
    case .open: self.recordReceived(bytes, time: self.now.wall)
    }
  }

  /// Gives bytes to the device's socket.
  func give(_ bytes: Bytes) {
    if self.tap.isOpen, !bytes.isEmpty {
      self.record(.wire(self.id, .response, bytes, time: self.now.wall))
    }
    self.commands.append(.send(.downstream, bytes))
  }

  /// Notes that a side of the device's socket has ended; once.
  func keepEnd(_ direction: Direction) {
    guard self.tap.isOpen, self.tap.ended.insert(direction).inserted else { return }
    self.record(.wire(self.id, direction, Bytes(), time: self.now.wall))
  }

  /// The first request is one in plain: what came of it is kept, and all that follows.
  func openTap() {
    guard case .waiting(let held, let since) = self.tap.state else { return }
    self.tap.state = .open
    if !held.isEmpty { self.recordReceived(held, time: since ?? self.now.wall) }
  }

  /// CONNECT was answered: what is inside the tunnel is kept, `early` first, and nothing before it.
  ///
  /// On a connection that served requests in plain before, `early` is kept already.
  func openTap(inTunnel early: Bytes) {
    self.tap.mask = nil
    guard case .waiting = self.tap.state else { return }
    self.tap.state = .open
    if !early.isEmpty { self.keepReceived(early) }
  }

  private func recordReceived(_ bytes: Bytes, time: WallTime) {
    let kept = self.tap.mask?.hide(bytes) ?? bytes
    self.record(.wire(self.id, .request, kept, time: time))
  }
}

/// Hides the credentials for the proxy in what a device sends in plain, as `MessageHead.recordable` does.
///
/// It reads lines, not messages: it hides as much on a line of content that begins like the field, and what
/// it did not hide is as it came, byte for byte.
struct CredentialMask {
  private enum Place {
    /// So many bytes of the field's name have come since the line began.
    case name(Int)
    /// In the field's value.
    case value
    /// In any other line.
    case rest
  }

  private static let name = Array("proxy-authorization:".utf8)
  private var place = Place.name(0)

  /// Hides each byte of such a value, wherever the bytes before this piece ended.
  mutating func hide(_ bytes: Bytes) -> Bytes {
    var place = self.place
    var hidden: [UInt8]?
    bytes.withSpan { span in
      for index in span.indices {
        let byte = span[index]
        if byte == 0x0A {
          place = .name(0)
          continue
        }
        switch place {
        case .rest: continue
        case .name(let count):
          guard ASCII.lowercased(byte) == Self.name[count] else {
            place = .rest
            continue
          }
          place = count + 1 == Self.name.count ? .value : .name(count + 1)
        case .value where byte > 0x20:
          if hidden == nil { hidden = bytes.array }
          hidden?[index] = 0x2A
        case .value: continue
        }
      }
    }
    self.place = place
    return hidden.map { Bytes($0) } ?? bytes
  }
}
