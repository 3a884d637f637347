import TideCore

/// One listening socket of one loop; confined to it.
final class Listener: Watched {
  /// The most clients in one turn, so that those that are in already have theirs.
  private static let mostAtOnce = 16

  private let descriptor: Int32
  private let reactor: Reactor
  private let admit: (TCP.Accepted) -> Void
  private var token: Reactor.Token?
  /// What the reactor was asked for last.
  private var isWatched = true
  private var isAccepting = true
  /// Whether the system had no descriptor for a client; it is asked again with the next tick.
  private var isStarved = false

  /// Listens on a port that other loops listen on too.
  ///
  /// - Throws: if it cannot be had.
  init(
    on address: ListenAddress,
    _ reactor: Reactor,
    admit: @escaping (TCP.Accepted) -> Void
  ) throws(TCP.Failure) {
    self.descriptor = try TCP.listen(on: address)
    self.reactor = reactor
    self.admit = admit
    do throws(TCP.Failure) {
      self.token = try reactor.watch(self.descriptor, for: .readable, self)
    } catch {
      TCP.close(self.descriptor)
      throw error
    }
  }

  func isReady(_ readiness: Readiness) {
    for _ in 0..<Self.mostAtOnce where self.isAccepting && self.token != nil {
      do throws(TCP.Failure) {
        guard let accepted = try TCP.accept(self.descriptor) else { return }
        self.admit(accepted)
      } catch {
        self.isStarved = true
        self.watchAgain()
        return
      }
    }
  }

  /// Goes on where there was nothing to take a client in with.
  func tick() {
    guard self.isStarved else { return }
    self.isStarved = false
    self.watchAgain()
  }

  /// Lets clients wait in the kernel's queue, or no longer.
  func setAccepting(_ isAccepting: Bool) {
    self.isAccepting = isAccepting
    self.watchAgain()
  }

  private func watchAgain() {
    let isWanted = self.isAccepting && !self.isStarved
    guard let token = self.token, isWanted != self.isWatched else { return }
    self.isWatched = isWanted
    self.reactor.rewatch(self.descriptor, for: isWanted ? .readable : [], token)
  }

  func close() {
    guard let token = self.token else { return }
    self.token = nil
    self.reactor.forget(token)
    TCP.close(self.descriptor)
  }
}
