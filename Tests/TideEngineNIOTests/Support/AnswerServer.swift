import NIOCore
import NIOPosix
import Synchronization
import TideCore

/// A server on a free port of this machine that answers each whole request head with the same bytes.
final class AnswerServer: Sendable {
  /// What it does once a request's head is there.
  enum Behaviour: Sendable {
    case answers(String)
    case answersAndCloses(String)
    case waits
  }

  let port: Int
  private let channel: any Channel
  private let heads = Mutex<[String]>([])
  private let gone: EventLoopPromise<Void>

  init(_ behaviour: Behaviour) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    self.gone = group.next().makePromise()
    let said = WeakBox<AnswerServer>()
    self.channel = try await ServerBootstrap(group: group)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            AnswerHandler(behaviour) { head in said.value?.heads.withLock { $0.append(head) } }
          )
          channel.closeFuture.whenComplete { _ in said.value?.gone.succeed(()) }
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    self.port = self.channel.localAddress?.port ?? 0
    said.set(self)
  }

  deinit { self.gone.succeed(()) }

  /// The requests that came.
  var requests: [String] { self.heads.withLock { $0 } }

  /// Returns once one connection is over.
  func connectionIsGone() async throws { try await self.gone.futureResult.get() }

  /// Stops listening; whoever connects then is refused.
  func stop() async throws {
    try await self.channel.close().get()
  }

  /// A GET for a path of this server.
  func get(_ path: String = "/x.crl") -> Bytes {
    Bytes(
      "GET http://crl.example:\(self.port)\(path) HTTP/1.1\r\n"
        + "Host: crl.example:\(self.port)\r\nConnection: close\r\n\r\n"
    )
  }
}

/// Holds the server weakly for handlers that begin before it is made.
private final class WeakBox<Value: AnyObject & Sendable>: Sendable {
  private struct Held { weak var value: Value? }
  private let held = Mutex(Held())

  var value: Value? { self.held.withLock { $0.value } }
  func set(_ value: Value) { self.held.withLock { $0.value = value } }
}

private final class AnswerHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let behaviour: AnswerServer.Behaviour
  private let onHead: @Sendable (String) -> Void
  private var text = ""

  init(_ behaviour: AnswerServer.Behaviour, onHead: @escaping @Sendable (String) -> Void) {
    self.behaviour = behaviour
    self.onHead = onHead
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    self.text += String(buffer: self.unwrapInboundIn(data))
    guard self.text.hasSuffix("\r\n\r\n") else { return }
    self.onHead(self.text)
    self.text = ""
    switch self.behaviour {
    case .answers(let answer): self.send(answer, context)
    case .answersAndCloses(let answer):
      self.send(answer, context)
      context.close(promise: nil)
    case .waits: return
    }
  }

  private func send(_ answer: String, _ context: ChannelHandlerContext) {
    context.writeAndFlush(
      self.wrapOutboundOut(context.channel.allocator.buffer(string: answer)),
      promise: nil
    )
  }
}
