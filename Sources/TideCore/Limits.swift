/// Every bound of the data plane, in one place (sizes in bytes).
public struct Limits: Sendable {
  /// The most bytes of a ClientHello, records included; beyond it the connection is closed.
  public var helloBytes = 128 << 10
  /// The most bytes of a message head; beyond it `431` to a client, `502` for a server.
  public var headBytes = 64 << 10
  /// The most fields of a head or trailer section; beyond it as for `headBytes`.
  public var headFields = 128
  /// The most bytes of one chunk-size line with its extensions; beyond it the message is refused.
  public var chunkLineBytes = 4 << 10
  /// The inspection window: what is held back at most so that no match is partly released.
  public var windowBytes = 64 << 10
  /// The most bytes of a body that is held whole; beyond it the rule's `otherwise`.
  public var holdBytes = 1 << 20
  /// The most decoded bytes that are inspected per flow and direction.
  public var decodedBytes = 8 << 20
  /// The most decoded bytes per encoded byte.
  public var decodedRatio = 100
  /// The most layers inside each other that are opened.
  public var decodedDepth = 8
  /// The most places inside the containers of one message that are looked at one by one.
  public var decodedNodes = 200_000
  /// How long opening the layers of one message in one direction may take, in nanoseconds.
  public var decodedTime: UInt64 = 250_000_000
  /// The most decoded bytes that a loop's messages gather to be opened at their ends; beyond it those of
  /// a message are searched as they pass and not opened, which its record says.
  public var gatheredPerLoop = 64 << 20
  /// The output queue of a leg above which the other leg is not read.
  public var outputHigh = 256 << 10
  /// The output queue of a leg below which the other leg is read again.
  public var outputLow = 64 << 10
  /// The most streams that a device may have open on one HTTP/2 connection; more are refused.
  public var streams = 100
  /// The flow-control window of one HTTP/2 stream: what a fast side can be ahead of a slow one.
  public var streamWindow = 256 << 10
  /// The flow-control window of an HTTP/2 connection, and so the most of its content that waits here.
  public var connectionWindow = 4 << 20
  /// The most content that the streams of one HTTP/2 connection hold for redaction; beyond it only the
  /// oldest of them is read on, so that one after the other completes.
  public var heldPerConnection = 8 << 20
  /// How many frames that move nothing forward (pings, settings, resets, empty data) an HTTP/2 peer may
  /// send in a burst; beyond it the connection is closed with ENHANCE_YOUR_CALM.
  public var idleFrameBurst = 2_000
  /// How many such frames a second are always allowed.
  public var idleFramesPerSecond = 200
  /// How many streams a device may open and reset in a burst; beyond it as for `idleFrameBurst`.
  public var resetBurst = 500
  /// How many resets a second are always allowed.
  public var resetsPerSecond = 50
  /// The most frames of one WebSocket message that are held where a block rule may fire on it; beyond it
  /// the rule's `otherwise`.
  public var heldFrames = 8_192
  /// The most payload bytes of one WebSocket message that are kept for its record; the rest is in the
  /// flow's bodies.
  public var messageBytes = 1 << 20
  /// The most connections per loop; beyond it nothing is accepted.
  ///
  /// Idle ones take some 50 KiB each: a full loop of them 800 MiB.
  public var connectionsPerLoop = 16_384
  /// The most leaves in a loop's cache; the least recently used goes first.
  public var leaves = 1_024
  /// The most addresses of one name that are dialled, one after the other; all of them are judged.
  public var candidates = 16

  /// The defaults.
  public init() {}
}

/// How long each wait may last, in nanoseconds.
public struct Timeouts: Sendable {
  /// For a name's addresses.
  public var dns: UInt64 = 5_000_000_000
  /// For a TCP connection, per candidate.
  public var connect: UInt64 = 10_000_000_000
  /// For a TLS handshake, and for a hello.
  public var handshake: UInt64 = 10_000_000_000
  /// For a whole request head, once its first byte is there.
  public var header: UInt64 = 15_000_000_000
  /// For a response head after the request's end.
  public var response: UInt64 = 60_000_000_000
  /// Without a byte either way.
  public var idle: UInt64 = 300_000_000_000

  /// The defaults.
  public init() {}
}
