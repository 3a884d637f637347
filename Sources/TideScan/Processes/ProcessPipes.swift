import Glibc
import NIOCore
import NIOPosix
import TideCore

/// The pipes of one child process; confined to its loop, and of no more use once they are closed.
final class ProcessPipes {
  /// The most lines of standard error that are passed on in a second.
  private static let mostWords = 20

  let pid: pid_t
  private let child: ChildProcess
  private weak var worker: ProcessWorker?
  private let eventLoop: any EventLoop
  private var channel: (any Channel)?
  private var errors: (any Channel)?
  /// What is to be written once the pipes are open.
  private var early: [UInt8] = []
  private var isClosed = false
  private var words = (second: UInt64(0), count: 0)

  init(_ child: ChildProcess, worker: ProcessWorker, on eventLoop: any EventLoop) {
    self.pid = child.pid
    self.child = child
    self.worker = worker
    self.eventLoop = eventLoop
  }

  /// Begins to read.
  func open() {
    let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
    NIOPipeBootstrap(group: self.eventLoop)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipes = bound.value
          try channel.pipeline.syncOperations.addHandler(
            LineHandler(limit: ProcessWorker.lineLimit, pipes) { pipes, event in
              switch event {
              case .line(let line): pipes.worker?.received(line, pipes)
              case .overflow: pipes.worker?.overflowed(pipes)
              case .end: pipes.worker?.ended(pipes)
              }
            }
          )
        }
      }
      .takingOwnershipOfDescriptors(input: self.child.output, output: self.child.input)
      .whenComplete { bound.value.opened($0) }
    NIOPipeBootstrap(group: self.eventLoop)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            LineHandler(limit: 4 << 10, bound.value) { pipes, event in
              if case .line(let line) = event { pipes.said(line) }
            }
          )
        }
      }
      .takingOwnershipOfDescriptor(input: self.child.errors)
      .whenComplete { result in
        guard case .success(let channel) = result else { return }
        bound.value.errors = channel
        if bound.value.isClosed { channel.close(promise: nil) }
      }
  }

  private func opened(_ result: Result<any Channel, any Error>) {
    switch result {
    case .failure: self.worker?.ended(self)
    case .success(let channel):
      self.channel = channel
      guard !self.isClosed else {
        channel.close(promise: nil)
        return
      }
      let early = self.early
      self.early = []
      if !early.isEmpty { self.write(early) }
    }
  }

  /// Writes a line.
  func write(_ line: [UInt8]) {
    guard let channel = self.channel else {
      self.early += line
      return
    }
    channel.writeAndFlush(ByteBuffer(bytes: line), promise: nil)
  }

  /// Closes our ends.
  func close() {
    self.isClosed = true
    self.channel?.close(promise: nil)
    self.errors?.close(promise: nil)
  }

  private func said(_ line: ArraySlice<UInt8>) {
    let second = NIODeadline.now().uptimeNanoseconds / 1_000_000_000
    if second != self.words.second { self.words = (second, 0) }
    self.words.count += 1
    guard self.words.count <= Self.mostWords else { return }
    let shown = line.prefix(256).map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 }
    self.worker?.said(String(decoding: shown, as: UTF8.self))
  }
}

/// Cuts what comes into lines.
private final class LineHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  enum Event {
    /// A line without its end.
    case line(ArraySlice<UInt8>)
    /// The line under way is over the limit; the rest of it is thrown away.
    case overflow
    case end
  }

  private let limit: Int
  private let pipes: ProcessPipes
  private let body: (ProcessPipes, Event) -> Void
  private var line: [UInt8] = []
  private var isOver = false

  init(limit: Int, _ pipes: ProcessPipes, _ body: @escaping (ProcessPipes, Event) -> Void) {
    self.limit = limit
    self.pipes = pipes
    self.body = body
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var rest = Array(self.unwrapInboundIn(data).readableBytesView)[...]
    while let feed = rest.firstIndex(of: 0x0A) {
      self.take(rest[..<feed])
      if !self.isOver { self.body(self.pipes, .line(self.line[...])) }
      self.line.removeAll(keepingCapacity: true)
      self.isOver = false
      rest = rest[(feed + 1)...]
    }
    self.take(rest)
  }

  private func take(_ part: ArraySlice<UInt8>) {
    guard !self.isOver else { return }
    guard part.count <= self.limit - self.line.count else {
      self.isOver = true
      self.line = []
      self.body(self.pipes, .overflow)
      return
    }
    self.line += part
  }

  func channelInactive(context: ChannelHandlerContext) { self.body(self.pipes, .end) }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
