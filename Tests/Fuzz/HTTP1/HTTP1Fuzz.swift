import Support
import TideCore
import TideHTTP

/// Feeds messages to `HTTP1Codec`.
///
/// The first byte says who reads them (`Setup`), the second how they are cut; the rest is what a peer sends.
@main
enum HTTP1Fuzz {
  static func main() { Fuzzing.run() }
}

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var script = unsafe Script(Fuzzing.input(start, count))
  let setup = Setup(script.byte())
  let seed = script.byte()
  let input = script.all()
  let whole = Reading(input, .whole, setup)
  whole.checkSizes()
  whole.checkSerialising()
  for cut in [Cut.single, .pieces(seed: seed)] {
    let other = Reading(input, cut, setup)
    require(other.messages == whole.messages, "\(cut): other messages")
    require(other.failure == whole.failure, "\(cut): \(other.outcome), not \(whole.outcome)")
    require(other.leftover == whole.leftover, "\(cut): another leftover")
  }
  return 0
}

/// Who reads: the bits of one byte.
struct Setup {
  /// Reads responses, not requests.
  let isClient: Bool
  /// The peer closes at the end.
  let closes: Bool
  let limits: Limits
  /// What the responses answer.
  let method: Bytes

  init(_ bits: UInt8) {
    self.isClient = bits & 1 != 0
    self.closes = bits & 2 != 0
    var limits = Limits()
    if bits & 4 != 0 {
      limits.headBytes = 64
      limits.headFields = 3
      limits.chunkLineBytes = 8
    }
    self.limits = limits
    let methods: [Bytes] = ["GET", "HEAD", "CONNECT", "POST"]
    self.method = methods[Int(bits >> 3 & 3)]
  }

  func codec() -> HTTP1Codec {
    var codec = HTTP1Codec(role: self.isClient ? .client : .server, limits: self.limits)
    if self.isClient { codec.expectResponse(toMethod: self.method) }
    return codec
  }
}
