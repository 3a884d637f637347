import Glibc
public import TideCore

/// Addresses that are the process's before anybody listens on them.
///
/// `SO_REUSEPORT`, which lets each loop have its own socket, would let a second proxy share a port
/// silently: hence the question without it first. The addresses stay taken from then until the claim
/// goes, by which time the loops listen on them; in between a client is refused.
public final class PortClaim: Sendable {
  /// What was wanted, each port 0 with a number of the kernel's.
  public let addresses: [ListenAddress]
  private let descriptors: [Int32]

  /// Takes the addresses.
  ///
  /// - Throws: which address, and why it cannot be had.
  public init(_ wanted: [ListenAddress]) throws(EngineFailure) {
    var addresses: [ListenAddress] = []
    var descriptors: [Int32] = []
    do throws(EngineFailure) {
      // What is claimed first at a port would hide from our own later ones who else is there.
      for each in wanted where each.port != 0 && wanted.count(where: { $0.port == each.port }) > 1 {
        TCP.close(try Self.claim(each, sharesPort: false))
      }
      for each in wanted {
        let isOurs = each.port != 0 && addresses.contains { $0.port == each.port }
        let descriptor = try Self.claim(each, sharesPort: isOurs)
        descriptors.append(descriptor)
        addresses.append(ListenAddress(address: each.address, port: TCP.port(of: descriptor)))
      }
    } catch {
      for descriptor in descriptors { TCP.close(descriptor) }
      throw error
    }
    self.addresses = addresses
    self.descriptors = descriptors
  }

  deinit {
    for descriptor in self.descriptors { TCP.close(descriptor) }
  }

  private static func claim(
    _ wanted: ListenAddress,
    sharesPort: Bool
  ) throws(EngineFailure) -> Int32 {
    do throws(TCP.Failure) {
      return try TCP.claim(wanted, sharesPort: sharesPort)
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
