import CCallgrind
import Glibc

/// Does one benchmark's work so that valgrind can count its instructions; see README.md.
///
/// `instructions list` prints each benchmark's name, how many units it does, and what a unit is.
/// `instructions NAME` does it in the folder that it is run in, which should be empty.
@main
enum Instructions {
  static var all: [Benchmark] {
    HTTPBenchmarks.all + InspectionBenchmarks.all + CodingBenchmarks.all + PolicyBenchmarks.all
      + EvidenceBenchmarks.all + ExchangeBenchmarks.all
  }

  static func main() throws {
    let name = CommandLine.arguments.dropFirst().first ?? ""
    guard name != "list" else {
      for each in self.all { print("\(each.name)\t\(each.units)\t\(each.unit)") }
      return
    }
    guard let benchmark = self.all.first(where: { $0.name == name }) else {
      print("usage: instructions list|NAME")
      exit(2)
    }
    let work = try benchmark.prepare()
    // What is made on first use is no cost of what is done a million times.
    for _ in 0..<benchmark.warmUp { try work() }
    tide_dump_counts()
    for _ in 0..<benchmark.units { try work() }
    tide_dump_counts()
  }
}

/// A piece of work that takes the same instructions each time.
struct Benchmark {
  let name: String
  /// What one unit of it is, for people.
  let unit: String
  /// How often it is done while it is counted.
  let units: Int
  /// How often before.
  var warmUp = 2
  /// Makes what one unit needs, and the unit; units throw if they did not do what they should.
  let prepare: () throws -> () throws -> Void
}

/// Why a benchmark counts nothing: it did not do its work.
struct BenchmarkFailure: Error {
  let what: String
}

func require(_ condition: Bool, _ what: @autoclosure () -> String) throws(BenchmarkFailure) {
  if !condition { throw BenchmarkFailure(what: what()) }
}
