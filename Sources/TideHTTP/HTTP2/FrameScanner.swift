import TideCore

/// Follows the frame headers of the input, ahead of nghttp2, to bound what it would put up with.
///
/// nghttp2 tells nothing of frames that it ignores: unknown types, and all that comes for streams that
/// are gone. It also gives up without a GOAWAY when a header block has too many frames.
struct FrameScanner {
  /// Why a connection has to end.
  struct Violation {
    var code: HTTP2ErrorCode
    var failure: HTTPFailure
  }

  /// The most CONTINUATION frames of one header block.
  ///
  /// 17 frames of 16 KiB are four times the largest head that is let through by default.
  static let maxContinuations = 16
  /// How many frames are scanned before nghttp2 sees them.
  private static let framesAtOnce = 64
  private static let headerSize = 9

  /// What is left of the client's preface (RFC 9113 §3.4).
  private var prefaceLeft: Int
  /// How much of a frame header has come.
  private var headerCount = 0
  private var length = 0
  private var type: UInt8 = 0
  private var flags: UInt8 = 0
  private var payloadLeft = 0
  /// Whether a header block has begun whose last frame has not.
  private var isBlockOpen = false
  private var continuations = 0
  /// Counts the ALTSVC frames of the last scan.
  private(set) var alternativeServices = 0
  /// Counts the DATA frames of the last scan, to be paid once nghttp2 has seen them.
  ///
  /// Those with content have then earned more than they cost.
  private(set) var contentFrames = 0

  init(role: HTTP2Codec.Role) {
    switch role {
    case .server: self.prefaceLeft = 24
    case .client: self.prefaceLeft = 0
    }
  }

  /// Whether a header block has begun and not ended.
  var isMidHead: Bool {
    self.isBlockOpen || self.payloadLeft > 0 && Self.isHeaderBlock(self.type)
  }

  private static func isHeaderBlock(_ type: UInt8) -> Bool {
    type == FrameType.headers || type == FrameType.continuation
  }

  /// Scans some frames from `start` on, charging `budget` for those that move nothing forward.
  ///
  /// - Returns: up to where nghttp2 may read, and what forbids it to read on.
  mutating func scan(
    _ span: Span<UInt8>,
    from start: Int,
    _ budget: inout FrameBudget
  ) -> (end: Int, violation: Violation?) {
    self.alternativeServices = 0
    self.contentFrames = 0
    var at = start
    var frames = 0
    if self.prefaceLeft > 0 {
      let count = min(self.prefaceLeft, span.count - at)
      self.prefaceLeft -= count
      at += count
    }
    while at < span.count {
      let payload = min(self.payloadLeft, span.count - at)
      self.payloadLeft -= payload
      at += payload
      guard frames < Self.framesAtOnce else { break }
      let frameStart = at
      guard self.readHeader(span, &at) else { break }
      frames += 1
      if let violation = self.judge(&budget) { return (frameStart, violation) }
    }
    return (at, nil)
  }

  /// Reads on in a frame header (RFC 9113 §4.1).
  ///
  /// - Returns: whether it is complete.
  private mutating func readHeader(_ span: Span<UInt8>, _ at: inout Int) -> Bool {
    while at < span.count {
      let byte = span[at]
      switch self.headerCount {
      case 0: self.length = Int(byte)
      case 1, 2: self.length = self.length << 8 | Int(byte)
      case 3: self.type = byte
      case 4: self.flags = byte
      default: break
      }
      at += 1
      self.headerCount += 1
      if self.headerCount == Self.headerSize {
        self.headerCount = 0
        self.payloadLeft = self.length
        return true
      }
    }
    return false
  }

  private mutating func judge(_ budget: inout FrameBudget) -> Violation? {
    switch self.type {
    case FrameType.data:
      self.contentFrames += 1
      return nil
    case FrameType.headers:
      self.isBlockOpen = self.flags & FrameType.endHeaders == 0
      self.continuations = 0
      budget.earn(1)
      return nil
    case FrameType.continuation:
      if self.flags & FrameType.endHeaders != 0 { self.isBlockOpen = false }
      self.continuations += 1
      guard self.continuations <= Self.maxContinuations else {
        return Self.flood("a header block of more than \(Self.maxContinuations) CONTINUATIONs")
      }
    case FrameType.pushPromise:
      // Push is off, or the peer is a client; nghttp2 would accept it until our settings are
      // acknowledged (RFC 9113 §8.4).
      return Violation(
        code: .protocolError,
        failure: HTTPFailure(.malformedFrame, detail: "a PUSH_PROMISE, which is not allowed")
      )
    case FrameType.alternativeService: self.alternativeServices += 1
    default: break
    }
    return budget.spend() ? nil : Self.flood("too many frames that move nothing forward")
  }

  static func flood(_ detail: String) -> Violation {
    Violation(code: .enhanceYourCalm, failure: HTTPFailure(.flood, detail: detail))
  }
}

/// The numbers of RFC 9113 §6 and RFC 7838 §4 that the codec looks at.
enum FrameType {
  static let data: UInt8 = 0x0
  static let headers: UInt8 = 0x1
  static let resetStream: UInt8 = 0x3
  static let settings: UInt8 = 0x4
  static let pushPromise: UInt8 = 0x5
  static let goAway: UInt8 = 0x7
  static let continuation: UInt8 = 0x9
  static let alternativeService: UInt8 = 0xA

  static let endStream: UInt8 = 0x1
  static let acknowledgement: UInt8 = 0x1
  static let endHeaders: UInt8 = 0x4
}
