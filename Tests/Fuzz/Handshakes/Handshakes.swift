import Glibc

/// Plays handshakes, good and failing, between sessions that are joined in memory.
///
/// They are the same ones for the same seed. AddressSanitizer or valgrind sees whether one of them leaks
/// or errs. Synchronous to the end, because valgrind does not get through an asynchronous main.
@main
enum Handshakes {
  static func main() {
    let arguments = CommandLine.arguments.dropFirst().map { Int($0) }
    guard arguments.count <= 2, arguments.allSatisfy({ ($0 ?? -1) >= 0 }) else {
      stop("usage: handshakes [COUNT] [SEED]")
    }
    let count = arguments.first.flatMap { $0 } ?? 1_000
    let seed = arguments.dropFirst().first.flatMap { $0 } ?? 1
    do {
      try Self.play(count, seed: UInt64(seed))
    } catch {
      stop("\(error)")
    }
  }

  private static func play(_ count: Int, seed: UInt64) throws {
    var dice = Dice(seed: seed)
    var played: [Scene: Int] = [:]
    var laboratory = try Laboratory()
    for number in 0..<count {
      // So that contexts, minters and authorities come and go as well.
      if number % 100 == 99 { laboratory = try Laboratory() }
      let scene = Scene.allCases[number % Scene.allCases.count]
      do {
        try scene.play(in: laboratory, &dice)
      } catch {
        throw Broken("handshake \(number), \(scene): \(error)")
      }
      played[scene, default: 0] += 1
    }
    for scene in Scene.allCases { print("\(played[scene, default: 0]) \(scene)") }
    print("\(count) handshakes with seed \(seed), all as expected")
  }
}

/// What did not turn out as it must.
struct Broken: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Throws unless `condition` holds.
func require(_ condition: Bool, _ claim: @autoclosure () -> String) throws(Broken) {
  guard condition else { throw Broken(claim()) }
}

/// Ends the process with a line of explanation.
func stop(_ reason: String) -> Never {
  print("handshakes: \(reason)")
  exit(1)
}

/// SplitMix64: the same throws for the same seed.
struct Dice: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { self.state = seed }

  mutating func next() -> UInt64 {
    self.state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = self.state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
  }
}
