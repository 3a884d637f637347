import Dispatch
import NIOCore
import Synchronization

/// What SwiftNIO asks of those on whose loop something is bound, scheduled or promised.
extension Reactor: EventLoop {
  var inEventLoop: Bool { self.isCurrent }

  func execute(_ task: @escaping @Sendable () -> Void) { self.post(task) }

  func scheduleTask<T>(
    deadline: NIODeadline,
    _ task: @escaping @Sendable () throws -> T
  ) -> Scheduled<T> {
    let promise: EventLoopPromise<T> = self.makePromise()
    let number = self.timerCount.wrappingAdd(1, ordering: .relaxed).newValue
    self.onThread {
      let timer = Timer(
        number: number,
        deadline: deadline,
        task: {
          do {
            promise.assumeIsolatedUnsafeUnchecked().succeed(try task())
          } catch {
            promise.fail(error)
          }
        },
        cancel: { promise.fail(EventLoopError.shutdown) }
      )
      let place = self.timers.firstIndex { $0.deadline <= deadline } ?? self.timers.count
      self.timers.insert(timer, at: place)
    }
    return Scheduled(promise: promise) {
      self.onThread { self.timers.removeAll { $0.number == number } }
    }
  }

  func scheduleTask<T>(
    in delay: TimeAmount,
    _ task: @escaping @Sendable () throws -> T
  ) -> Scheduled<T> {
    self.scheduleTask(deadline: .now() + delay, task)
  }

  private func onThread(_ body: @escaping @Sendable () -> Void) {
    if self.isCurrent { body() } else { self.post(body) }
  }

  func preconditionInEventLoop(file: StaticString, line: UInt) {
    precondition(self.isCurrent, "on its own thread alone", file: file, line: line)
  }

  func preconditionNotInEventLoop(file: StaticString, line: UInt) {
    precondition(!self.isCurrent, "never on its own thread", file: file, line: line)
  }

  func next() -> any EventLoop { self }

  func makeIterator() -> EventLoopIterator { EventLoopIterator([self]) }

  func shutdownGracefully(
    queue: DispatchQueue,
    _ callback: @escaping @Sendable ((any Error)?) -> Void
  ) {
    Task {
      await self.stop()
      queue.async { callback(nil) }
    }
  }
}
