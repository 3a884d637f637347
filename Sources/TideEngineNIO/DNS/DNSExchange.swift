import NIOCore
import NIOPosix
import TideCore

/// Asks one server one question, over UDP and, where that does not do, over TCP; confined to its loop.
///
/// Each datagram goes from a socket of its own, whose port the kernel picks at random and which hears
/// nobody but the server.
final class DNSExchange {
  /// Why a server gave no answer.
  enum Failure: Error {
    /// It said nothing in time, or what it said cannot be read.
    case silent(String)
    /// It answered with a code that is neither an answer nor "no such name".
    case refused(String)
    /// It does not know EDNS (RFC 6891 §6.2.2).
    case isNotExtended
  }

  private let server: NameServer
  private let query: DNSQuery
  private let isExtended: Bool
  private let deadline: NIODeadline
  private let eventLoop: any EventLoop
  private let promise: EventLoopPromise<DNSMessage>
  private var isOver = false
  private var channel: (any Channel)?

  init(
    _ query: DNSQuery,
    to server: NameServer,
    isExtended: Bool,
    until deadline: NIODeadline,
    on eventLoop: any EventLoop
  ) {
    self.server = server
    self.query = query
    self.isExtended = isExtended
    self.deadline = deadline
    self.eventLoop = eventLoop
    self.promise = eventLoop.makePromise()
  }

  /// Asks; the answer is the server's, whatever its code.
  func run() -> EventLoopFuture<DNSMessage> {
    let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
    let end = self.eventLoop.scheduleTask(deadline: self.deadline) {
      bound.value.finish(.failure(.silent("no answer in time")))
    }
    self.promise.futureResult.whenComplete { _ in end.cancel() }
    self.overUDP()
    return self.promise.futureResult
  }

  /// Gives up: nobody waits any more.
  func cancel() { self.failed("it was given up") }

  private var address: SocketAddress? {
    try? SocketAddress(ipAddress: self.server.address.description, port: Int(self.server.port))
  }

  private func overUDP() {
    guard let address = self.address else { return self.failed("an address that is none") }
    let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
    DatagramBootstrap(group: self.eventLoop)
      .channelOption(.maxMessagesPerRead, value: 4)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(DNSDatagrams(bound.value))
        }
      }
      .connect(to: address)
      .whenComplete { bound.value.connected($0) { DNSDatagrams.envelope($0, to: address) } }
  }

  private func overTCP() {
    guard let address = self.address else { return self.failed("an address that is none") }
    self.leave()
    let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
    let left = max(.milliseconds(1), self.deadline - .now())
    ClientBootstrap(group: self.eventLoop)
      .connectTimeout(left)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(DNSStream(bound.value))
        }
      }
      .connect(to: address)
      .whenComplete { bound.value.connected($0) { DNSStream.frame($0) } }
  }

  /// A socket is there, or is not: sends the question on it, made ready by `pack`.
  private func connected(
    _ result: Result<any Channel, any Error>,
    _ pack: (ByteBuffer) -> NIOAny
  ) {
    switch result {
    case .failure: self.failed("it cannot be reached")
    case .success(let channel):
      guard !self.isOver else {
        channel.close(promise: nil)
        return
      }
      self.channel = channel
      let message = self.query.message(isExtended: self.isExtended)
      channel.pipeline.syncOperations.writeAndFlush(
        pack(channel.allocator.buffer(bytes: message)),
        promise: nil
      )
    }
  }

  /// A whole message came on a socket of this exchange's.
  func received(_ bytes: Bytes, isReliable: Bool) {
    guard !self.isOver else { return }
    let message: DNSMessage
    do throws(DNSFailure) {
      message = try DNSMessage(bytes)
    } catch {
      // A datagram may be anyone's who knows our port; a server's own stream is not heard any further.
      if isReliable { self.failed("an answer that cannot be read: \(error.detail)") }
      return
    }
    switch self.query.fit(message) {
    case .foreign: if isReliable { self.failed("an answer to another question") }
    case .respelled where !isReliable: self.overTCP()
    case .answer, .respelled:
      if message.isTruncated {
        if isReliable { self.failed("an answer that is cut") } else { self.overTCP() }
      } else if self.isExtended, message.code == 1 || message.code == 4 || message.code == 16 {
        self.finish(.failure(.isNotExtended))
      } else if message.code == 0 || message.code == 3 {
        self.finish(.success(message))
      } else {
        self.finish(.failure(.refused(message.codeName)))
      }
    }
  }

  /// A socket of this exchange's broke; one that was left already does not matter.
  func failed(on channel: any Channel, _ detail: String) {
    guard self.channel === channel else { return }
    self.failed(detail)
  }

  private func failed(_ detail: String) { self.finish(.failure(.silent(detail))) }

  private func finish(_ result: Result<DNSMessage, Failure>) {
    guard !self.isOver else { return }
    self.isOver = true
    self.leave()
    switch result {
    case .success(let message): self.promise.succeed(message)
    case .failure(let failure): self.promise.fail(failure)
    }
  }

  private func leave() {
    self.channel?.close(promise: nil)
    self.channel = nil
  }
}

/// Hears datagrams from the one server that the socket is connected to.
private final class DNSDatagrams: ChannelInboundHandler {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>

  private let exchange: DNSExchange

  init(_ exchange: DNSExchange) { self.exchange = exchange }

  static func envelope(_ buffer: ByteBuffer, to address: SocketAddress) -> NIOAny {
    NIOAny(AddressedEnvelope(remoteAddress: address, data: buffer))
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let datagram = self.unwrapInboundIn(data).data
    self.exchange.received(Bytes(Array(datagram.readableBytesView)), isReliable: false)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // Most often nobody listens there, which the server's machine says at once.
    self.exchange.failed(on: context.channel, "it cannot be reached")
    context.close(promise: nil)
  }
}

/// Gathers the one message of a stream, each preceded by its length (RFC 1035 §4.2.2, RFC 7766 §8).
private final class DNSStream: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let exchange: DNSExchange
  private var received: [UInt8] = []

  init(_ exchange: DNSExchange) { self.exchange = exchange }

  static func frame(_ buffer: ByteBuffer) -> NIOAny {
    var framed = ByteBuffer()
    framed.writeInteger(UInt16(clamping: buffer.readableBytes))
    framed.writeImmutableBuffer(buffer)
    return NIOAny(framed)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    self.received += Array(self.unwrapInboundIn(data).readableBytesView)
    guard self.received.count >= 2 else { return }
    let length = Int(self.received[0]) << 8 | Int(self.received[1])
    guard self.received.count >= 2 + length else { return }
    self.exchange.received(Bytes(Array(self.received[2..<2 + length])), isReliable: true)
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.exchange.failed(on: context.channel, "it closed before its answer's end")
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    self.exchange.failed(on: context.channel, "its connection broke")
    context.close(promise: nil)
  }
}
