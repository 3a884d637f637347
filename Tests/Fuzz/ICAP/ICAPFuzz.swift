import Support
import TideCore
import TideProxy

@testable import TideScan

/// Feeds an ICAP server's answers to the parser, to an exchange and to what is made of them.
///
/// The first byte says what was asked (`Asked`), the second how the bytes are cut; the rest is what the
/// server sends.
@main
enum ICAPFuzz {
  static func main() { Fuzzing.run() }
}

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var script = unsafe Script(Fuzzing.input(start, count))
  let asked = Asked(script.byte())
  let seed = script.byte()
  let input = script.all()
  let whole = Answers(input, .whole, contentLimit: asked.contentLimit)
  for cut in [Cut.single, .pieces(seed: seed)] {
    let other = Answers(input, cut, contentLimit: asked.contentLimit)
    require(other.answers == whole.answers, "\(cut): other answers")
    require(other.failure == whole.failure, "\(cut): failed otherwise")
  }
  for response in whole.responses {
    let count = response.content.count
    require(count <= asked.contentLimit, "\(count) bytes of content")
    asked.judge(response)
  }
  asked.play(input, .pieces(seed: seed))
  return 0
}

/// What a parser made of an input.
struct Answers {
  /// One response, in a form that can be compared.
  struct Answer: Equatable {
    let status: Int
    let fields: [[Bytes]]
    let start: StartLine?
    let content: Bytes

    init(_ response: ICAPResponse) {
      self.status = response.status
      self.fields =
        Self.list(response.fields) + (response.head.map { Self.list($0.fields) } ?? [])
      self.start = response.head?.start
      self.content = response.content
    }

    private static func list(_ fields: HeaderFields) -> [[Bytes]] {
      (0..<fields.count).map { [fields.name(at: $0), fields.value(at: $0)] }
    }
  }

  private(set) var responses: [ICAPResponse] = []
  private(set) var failure: ScanFailure.Code?

  var answers: [Answer] { self.responses.map(Answer.init) }

  init(_ input: Bytes, _ cut: Cut, contentLimit: Int) {
    var parser = ICAPParser(contentLimit: contentLimit)
    do throws(ScanFailure) {
      for piece in cut.pieces(input) {
        var bytes = piece
        // What follows a response is read when it is asked for.
        while let response = try parser.receive(bytes) {
          self.responses.append(response)
          bytes = Bytes()
        }
      }
    } catch {
      self.failure = error.code
    }
  }
}
