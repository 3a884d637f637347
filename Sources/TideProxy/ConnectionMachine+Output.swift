import TideCore
import TideTLS

/// What leaves at the end of an event: gathered in a side's queue, encrypted, given to its socket.
extension ConnectionMachine {
  func flush() {
    self.flushUpstream()
    self.flushDownstream()
  }

  func flushUpstream() {
    guard let id = self.upstream, self.up.isOpen, !self.up.hasEndedWriting else { return }
    if let bytes = Self.takeOutput(self.up) { self.commands.append(.send(.upstream(id), bytes)) }
  }

  /// Sends what is queued for the device.
  func sendDownstream() {
    guard self.down.isOpen, !self.down.hasEndedWriting, let bytes = Self.takeOutput(self.down)
    else { return }
    self.give(bytes)
  }

  func flushDownstream() {
    guard self.down.isOpen else { return }
    if self.down.closing == .writing || self.down.closing == .afterFlush {
      // The last frames do not wait for room: nothing can follow the end of what we write.
      self.isDeviceCongested = false
      self.flushFrames()
      self.sendDownstream()
      self.down.tls?.close()
    }
    if self.down.closing != .abort, !self.down.hasEndedWriting,
      let bytes = Self.takeOutput(self.down)
    {
      self.give(bytes)
    }
    guard let mode = self.down.closing else { return }
    self.down.closing = nil
    self.keepEnd(.response)
    if mode != .writing { self.keepEnd(.request) }
    self.commands.append(.close(.downstream, mode))
    if mode == .writing {
      self.down.hasEndedWriting = true
      return
    }
    self.down.isOpen = false
    if case .closed = self.stage {
      self.commands.append(.finished)
    } else {
      self.finish(
        FlowFailure(.internalError, origin: .internal, detail: "the device's session is broken"),
        mode: .abort
      )
    }
  }

  /// Gives back what only passing bytes need, once none have come for a second.
  func rest() {
    let second: UInt64 = 1_000_000_000
    guard self.restedAfter?.nanoseconds != self.lastActivity.nanoseconds,
      self.hasPassed(second, since: self.lastActivity)
    else { return }
    self.restedAfter = self.lastActivity
    if self.down.output.isEmpty { self.down.output = [] }
    if self.up.output.isEmpty { self.up.output = [] }
    if self.requestParts.isEmpty { self.requestParts = [] }
    if self.responseParts.isEmpty { self.responseParts = [] }
    self.down.tls?.rest()
  }

  /// What a side's socket is to be given, nil if nothing: head and first body bytes share a record.
  private static func takeOutput(_ side: Side) -> Bytes? {
    guard let tls = side.tls else {
      guard !side.output.isEmpty else { return nil }
      defer { side.output = [] }
      return Bytes(side.output)
    }
    Self.encrypt(side, tls)
    return tls.hasOutput ? tls.takeOutput() : nil
  }

  /// Gives what is queued in plain to the session, once there is one to take it.
  static func encrypt(_ side: Side, _ tls: TLSSession) {
    guard !side.output.isEmpty, tls.isEstablished else { return }
    // A session that cannot take its own output is broken. The server's ends by time.
    do throws(TLSFailure) { try tls.send(Bytes(side.output)) } catch { side.closing = .abort }
    side.output.removeAll(keepingCapacity: side.output.count <= 64 << 10)
  }
}
