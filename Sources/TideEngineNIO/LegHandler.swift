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
  /// A peer that never takes the last bytes is cut after this.
  private static let flushTime = TimeAmount.seconds(10)

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
      // Without lingering, close sends RST: the peer learns that the rest is missing.
      if let provider = context.channel as? any SocketOptionProvider {
        _ = provider.setSoLinger(linger(l_onoff: 1, l_linger: 0))
      }
      context.close(promise: nil)
    case .afterFlush, .writing:
      guard mode == .afterFlush || !self.hasEndedWriting else { return }
      self.hasEndedWriting = true
      self.isClosing = mode == .afterFlush
      self.hasUnflushed = false
      let closing: NIOCore.CloseMode = mode == .writing ? .output : .all
      // NIO drops what is still queued when it closes: the last write's promise is the signal.
      let written = context.eventLoop.makePromise(of: Void.self)
      let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
      let deadline = context.eventLoop.scheduleTask(in: Self.flushTime) {
        bound.value.close(promise: nil)
      }
      written.futureResult.whenComplete { _ in
        deadline.cancel()
        bound.value.close(mode: closing, promise: nil)
      }
      context.writeAndFlush(
        self.wrapOutboundOut(context.channel.allocator.buffer(capacity: 0)),
        promise: written
      )
    }
  }
}
