import NIOCore
import NIOPosix
import Synchronization

/// An ICAP server in this process that answers by a script, and remembers what it was asked.
final class FakeICAPServer: Sendable {
  /// What it does with a whole question.
  enum Act: Sendable {
    case answer(String)
    case answerAndClose(String)
    case close
    case silence
  }

  static let options =
    "ICAP/1.0 200 OK\r\nMethods: REQMOD, RESPMOD\r\nISTag: \"1\"\r\nEncapsulated: null-body=0\r\n\r\n"
  static let unchanged = "ICAP/1.0 204 No Content\r\nISTag: \"1\"\r\n\r\n"

  private let seen = Mutex((questions: [String](), connections: 0))
  private let script: @Sendable (_ question: String, _ number: Int) -> Act
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let channel = Mutex<(any Channel)?>(nil)

  var port: Int { self.channel.withLock { $0?.localAddress?.port ?? 0 } }
  /// What it was asked but for OPTIONS.
  var questions: [String] {
    self.seen.withLock { $0.questions.filter { !$0.hasPrefix("OPTIONS") } }
  }
  var optionsCount: Int {
    self.seen.withLock { $0.questions.count { $0.hasPrefix("OPTIONS") } }
  }
  /// Every question, OPTIONS too, as it comes.
  let arrivals: AsyncStream<String>
  private let arrival: AsyncStream<String>.Continuation
  var connections: Int { self.seen.withLock { $0.connections } }

  /// Answers what is no OPTIONS by `script`, which also gets how many such questions there were before.
  init(
    options: String = FakeICAPServer.options,
    _ script: @escaping @Sendable (_ question: String, _ number: Int) -> Act
  ) async throws {
    (self.arrivals, self.arrival) = AsyncStream.makeStream()
    self.script = { question, number in
      question.hasPrefix("OPTIONS") ? .answer(options) : script(question, number)
    }
    let channel = try await ServerBootstrap(group: self.group)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          self.seen.withLock { $0.connections += 1 }
          try channel.pipeline.syncOperations.addHandler(Handler(self))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    self.channel.withLock { $0 = channel }
  }

  func stop() async {
    try? await self.channel.withLock { $0 }?.close().get()
    try? await self.group.shutdownGracefully()
  }

  private func act(on question: String) -> Act {
    let number = self.seen.withLock { seen in
      defer { seen.questions.append(question) }
      return seen.questions.count { !$0.hasPrefix("OPTIONS") }
    }
    self.arrival.yield(question)
    return self.script(question, number)
  }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: FakeICAPServer
    private var text = ""

    init(_ server: FakeICAPServer) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      self.text += String(buffer: self.unwrapInboundIn(data))
      guard self.isWhole else { return }
      let question = self.text
      self.text = ""
      switch self.server.act(on: question) {
      case .answer(let answer): self.send(answer, context)
      case .answerAndClose(let answer):
        self.send(answer, context)
        context.close(promise: nil)
      case .close: context.close(promise: nil)
      case .silence: return
      }
    }

    private func send(_ answer: String, _ context: ChannelHandlerContext) {
      context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
    }

    private var isWhole: Bool {
      guard self.text.hasSuffix("\r\n\r\n") else { return false }
      guard self.text.contains("null-body=") else {
        // The rest after a preview is chunks alone.
        return self.text.hasSuffix("\r\n0\r\n\r\n") || self.text.hasSuffix("0; ieof\r\n\r\n")
      }
      return self.text.hasPrefix("OPTIONS") || self.text.components("\r\n\r\n") > 2
    }
  }
}

extension String {
  /// How many times a separator stands in it, and one.
  fileprivate func components(_ separator: String) -> Int { self.ranges(of: separator).count + 1 }
}
