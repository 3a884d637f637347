import Support
import TideCore
import TideHTTP

/// Feeds `HTTP2Codec`.
///
/// The first byte says how. Bit 0: the codec is a client's. Bit 1: the rest is no peer's bytes but a script for a
/// client and a server that talk to each other (`Conversation`). Bit 2: small limits. Bit 3: the peer's bytes come
/// after a preface and a SETTINGS frame that need not be spelt out. The second byte says how the bytes are cut.
@main
enum HTTP2Fuzz {
  static func main() { Fuzzing.run() }

  static let now = Instant(nanoseconds: 1_000_000_000)

  static func limits(_ bits: UInt8) -> Limits {
    var limits = Limits()
    if bits & 4 != 0 {
      limits.headBytes = 128
      limits.headFields = 4
      limits.streams = 2
      limits.streamWindow = 256
      limits.connectionWindow = 65_535
      limits.idleFrameBurst = 8
      limits.idleFramesPerSecond = 1
      limits.resetBurst = 2
      limits.resetsPerSecond = 1
    }
    return limits
  }
}

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var script = unsafe Script(Fuzzing.input(start, count))
  let bits = script.byte()
  let seed = script.byte()
  if bits & 2 != 0 {
    let conversation = Conversation(limits: HTTP2Fuzz.limits(bits), cut: .pieces(seed: seed))
    conversation.play(&script)
    return 0
  }
  var input: Bytes = bits & 8 == 0 ? "" : Reading.beginning(isClient: bits & 1 != 0)
  input.append(script.all())
  let whole = Reading(input, .whole, bits)
  for cut in [Cut.single, .pieces(seed: seed)] {
    let other = Reading(input, cut, bits)
    // A flood is judged after some frames at once; what comes after a peaceful end is read or not; more of a
    // stream that we reset is an error until the reset has left, and nothing after: then one has seen more.
    let isLate = whole.isOver || other.isOver || whole.hasViolation || other.hasViolation
    if whole.failure != nil && other.failure != nil || isLate {
      // Of a frame that breaks its message's length, the bytes that keep it are given out if they come first.
      require(whole.goesAlong(with: other), "\(cut): \(other.events), not \(whole.events)")
      continue
    }
    require(other.failure == whole.failure, "\(cut): \(other.outcome), not \(whole.outcome)")
    let isSame =
      whole.hasOwnReset || other.hasOwnReset
      ? other.eventsByStream == whole.eventsByStream : other.events == whole.events
    require(isSame, "\(cut): \(other.events), not \(whole.events)")
    require(other.alternativeServices == whole.alternativeServices, "\(cut): other ALTSVC frames")
  }
  return 0
}
