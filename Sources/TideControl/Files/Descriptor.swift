internal import Glibc

/// Owns one file descriptor and closes it when the last user is gone.
final class Descriptor: Sendable {
  /// The number, valid as long as this object lives.
  let number: Int32

  /// Takes over a descriptor; nil if `number` says that there is none.
  init?(owning number: Int32) {
    guard number >= 0 else { return nil }
    self.number = number
  }

  deinit { close(self.number) }
}
