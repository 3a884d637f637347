import Support
import TideCore

/// Plants a phone's values in a message, has them found and taken out, and looks whether they are gone.
///
/// The first byte says what the message is (`Setup`), the second what is tried with it (`BodyTrial.run`); the
/// rest is its content, in which 0xFF and a byte after it stand for one of the phone's values in some coding
/// (`Plant`).
@main
enum RedactionFuzz {
  static func main() { Fuzzing.run() }
}

/// One plan for all inputs: to build it takes a second.
nonisolated(unsafe) private let laboratory = Fuzzing.keeping { Laboratory() }

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var script = unsafe Script(Fuzzing.input(start, count))
  let setup = Setup(script.byte())
  let seed = script.byte()
  let plain = Plant.planted(script.all())
  // Values are longer than their marks.
  if plain.isEmpty || plain.count > 4 << 10 { return 0 }
  if let place = setup.place {
    unsafe HeadTrial(laboratory, plain, at: place).run()
  } else {
    unsafe BodyTrial(laboratory, plain, setup).run(seed: seed)
  }
  return 0
}

/// What a message is: the bits of one byte.
struct Setup {
  /// Where in a head the input stands.
  enum Place { case query, field, cookie }

  /// Nil for a body.
  let place: Place?
  let fields: HeaderFields
  /// The body's coding.
  let coding: ContentCodingChoice

  init(_ bits: UInt8) {
    let types = [
      "application/json", "application/x-www-form-urlencoded", "text/plain",
      "multipart/form-data; boundary=b", "application/x-protobuf", "application/grpc",
      "application/octet-stream", nil,
    ]
    var pairs: [(String, String)] = []
    if let type = types[Int(bits & 7)] { pairs.append(("content-type", type)) }
    let place: Place? =
      switch bits >> 6 {
      case 3: bits & 8 == 0 ? .query : bits & 16 == 0 ? .field : .cookie
      default: nil
      }
    let codings: [ContentCodingChoice] = [
      .none, .gzip, .deflate, .zstd, .br, .gzipTwice, .none, .none,
    ]
    self.coding = place == nil ? codings[Int(bits >> 3 & 7)] : .none
    if let token = self.coding.token { pairs.append(("content-encoding", token)) }
    self.place = place
    self.fields = HeaderFields(pairs)
  }
}
