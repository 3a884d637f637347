import NIOCore
import NIOPosix
import Synchronization
import TideCore

@testable import TideEngineNIO

/// A name server on the loopback address, UDP and TCP on one port, that answers as a test wants.
final class FakeNameServer: Sendable {
  /// One question as it came.
  struct Asked: Sendable {
    let id: UInt16
    let spelling: [UInt8]
    let type: UInt16
    let isTCP: Bool
    let isExtended: Bool

    var name: String { DNSName(spelling: self.spelling).host?.text ?? "" }

    /// An answer with the question as it was asked.
    func answer(code: UInt16 = 0, _ records: [[UInt8]] = []) -> DNSBuilder {
      var builder = DNSBuilder()
      builder.id = self.id
      builder.flags |= code
      builder.question = self.spelling + DNSBuilder.octets(self.type) + [0, 1]
      builder.answers = records
      return builder
    }
  }

  typealias Script = @Sendable (Asked) -> [DNSBuilder]

  let server: NameServer
  private let channels: [any Channel]
  private let log: Log

  private final class Log: Sendable {
    let asked = Mutex<[Asked]>([])
  }

  /// Every question so far.
  var asked: [Asked] { self.log.asked.withLock { $0 } }

  init(on loop: any EventLoop, _ script: @escaping Script) async throws {
    let log = Log()
    self.log = log
    var channels: [any Channel]?
    var port: UInt16 = 0
    while channels == nil {
      let udp = try await DatagramBootstrap(group: loop)
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(Datagrams(log: log, script: script))
          }
        }
        .bind(host: "127.0.0.1", port: 0).get()
      port = UInt16(udp.localAddress?.port ?? 0)
      let tcp = try? await ServerBootstrap(group: loop)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(Streams(log: log, script: script))
          }
        }
        .bind(host: "127.0.0.1", port: Int(port)).get()
      // Another program may have that port of TCP's.
      if let tcp { channels = [udp, tcp] } else { try await udp.close() }
    }
    self.channels = channels ?? []
    self.server = NameServer(address: .v4(0x7F00_0001), port: port)
  }

  func stop() async throws { for channel in self.channels { try await channel.close() } }

  private static func answers(
    to bytes: [UInt8],
    isTCP: Bool,
    _ log: Log,
    _ script: Script
  ) -> [[UInt8]] {
    guard let message = try? DNSMessage(Bytes(bytes)), let question = message.questions.first else {
      return []
    }
    let asked = Asked(
      id: message.id,
      spelling: question.spelling,
      type: question.type,
      isTCP: isTCP,
      isExtended: bytes[11] == 1
    )
    log.asked.withLock { $0.append(asked) }
    return script(asked).map(\.bytes.array)
  }

  private final class Datagrams: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    let log: Log
    let script: Script

    init(log: Log, script: @escaping Script) {
      self.log = log
      self.script = script
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let datagram = self.unwrapInboundIn(data)
      let bytes = Array(datagram.data.readableBytesView)
      for answer in FakeNameServer.answers(to: bytes, isTCP: false, self.log, self.script) {
        let envelope = AddressedEnvelope(
          remoteAddress: datagram.remoteAddress,
          data: ByteBuffer(bytes: answer)
        )
        context.writeAndFlush(NIOAny(envelope), promise: nil)
      }
    }
  }

  private final class Streams: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    let log: Log
    let script: Script
    private var received: [UInt8] = []

    init(log: Log, script: @escaping Script) {
      self.log = log
      self.script = script
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      self.received += Array(self.unwrapInboundIn(data).readableBytesView)
      guard self.received.count >= 2 else { return }
      let length = Int(self.received[0]) << 8 | Int(self.received[1])
      guard self.received.count >= 2 + length else { return }
      let question = Array(self.received[2..<2 + length])
      for answer in FakeNameServer.answers(to: question, isTCP: true, self.log, self.script) {
        // Byte by byte: a stream has no messages.
        for byte in DNSBuilder.octets(UInt16(answer.count)) + answer {
          context.writeAndFlush(NIOAny(ByteBuffer(bytes: [byte])), promise: nil)
        }
      }
    }
  }
}
