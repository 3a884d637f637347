import Support
import TideCore
import TidePolicy
import TideProxy

/// Plays a connection from a script: what a device, a server, the resolver and time do, in any order.
///
/// The first byte says under which rules (`Laboratory`); then come steps, each an octet that says what happens
/// (`Play.step`) and what it needs.
@main
enum ConnectionFuzz {
  static func main() { Fuzzing.run() }

  /// Made once: its keys and inspectors are what costs.
  ///
  /// Safe, because libFuzzer calls from one thread.
  nonisolated(unsafe) static let laboratories: [Laboratory] = Fuzzing.keeping {
    [
      Laboratory(.record, .block), Laboratory(.redact, .redact), Laboratory(.block, .block),
      Laboratory(.block, .redact),
    ]
  }
}

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var script = unsafe Script(Fuzzing.input(start, count))
  let laboratory = unsafe ConnectionFuzz.laboratories[Int(script.byte() & 3)]
  let play = Play(laboratory)
  var steps = 0
  while !script.isOver, steps < 200 {
    steps += 1
    play.step(&script)
  }
  play.end()
  return 0
}
