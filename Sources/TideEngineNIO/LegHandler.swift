import Glibc
import NIOCore
import TideCore
import TideProxy

/// One socket of one connection: turns what NIO reports into events, and writes what it is given.
///
/// Confined to its event loop.
final class LegHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let leg: Leg
  /// Held until the socket is gone: an event of one leg may come after the other's end.
  private var driver: ConnectionDriver?
  private var context: ChannelHandlerContext?
  private var hasFailed = false
  private var hasEndedWriting = false
  private var hasUnflushed = false
  private var isClosing = false
  /// How far the last bytes have come, while the end waits for them.
  private var flushing: Flushing?

  private struct Flushing {
    /// What was still to be written when it last became less.
    var left: Int
    /// When that was.
    var since: Instant
  }

  init(leg: Leg, driver: ConnectionDriver) {
    self.leg = leg
    self.driver = driver
  }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    self.driver = nil
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = self.unwrapInboundIn(data)
    let bytes = unsafe buffer.withUnsafeReadableBytes { unsafe Bytes(copying: $0) }
    self.driver?.handle(.received(self.leg, bytes))
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    self.driver?.handle(context.channel.isWritable ? .drained(self.leg) : .congested(self.leg))
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let event = event as? ChannelEvent, event == .inputClosed { self.reportEnd(.end) }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    self.hasFailed = true
    self.reportEnd(.reset)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.reportEnd(self.hasFailed ? .reset : .end)
    self.flushing = nil
    self.driver?.legIsGone(self.leg)
  }

  /// Tells the machine, unless it was the one that asked for the close.
  private func reportEnd(_ kind: CloseKind) {
    guard !self.isClosing else { return }
    self.driver?.handle(.closed(self.leg, kind))
  }

  // MARK: Commands

  func send(_ bytes: Bytes) {
    guard let context = self.context, !self.hasEndedWriting, !self.isClosing else { return }
    var buffer = context.channel.allocator.buffer(capacity: bytes.count)
    _ = unsafe bytes.withUnsafeBytes { unsafe buffer.writeBytes($0) }
    context.write(self.wrapOutboundOut(buffer), promise: nil)
    self.hasUnflushed = true
  }

  func flush() {
    guard self.hasUnflushed else { return }
    self.hasUnflushed = false
    self.context?.flush()
  }

  func setReading(_ isReading: Bool) {
    guard let context = self.context, context.channel.isActive else { return }
    // A channel that is closing refuses the option, and then it no longer matters.
    _ = try? context.channel.syncOptions?.setOption(.autoRead, value: isReading)
  }

  func close(_ mode: TideProxy.CloseMode) {
    guard let context = self.context else { return }
    switch mode {
    case .abort:
      self.isClosing = true
      Self.reset(context)
    case .afterFlush, .writing:
      guard mode == .afterFlush || !self.hasEndedWriting else { return }
      self.hasEndedWriting = true
      self.isClosing = mode == .afterFlush
      self.hasUnflushed = false
      let closing: NIOCore.CloseMode = mode == .writing ? .output : .all
      // NIO drops what is still queued when it closes: the last write's promise is the signal.
      let written = context.eventLoop.makePromise(of: Void.self)
      let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      written.futureResult.whenComplete { _ in
        let (handler, context) = bound.value
        handler.flushing = nil
        context.close(mode: closing, promise: nil)
      }
      self.flushing = Flushing(left: Self.unwritten(context), since: Clock.now().instant)
      context.writeAndFlush(
        self.wrapOutboundOut(context.channel.allocator.buffer(capacity: 0)),
        promise: written
      )
      if self.flushing != nil { self.driver?.beginsFlushing(self) }
    }
  }

  // MARK: The last bytes

  /// Cuts a peer that took none of the last bytes for `patience` nanoseconds; false once there is
  /// nothing left to watch.
  ///
  /// A peer that is slow is not one that is gone: there is no bound but progress. A server's leg is
  /// given 10 s at most, since those that are left behind count towards no limit of connections.
  func isFlushing(at now: Instant, patience: UInt64) -> Bool {
    guard let context = self.context, var flushing = self.flushing else { return false }
    let left = Self.unwritten(context)
    if left < flushing.left {
      flushing.left = left
      flushing.since = now
      self.flushing = flushing
    }
    let patience = self.leg == .downstream ? patience : min(patience, 10_000_000_000)
    guard now.nanoseconds(since: flushing.since) > patience else { return true }
    self.cut()
    return false
  }

  /// Ends a leg whose last bytes cannot be written, so that its peer learns that they are missing.
  func cut() {
    guard let context = self.context, self.flushing != nil else { return }
    self.flushing = nil
    self.hasFailed = true
    Self.reset(context)
  }

  private static func unwritten(_ context: ChannelHandlerContext) -> Int {
    // A channel that is closing refuses the option, and then nothing will be written any more.
    (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
  }

  /// Without lingering, close sends RST: the peer learns that the rest is missing.
  private static func reset(_ context: ChannelHandlerContext) {
    if let provider = context.channel as? any SocketOptionProvider {
      _ = provider.setSoLinger(linger(l_onoff: 1, l_linger: 0))
    }
    context.close(promise: nil)
  }
}
