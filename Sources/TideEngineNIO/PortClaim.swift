import Glibc
public import TideCore

extension NIOEngine {
  /// Checks that nobody listens on the addresses, and gives each port 0 a number of the kernel's.
  ///
  /// `SO_REUSEPORT`, which lets each loop have its own socket, would let a second proxy share the
  /// port silently: hence the question without it first.
  ///
  /// - Throws: which address, and why it cannot be had.
  public static func claim(
    _ wanted: [ListenAddress]
  ) async throws(EngineFailure) -> [ListenAddress] {
    var claimed: [ListenAddress] = []
    for address in wanted {
      claimed.append(ListenAddress(address: address.address, port: try await Self.claim(address)))
    }
    return claimed
  }

  private static func claim(_ wanted: ListenAddress) async throws(EngineFailure) -> UInt16 {
    do throws(TCP.Failure) {
      let descriptor = try TCP.listen(on: wanted, sharesPort: false)
      defer { TCP.close(descriptor) }
      return TCP.port(of: descriptor)
    } catch {
      switch error.code {
      case EADDRINUSE:
        throw EngineFailure(
          "listen.proxy \(wanted): the port is in use; stop the other program or choose another "
            + "with --listen ADDR:PORT"
        )
      case EACCES:
        throw EngineFailure(
          "listen.proxy \(wanted): not permitted; choose a port above 1023 with "
            + "--listen ADDR:PORT"
        )
      case EADDRNOTAVAIL:
        throw EngineFailure(
          "listen.proxy \(wanted): this machine does not have the address; choose another with "
            + "--listen ADDR:PORT"
        )
      default:
        throw EngineFailure("listen.proxy \(wanted): \(error)")
      }
    }
  }
}

extension FlowFailure {
  /// The system's words for an error number.
  static func text(of code: Int32) -> String {
    unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
  }
}
