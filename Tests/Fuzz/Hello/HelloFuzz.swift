import Support
@testable import TLSSupport
import TideCore
import TideTLS

/// Feeds hellos to `ClientHelloParser`, and those that it accepts to libssl's server.
///
/// The first byte says what the rest is (`Setup`), the second how it is cut.
@main
enum HelloFuzz {
  static func main() { Fuzzing.run() }
}

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var script = unsafe Script(Fuzzing.input(start, count))
  let setup = Setup(script.byte())
  let seed = script.byte()
  let wire = setup.wire(script.all(), seed: seed)
  let whole = Reading(wire, .whole, setup.limits)
  for cut in [Cut.single, .pieces(seed: seed)] {
    let other = Reading(wire, cut, setup.limits)
    require(other.outcome == whole.outcome, "\(cut): \(other.outcome), not \(whole.outcome)")
    require(whole.raw.starts(with: other.raw), "\(cut): other bytes")
  }
  guard case .hello(let hello) = whole.state else { return 0 }
  require(hello.raw == wire, "the hello is not what came")
  check(hello)
  return 0
}

/// Compares what was read with how libssl goes on with it: a server that it is not asked for would get
/// round every rule about names.
private func check(_ hello: HelloFacts) {
  let print = Array(hello.fingerprint.utf8)
  require(print.count == 36, "a fingerprint of \(print.count) characters")
  require(print[10] == 0x5F && print[23] == 0x5F, "a fingerprint that is not in three parts")
  do {
    let reading = try unsafe Laboratory.reader.get().read(hello.raw)
    if reading.isAccepted { require(reading.agrees(with: hello), "libssl reads \(reading)") }
  } catch {
    fail("no server session: \(error)")
  }
}

/// What is made once.
private enum Laboratory {
  // libFuzzer has one thread.
  nonisolated(unsafe) static let reader = Result { try ServerReader() }
}

/// What an input is: the bits of one byte.
struct Setup {
  /// The input is a list of extensions, and all around it is right.
  let isInner: Bool
  /// That hello is in small records.
  let isFragmented: Bool
  let limits: Limits

  init(_ bits: UInt8) {
    self.isInner = bits & 1 != 0
    self.isFragmented = bits & 2 != 0
    var limits = Limits()
    if bits & 4 != 0 { limits.helloBytes = 128 }
    self.limits = limits
  }

  /// What comes from the client.
  func wire(_ input: Bytes, seed: UInt8) -> Bytes {
    guard self.isInner else { return input }
    var text = HelloText.modern
    // A name and protocols are what the input is to bring.
    text.extensions?.removeAll { $0.0 == 0 || $0.0 == 16 }
    text.rawExtensions = input.array
    return Bytes(text.wire(recordSize: self.isFragmented ? Int(seed) + 1 : 16_384))
  }
}

/// What a parser made of an input.
struct Reading {
  let state: ClientHelloParser.State
  /// What it had taken by then.
  let raw: Bytes

  init(_ wire: Bytes, _ cut: Cut, _ limits: Limits) {
    var parser = ClientHelloParser(limits: limits)
    var state = ClientHelloParser.State.needMore
    for piece in cut.pieces(wire) {
      state = parser.receive(piece)
      if case .needMore = state { continue }
      break
    }
    self.state = state
    self.raw = parser.raw
    let held = parser.raw.count
    // The last piece is one of at most 16 bytes unless all came at once.
    if case .whole = cut {
    } else {
      require(held <= limits.helloBytes + 16, "\(held) bytes are held")
    }
    if case .needMore = state { return }
    _ = parser.receive("\u{16}")
    require(parser.raw.count == held, "bytes are taken after the end")
  }

  /// All that must not depend on the cut.
  var outcome: String {
    switch self.state {
    case .needMore: "more needed"
    case .notTLS: "not TLS"
    case .tooLarge: "too large"
    case .malformed(let reason): "malformed: \(reason)"
    case .hello(let hello):
      """
      hello: \(hello.serverName?.text ?? "-") \(hello.hasMalformedServerName) \
      \(hello.applicationProtocols) \(hello.versions) \(hello.hasEncryptedHello) \
      \(hello.fingerprint)
      """
    }
  }
}
