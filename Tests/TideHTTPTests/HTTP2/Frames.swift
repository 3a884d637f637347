import TideCore

@testable import TideHTTP

/// Makes frames by hand, right ones and wrong ones (RFC 9113 §4.1 and §6).
enum Frames {
  static let magic = Bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

  static func frame(
    _ type: UInt8,
    flags: UInt8 = 0,
    stream: UInt32 = 0,
    _ payload: [UInt8] = []
  ) -> Bytes {
    var bytes = [0, 8, 16].map { UInt8(truncatingIfNeeded: payload.count >> (16 - $0)) }
    bytes += [type, flags]
    bytes += self.number(stream)
    return Bytes(bytes + payload)
  }

  static func number(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
  }

  static func settings(_ values: [(UInt16, UInt32)] = []) -> Bytes {
    self.frame(
      4,
      values.flatMap { id, value in
        [UInt8(id >> 8), UInt8(truncatingIfNeeded: id)] + self.number(value)
      }
    )
  }

  static let acknowledgement = Frames.frame(4, flags: 1)

  static func headers(
    _ stream: UInt32,
    _ fields: [(String, String)],
    isLast: Bool = false
  ) -> Bytes {
    self.frame(1, flags: isLast ? 5 : 4, stream: stream, self.block(fields))
  }

  static func data(_ stream: UInt32, _ text: String, isLast: Bool = false) -> Bytes {
    self.frame(0, flags: isLast ? 1 : 0, stream: stream, Array(text.utf8))
  }

  static func reset(_ stream: UInt32, _ code: HTTP2ErrorCode) -> Bytes {
    self.frame(3, stream: stream, self.number(code.rawValue))
  }

  static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> Bytes {
    self.frame(8, stream: stream, self.number(increment))
  }

  static func goAway(_ last: UInt32, _ code: HTTP2ErrorCode) -> Bytes {
    self.frame(7, self.number(last) + self.number(code.rawValue))
  }

  /// A field block of literals that no table keeps (RFC 7541 §6.2.2, or §6.2.3 if never indexed).
  static func block(_ fields: [(String, String)], isNeverIndexed: Bool = false) -> [UInt8] {
    fields.flatMap { name, value in
      [isNeverIndexed ? 0x10 : 0x00] + self.string(name) + self.string(value)
    }
  }

  static func string(_ text: String) -> [UInt8] {
    var length: [UInt8] = []
    var rest = text.utf8.count
    if rest < 127 {
      length = [UInt8(rest)]
    } else {
      length = [127]
      rest -= 127
      while rest >= 128 {
        length.append(UInt8(rest & 127) | 128)
        rest >>= 7
      }
      length.append(UInt8(rest))
    }
    return length + Array(text.utf8)
  }

  static func request(
    _ method: String = "GET",
    _ path: String = "/",
    _ more: [(String, String)] = []
  ) -> [(String, String)] {
    [(":method", method), (":scheme", "https"), (":authority", "a.example"), (":path", path)] + more
  }

  static func concatenated(_ parts: [Bytes]) -> Bytes {
    var all: [UInt8] = []
    for part in parts { all.append(contentsOf: part) }
    return Bytes(all)
  }
}

/// A frame that a codec wrote.
struct WrittenFrame: Equatable {
  var type: UInt8
  var flags: UInt8
  var stream: UInt32
  var payload: [UInt8]

  /// The error code of RST_STREAM or GOAWAY.
  var code: HTTP2ErrorCode? {
    switch self.type {
    case 3 where self.payload.count == 4: Self.code(self.payload[...])
    case 7 where self.payload.count >= 8: Self.code(self.payload[4..<8])
    default: nil
    }
  }

  /// The first number of the payload.
  var number: UInt32 { self.payload.prefix(4).reduce(0) { $0 << 8 | UInt32($1) } }

  private static func code(_ bytes: ArraySlice<UInt8>) -> HTTP2ErrorCode {
    HTTP2ErrorCode(rawValue: bytes.reduce(0) { $0 << 8 | UInt32($1) })
  }

  static func all(in output: [UInt8]) -> [WrittenFrame] {
    var rest = output[...]
    if rest.starts(with: Frames.magic) { rest = rest.dropFirst(Frames.magic.count) }
    var frames: [WrittenFrame] = []
    while rest.count >= 9 {
      let header = Array(rest.prefix(9))
      let length = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
      let stream = header[5...].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      frames.append(
        WrittenFrame(
          type: header[3],
          flags: header[4],
          stream: stream,
          payload: Array(rest.dropFirst(9).prefix(length))
        )
      )
      rest = rest.dropFirst(9 + length)
    }
    return frames
  }
}

/// A codec that is fed by hand, with all that came out of it.
final class HandFed {
  let codec: HTTP2Codec
  var events: [HTTP2Event] = []
  var failure: HTTPFailure?
  private(set) var written: [UInt8] = []
  var now = Instant(nanoseconds: 1_000_000_000)

  /// A codec past the preface, settings acknowledged both ways.
  init(_ role: HTTP2Codec.Role, limits: Limits = Limits(), settings: [(UInt16, UInt32)] = []) throws
  {
    self.codec = try HTTP2Codec(role: role, limits: limits)
    if case .server = role { self.receive(Frames.magic) }
    self.receive(Frames.settings(settings), Frames.acknowledgement)
    _ = self.frames()
    self.written = []
  }

