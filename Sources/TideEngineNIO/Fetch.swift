import TideCore

/// A request of the proxy's own on its way, in the place of a device's socket; confined to its loop.
final class Fetch {
  /// What makes two fetches one.
  struct Key: Hashable {
    /// A whole HTTP/1.1 request in absolute form.
    let request: Bytes
    /// The most bytes of the response, head included.
    let limit: Int
    /// For whose sake it is made, which is whose rules hold.
    let device: String
  }

  /// Whoever is told the outcome.
  struct Waiter {
    /// The number of the connection that asked.
    let owner: UInt64
    let answer: (Result<Bytes, FlowFailure>) -> Void
  }

  let key: Key
  let began: Instant
  var waiters: [Waiter]
  /// The response as far as it has come.
  var response: [UInt8] = []
  /// The connection that the request goes through; nil once the outcome is known.
  var driver: ConnectionDriver?

  init(_ key: Key, began: Instant, waiter: Waiter) {
    self.key = key
    self.began = began
    self.waiters = [waiter]
  }
}
