import NIOCore
import NIOPosix
import TideCore

/// One connection to an ICAP server, one exchange at a time; confined to its loop.
final class ICAPConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  typealias Completion = (Result<ICAPResponse, ScanFailure>) -> Void

  private unowned let pool: ICAPPool
  private let eventLoop: any EventLoop
  private var channel: (any Channel)?
  private var current: (exchange: ICAPExchange, completion: Completion)?
  /// How many exchanges it has served before the one under way.
  private var served = 0
  private var isClosed = false
  /// Whether the last failure says no more than that the server had closed it while it was idle.
  private(set) var isStale = false

  init(pool: ICAPPool, on eventLoop: any EventLoop) {
    self.pool = pool
    self.eventLoop = eventLoop
  }

  func connect(to settings: ICAPSettings) {
    let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
    ClientBootstrap(group: self.eventLoop)
      .connectTimeout(.nanoseconds(Int64(clamping: settings.timeout)))
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(bound.value)
        }
      }
      .connect(host: settings.host, port: Int(settings.port))
      .whenComplete { result in
        switch result {
        case .success(let channel): bound.value.connected(channel)
        case .failure(let error): bound.value.fail(Self.failure(error))
        }
      }
  }

  private static func failure(_ error: any Error) -> ScanFailure {
    if case .connectTimeout? = error as? ChannelError {
      return ScanFailure(.timeout, "the server did not accept in time")
    }
    if let error = error as? NIOConnectionError {
      guard let first = error.connectionErrors.first else {
        return ScanFailure(.unavailable, "the server's name cannot be resolved")
      }
      return Self.failure(first.error)
    }
    if let error = error as? IOError {
      return ScanFailure(.unavailable, error.errnoCode == 111 ? "connection refused" : "\(error)")
    }
    return ScanFailure(.unavailable, "the connection failed")
  }

  /// Begins an exchange; `completion` is called once.
  func begin(_ exchange: ICAPExchange, _ completion: @escaping Completion) {
    self.isStale = false
    self.current = (exchange, completion)
    guard !self.isClosed else {
      self.fail(ScanFailure(.unavailable, "the server closed the connection"))
      return
    }
    if let channel = self.channel { Self.write(exchange.opening, to: channel) }
  }

  private func connected(_ channel: any Channel) {
    guard !self.isClosed else {
      channel.close(promise: nil)
      return
    }
    self.channel = channel
    guard let current = self.current else { return }
    Self.write(current.exchange.opening, to: channel)
  }

  private static func write(_ bytes: Bytes, to channel: any Channel) {
    channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = self.unwrapInboundIn(data)
    guard var current = self.current else {
      // Nobody asked.
      self.close()
      return
    }
    let step: ICAPExchange.Step
    do throws(ScanFailure) {
      step = try current.exchange.receive(Bytes(Array(buffer.readableBytesView)))
      self.current = current
    } catch {
      self.fail(error)
      return
    }
    switch step {
    case .wait: return
    case .send(let bytes):
      context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    case .done(let response, let isReusable):
      self.current = nil
      self.served += 1
      // Free before it is told: what is asked next is asked here.
      if isReusable, !self.isClosed, context.channel.isWritable {
        self.pool.isFree(self)
      } else {
        self.close()
      }
      current.completion(.success(response))
      self.pool.serve()
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.fail(ScanFailure(.unavailable, "the server closed the connection"))
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    self.fail(Self.failure(error))
  }

  /// Closes it; an exchange that is under way fails.
  func close(_ failure: ScanFailure = ScanFailure(.unavailable, "the connection was closed")) {
    self.fail(failure)
  }

  private func fail(_ failure: ScanFailure) {
    let current = self.current
    self.current = nil
    if !self.isClosed {
      self.isClosed = true
      self.channel?.close(promise: nil)
      self.pool.isGone(self)
    }
    guard let current else { return }
    self.isStale = self.served > 0 && failure.code == .unavailable && !current.exchange.hasBegun
    current.completion(.failure(failure))
  }
}
