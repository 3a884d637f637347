import Synchronization
import TideCore

/// The clients that were refused because they are not allowed, each told once.
///
/// Shared by the loops. Bounded: whoever can send from many addresses is not to fill memory or log.
final class Strangers: Sendable {
  private let told = Mutex<Set<IPAddress>>([])
  private let onStranger: @Sendable (IPAddress) -> Void
  private static let most = 256

  init(_ onStranger: @escaping @Sendable (IPAddress) -> Void) { self.onStranger = onStranger }

  func refused(_ client: IPAddress) {
    let isNew = self.told.withLock { told in
      told.count < Self.most && told.insert(client).inserted
    }
    if isNew { self.onStranger(client) }
  }
}
