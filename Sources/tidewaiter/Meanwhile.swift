import Foundation
import Synchronization

/// Work that another thread does while this one does something else.
final class Meanwhile<Value: Sendable>: Sendable {
  private let outcome = Mutex<Result<Value, CommandFailure>?>(nil)
  private let done = DispatchSemaphore(value: 0)

  /// Begins the work.
  init(_ work: @escaping @Sendable () throws(CommandFailure) -> Value) {
    DispatchQueue.global().async {
      let outcome = Result { () throws(CommandFailure) in try work() }
      self.outcome.withLock { $0 = outcome }
      self.done.signal()
    }
  }

  /// Waits for what came of it; to be asked once.
  func value() throws(CommandFailure) -> Value {
    self.done.wait()
    guard let outcome = self.outcome.withLock({ $0 }) else {
      preconditionFailure("signalled only after a value was there")
    }
    return try outcome.get()
  }
}