  func receive(_ parts: Bytes...) { self.receive(parts) }

  func receive(_ parts: [Bytes]) {
    do throws(HTTPFailure) {
      try self.codec.receive(Frames.concatenated(parts), at: self.now, &self.events)
    } catch {
      self.failure = error
    }
  }

  /// All frames written so far.
  func frames(limit: Int = .max) -> [WrittenFrame] {
    do throws(HTTPFailure) {
      try self.codec.takeOutput(&self.written, limit: limit, &self.events)
    } catch {
      self.failure = error
    }
    return WrittenFrame.all(in: self.written)
  }

  /// The events, described.
  var seen: [String] { describe(self.events) }

  /// The code of the GOAWAY that was written, if any.
  func goAway() -> HTTP2ErrorCode? { self.frames().first { $0.type == 7 }?.code }

  /// The code of the RST_STREAM that was written for a stream, if any.
  func reset(_ stream: UInt32) -> HTTP2ErrorCode? {
    self.frames().first { $0.type == 3 && $0.stream == stream }?.code
  }
}

/// Two codecs joined in memory.
final class Joined {
  let client: HTTP2Codec
  let server: HTTP2Codec
  var clientEvents: [HTTP2Event] = []
  var serverEvents: [HTTP2Event] = []
  let now = Instant(nanoseconds: 1_000_000_000)

  init(limits: Limits = Limits(), serverLimits: Limits? = nil) throws {
    self.client = try HTTP2Codec(role: .client, limits: limits)
    self.server = try HTTP2Codec(role: .server, limits: serverLimits ?? limits)
    try self.run()
  }

  /// Carries bytes both ways until there are none, `piece` at a time.
  func run(piece: Int = .max) throws {
    while self.client.hasOutput || self.server.hasOutput {
      var bytes: [UInt8] = []
      try self.client.takeOutput(&bytes, limit: .max, &self.clientEvents)
      try Self.deliver(bytes, to: self.server, piece, self.now, &self.serverEvents)
      bytes = []
      try self.server.takeOutput(&bytes, limit: .max, &self.serverEvents)
      try Self.deliver(bytes, to: self.client, piece, self.now, &self.clientEvents)
    }
  }

  private static func deliver(
    _ bytes: [UInt8],
    to codec: HTTP2Codec,
    _ piece: Int,
    _ now: Instant,
    _ events: inout [HTTP2Event]
  ) throws {
    let all = Bytes(bytes)
    var position = 0
    while position < all.count {
      let end = piece >= all.count - position ? all.count : position + piece
      try codec.receive(all.slice(position..<end), at: now, &events)
      position = end
    }
  }
}

func requestHead(
  _ method: String = "GET",
  _ path: String = "/",
  _ fields: [(String, String)] = [],
  protocolName: Bytes? = nil
) -> MessageHead {
  MessageHead(
    start: .request(method: Bytes(method), target: Bytes(path)),
    version: .http2,
    fields: HeaderFields(fields),
    pseudo: PseudoFields(scheme: "https", authority: "a.example", protocolName: protocolName)
  )
}

func responseHead(_ status: Int, _ fields: [(String, String)] = []) -> MessageHead {
  MessageHead(
    start: .response(status: status, reason: Bytes()),
    version: .http2,
    fields: HeaderFields(fields)
  )
}

/// Events in words, with the content of neighbours joined.
func describe(_ events: [HTTP2Event]) -> [String] {
  var words: [String] = []
  var open: (StreamID, String)?
  func close() {
    if let (stream, text) = open { words.append("\(stream.number) body \(text)") }
    open = nil
  }
  for event in events {
    if case .body(let stream, let bytes) = event {
      if let (before, text) = open, before == stream {
        open = (stream, text + bytes.text)
      } else {
        close()
        open = (stream, bytes.text)
      }
      continue
    }
    close()
    words.append(describe(event))
  }
  close()
  return words
}

private func describe(_ event: HTTP2Event) -> String {
  switch event {
  case .head(let stream, let head, let isLast):
    let start =
      switch head.start {
      case .request(let method, let target): "\(method) \(target)"
      case .response(let status, _): "\(status)"
      }
    let fields = head.fields.isEmpty ? "" : " | " + describe(head.fields)
    return "\(stream.number) \(start)\(fields)\(isLast ? " last" : "")"
  case .body(let stream, let bytes): return "\(stream.number) body \(bytes.text)"
  case .trailers(let stream, let fields): return "\(stream.number) trailers \(describe(fields))"
  case .end(let stream): return "\(stream.number) end"
  case .reset(let stream, let code, let isFromPeer):
    return "\(stream.number) reset \(code) \(isFromPeer ? "theirs" : "ours")"
  case .sent(let stream, let count): return "\(stream.number) sent \(count)"
  case .goAway(let last, let code): return "goaway \(last.number) \(code)"
  case .extendedConnectAllowed: return "extended connect"
  case .refusedHead(let stream, let failure): return "\(stream.number) refused \(failure.code)"
  case .violation(let stream, let failure): return "\(stream.number) violation \(failure.code)"
  case .alternativeService: return "altsvc"
  }
}
