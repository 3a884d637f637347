import Glibc

/// A port of this machine that is taken and on which nobody listens: connections are refused.
final class SilentPort: Sendable {
  let number: UInt16
  private let descriptor: Int32

  init() throws {
    self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = unsafe withUnsafeMutablePointer(to: &address) { [descriptor] pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        unsafe bind(descriptor, pointer, size) == 0
          && getsockname(descriptor, pointer, &size) == 0
      }
    }
    self.number = UInt16(bigEndian: address.sin_port)
    guard isBound else { throw CancellationError() }
  }

  deinit { close(self.descriptor) }
}
