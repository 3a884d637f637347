import TideConfig
import Testing

@Suite struct FuzzTests {
  /// SplitMix64: the same bytes on every machine from the same seed.
  private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      self.state &+= 0x9E37_79B9_7F4A_7C15
      var z = self.state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
  }

  private static let spices = [
    "*", "&a", "*a", "!!str ", "? ", "- ", ": ", "{", "}", "[", "]", "\"", "'", "|\n", ">\n", "\t",
    "#", "%", "---\n", "...\n", "<<: ", "\u{0}", "\u{E000}", "\u{FEFF}", "\\x", "\r", "\u{85}",
    "~", "99999999999999999999", "-1", "é", "🌊", ",", "@", "`", "\n", "  ",
  ]

  private static func mutated(_ text: String, _ generator: inout Generator) -> String {
    var scalars = Array(text.unicodeScalars)
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      let start = Int.random(in: 0...scalars.count, using: &generator)
      let end = min(scalars.count, start + Int.random(in: 0...12, using: &generator))
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: scalars.removeSubrange(start..<end)
      case 1: scalars.insert(contentsOf: scalars[start..<end], at: start)
      case 2: scalars = Array(scalars[..<start])
      default:
        let spice = Self.spices.randomElement(using: &generator) ?? ""
        scalars.insert(contentsOf: Array(spice.unicodeScalars), at: start)
      }
    }
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  @Test("However an example is damaged, it reads or says where it does not", arguments: 1...4)
  func damagedExamples(seed: Int) {
    var generator = Generator(state: UInt64(seed))
    for _ in 0..<60 {
      let lines =
        problems(configuration: Self.mutated(Examples.configuration, &generator))
        + problems(rules: Self.mutated(Examples.rules, &generator))
        + problems(device: Self.mutated(Examples.device, &generator))
      for line in lines {
        #expect(line.contains(".yaml:") && !line.contains("\n"))
      }
    }
  }
}
