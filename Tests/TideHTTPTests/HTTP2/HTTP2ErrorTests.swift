import Testing
import TideCore

@testable import TideHTTP

/// Frames that break the protocol, each with the code of RFC 9113 for it.
@Suite struct HTTP2ErrorTests {
  @Test(
    "A frame that breaks the connection's rules ends it with the right code, and nothing after it"
  )
  func connectionErrors() throws {
    let open = Frames.headers(1, Frames.request("POST"))
    let ended = Frames.headers(1, Frames.request(), isLast: true)
    let cases: [(name: String, frames: [Bytes], code: HTTP2ErrorCode)] = [
      ("zero increment", [Frames.windowUpdate(0, 0)], .protocolError),
      ("zero increment of a stream", [open, Frames.windowUpdate(1, 0)], .protocolError),
      ("window overflow", [Frames.windowUpdate(0, UInt32(Int32.max))], .flowControlError),
      ("DATA on stream 0", [Frames.data(0, "x")], .protocolError),
      ("DATA on an idle stream", [Frames.data(5, "x")], .protocolError),
      ("DATA after END_STREAM", [ended, Frames.data(1, "x")], .streamClosed),
      ("HEADERS after END_STREAM", [ended, Frames.headers(1, [("x", "y")])], .streamClosed),
      ("HEADERS on stream 0", [Frames.headers(0, Frames.request())], .protocolError),
      ("HEADERS on an even stream", [Frames.headers(2, Frames.request())], .protocolError),
      ("RST_STREAM on an idle stream", [Frames.reset(5, .cancel)], .protocolError),
      ("RST_STREAM on stream 0", [Frames.reset(0, .cancel)], .protocolError),
      (
        "RST_STREAM of three bytes", [open, Frames.frame(3, stream: 1, [0, 0, 0])], .frameSizeError
      ),
      ("PING of seven bytes", [Frames.frame(6, [0, 0, 0, 0, 0, 0, 0])], .frameSizeError),
      ("PING on a stream", [Frames.frame(6, stream: 1, [0, 0, 0, 0, 0, 0, 0, 0])], .protocolError),
      ("SETTINGS of five bytes", [Frames.frame(4, [0, 1, 0, 0, 0])], .frameSizeError),
      ("SETTINGS on a stream", [Frames.frame(4, stream: 1)], .protocolError),
      (
        "acknowledgement with content", [Frames.frame(4, flags: 1, [0, 1, 0, 0, 0, 0])],
        .frameSizeError
      ),
      ("ENABLE_PUSH of 2", [Frames.settings([(2, 2)])], .protocolError),
      ("too large a window", [Frames.settings([(4, 1 << 31)])], .flowControlError),
      ("too small a frame size", [Frames.settings([(5, 100)])], .protocolError),
      (
        "too large a frame", [Frames.frame(0x55, [UInt8](repeating: 0, count: 16_385))],
        .frameSizeError
      ),
      ("CONTINUATION of nothing", [Frames.frame(9, flags: 4, stream: 1)], .protocolError),
      (
        "a frame inside a header block",
        [
          Frames.frame(1, stream: 1, Frames.block(Frames.request())), Frames.windowUpdate(0, 1),
        ], .protocolError
      ),
      (
        "CONTINUATION of another stream",
        [
          Frames.frame(1, stream: 1, Frames.block(Frames.request())), Frames.frame(9, stream: 3),
        ], .protocolError
      ),
      (
        "padding longer than its frame", [open, Frames.frame(0, flags: 8, stream: 1, [9, 0])],
        .protocolError
      ),
      (
        "HPACK of nonsense",
        [Frames.frame(1, flags: 4, stream: 1, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])],
        .compressionError
      ),
      (
        "HPACK index of nothing", [Frames.frame(1, flags: 4, stream: 1, [0x80 | 70])],
        .compressionError
      ),
      (
        "PUSH_PROMISE", [open, Frames.frame(5, flags: 4, stream: 1, [0, 0, 0, 2])], .protocolError
      ),
      (
        "GOAWAY on a stream", [Frames.frame(7, stream: 1, [0, 0, 0, 0, 0, 0, 0, 0])], .protocolError
      ),
    ]
    for (name, frames, code) in cases {
      let fed = try HandFed(.server)
      fed.receive(frames)
      #expect(fed.failure?.code == .malformedFrame, "\(name)")
      #expect(fed.goAway() == code, "\(name)")
      #expect(fed.codec.isOver && fed.codec.openStreams == 0, "\(name)")
      let before = fed.events.count
      let failure = fed.failure
      fed.failure = nil
      fed.receive(Frames.headers(7, Frames.request(), isLast: true))
      #expect(fed.failure == failure && fed.events.count == before, "\(name)")
    }
  }

  @Test("The same errors byte by byte have the same end")
  func byteByByte() throws {
    let frames = [
      Frames.headers(1, Frames.request("POST")), Frames.data(1, "abc"), Frames.windowUpdate(0, 0),
    ]
    let fed = try HandFed(.server)
    for byte in Frames.concatenated(frames) { fed.receive(Bytes([byte])) }
    #expect(fed.seen == ["1 POST /", "1 body abc"])
    #expect(fed.failure?.code == .malformedFrame && fed.goAway() == .protocolError)
  }

  @Test("An error of one stream resets that stream only")
  func streamErrors() throws {
    let fed = try HandFed(.server)
    fed.receive(
      Frames.headers(1, Frames.request("POST")),
      Frames.windowUpdate(1, UInt32(Int32.max)),
      Frames.headers(3, Frames.request(), isLast: true)
    )
    #expect(fed.failure == nil && fed.reset(1) == .flowControlError)
    let seen = ["1 POST /", "1 reset FLOW_CONTROL_ERROR ours", "3 GET / last", "3 end"]
    // In which order the reset is told depends on when it was serialised.
    #expect(fed.seen.sorted() == seen.sorted())
  }

  @Test("More content than the windows allow ends the connection")
  func overrun() throws {
    var limits = Limits()
    limits.streamWindow = 1 << 20
    limits.connectionWindow = 65_535
    let fed = try HandFed(.server, limits: limits)
    fed.receive(Frames.headers(1, Frames.request("POST")))
    for _ in 0..<5 { fed.receive(Frames.data(1, String(repeating: "a", count: 16_000))) }
    #expect(fed.failure?.code == .malformedFrame && fed.goAway() == .flowControlError)
  }

  @Test("What is not HTTP/2 gets our settings and a GOAWAY")
  func notHTTP2() throws {
    for text in ["GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"] {
      let codec = try HTTP2Codec(role: .server, limits: Limits())
      var events: [HTTP2Event] = []
      let failure = #expect(throws: HTTPFailure.self) {
        try codec.receive(Bytes(text), at: Instant(nanoseconds: 1), &events)
      }
      #expect(failure?.code == .malformedFrame)
      var output: [UInt8] = []
      try codec.takeOutput(&output, limit: .max, &events)
      let frames = WrittenFrame.all(in: output)
      #expect(frames.first?.type == 4 && frames.last?.code == .protocolError)
      #expect(codec.isOver && !codec.hasOutput)
      codec.goAway(.noError)
      codec.consumed(1, on: StreamID(1))
      #expect(!codec.hasOutput)
    }
  }

  @Test(
    "A server whose first frame is not SETTINGS, or that pushes or sends requests, is not spoken to"
  )
  func badServer() throws {
    for frame in [
      Frames.headers(1, [(":status", "200")]), Frames.frame(6, [0, 0, 0, 0, 0, 0, 0, 0]),
    ] {
      let codec = try HTTP2Codec(role: .client, limits: Limits())
      var events: [HTTP2Event] = []
      #expect(throws: HTTPFailure.self) {
        try codec.receive(frame, at: Instant(nanoseconds: 1), &events)
      }
    }
    for frame in [
      Frames.frame(5, flags: 4, stream: 1, [0, 0, 0, 2] + Frames.block(Frames.request())),
      Frames.headers(2, Frames.request()),
    ] {
      let fed = try HandFed(.client)
      _ = try fed.codec.open(requestHead(), isLast: true)
      _ = fed.frames()
      fed.receive(frame)
      #expect(fed.failure?.code == .malformedFrame && fed.goAway() == .protocolError)
    }
  }

  @Test("What is sent out of order, beyond its length or short of it is refused")
  func unsendable() throws {
    let fed = try HandFed(.server)
    let stream = StreamID(1)
    fed.receive(Frames.headers(1, Frames.request(), isLast: true))
    let five = responseHead(200, [("content-length", "5")])
    func refused(_ body: () throws -> Void) {
      #expect((#expect(throws: HTTPFailure.self) { try body() })?.code == .unsendable)
    }
    refused { try fed.codec.sendBody("x", on: stream) }
    refused { try fed.codec.sendEnd(on: stream) }
    refused { try fed.codec.sendHead(responseHead(103), on: stream, isLast: true) }
    refused { try fed.codec.sendHead(responseHead(101), on: stream, isLast: false) }
    refused { try fed.codec.sendHead(requestHead(), on: stream, isLast: false) }
    refused { try fed.codec.sendHead(five, on: stream, isLast: true) }
    try fed.codec.sendHead(five, on: stream, isLast: false)
    refused { try fed.codec.sendHead(five, on: stream, isLast: false) }
    refused { try fed.codec.sendBody("123456", on: stream) }
    try fed.codec.sendBody("1234", on: stream)
    refused { try fed.codec.sendEnd(on: stream) }
    refused { try fed.codec.sendTrailers(HeaderFields([("x", "y")]), on: stream) }
    try fed.codec.sendBody("5", on: stream)
    try fed.codec.sendEnd(on: stream)
    refused { try fed.codec.sendEnd(on: stream) }
    try fed.codec.sendEnd(on: StreamID(77))
    #expect(fed.frames().last?.payload == Array("12345".utf8))
    #expect(throws: HTTPFailure.self) { try fed.codec.open(requestHead(), isLast: true) }
  }

  @Test("Codes have the RFC's names")
  func names() {
    #expect(HTTP2ErrorCode.enhanceYourCalm.description == "ENHANCE_YOUR_CALM")
    #expect(HTTP2ErrorCode(rawValue: 0x1234).description == "0x1234")
  }
}
