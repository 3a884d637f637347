import Foundation
import Testing

@testable import TideEngineNIO

@Suite struct FootprintTests {
  @Test("of all mappings, only a file's that cannot be written and never changed are given back")
  func unchanged() {
    let maps = """
      1000-3000 r--p 00000000 fe:00 10                                 /opt/a b/program
      Rss:                   8 kB
      Anonymous:             0 kB
      Swap:                  0 kB
      3000-6000 r-xp 00002000 fe:00 10                                 /opt/a b/program
      Rss:                  12 kB
      Anonymous:             0 kB
      Swap:                  0 kB
      6000-7000 r--p 00005000 fe:00 10                                 /opt/a b/program
      Rss:                   4 kB
      Anonymous:             4 kB
      Swap:                  0 kB
      7000-8000 r--p 00006000 fe:00 10                                 /opt/a b/program
      Anonymous:             0 kB
      Swap:                  4 kB
      8000-9000 rw-p 00007000 fe:00 10                                 /opt/a b/program
      Anonymous:             0 kB
      Swap:                  0 kB
      9000-a000 rw-p 00000000 00:00 0
      Anonymous:             0 kB
      Swap:                  0 kB
      a000-b000 r-xp 00000000 00:00 0                                  [vdso]
      Anonymous:             0 kB
      Swap:                  0 kB
      b000-c000 r--s 00000000 fe:00 11                                 /usr/share/shared
      Anonymous:             0 kB
      Swap:                  0 kB
      c000-f000 r-xp 00002000 fe:00 12                                 /lib/last.so
      Anonymous:             0 kB
      Swap:                  0 kB
      VmFlags: rd ex mr mw me
      """
    #expect(Footprint.unchangedPages(maps) == [0x1000..<0x3000, 0x3000..<0x6000, 0xC000..<0xF000])
    #expect(Footprint.unchangedPages("").isEmpty)
    #expect(Footprint.unchangedPages("Name:\ttrue\n1-\n-\n").isEmpty)
  }

  @Test("memory that was freed between blocks that are not is given back")
  func givesBack() throws {
    let block = 32 << 10
    var blocks: [[UInt8]] = (0..<3_200).map { [UInt8](repeating: UInt8($0 & 0xFF), count: block) }
    let before = try Self.residentKilobytes()
    // One of sixteen stays, so that no arena can shrink from its end.
    blocks = blocks.indices.filter { $0 % 16 == 0 }.map { blocks[$0] }
    Footprint.giveBack()
    let after = try Self.residentKilobytes()
    #expect(after < before - 50_000)
    #expect(blocks.indices.allSatisfy { blocks[$0][block - 1] == UInt8($0 * 16 & 0xFF) })
  }

  private static func residentKilobytes() throws -> Int {
    let text = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
    return try #require(
      line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
    )
  }

  @Test("Memory is given back when a thousand connections, three quarters of all, are gone: once")
  func ebb() {
    var ebb = Ebb()
    /// How many notes of the same number it takes; nil if ten do not do.
    func notes(of count: Int) -> Int? {
      (1...10).map { _ in ebb.isLow(count) }.firstIndex(of: true).map { $0 + 1 }
    }
    #expect(notes(of: 0) == nil)
    #expect(notes(of: 900) == nil)
    #expect(notes(of: 0) == nil)
    #expect(notes(of: 10_000) == nil)
    #expect(notes(of: 2_501) == nil)
    #expect(notes(of: 2_500) == 5)
    // From there anew.
    #expect(notes(of: 2_500) == nil)
    #expect(notes(of: 626) == nil)
    #expect(notes(of: 600) == 5)
    #expect(notes(of: 600) == nil)
    #expect(notes(of: 0) == nil)
    #expect(notes(of: 1_000) == nil)
    #expect(notes(of: 0) == 5)
  }

  @Test("Memory is not given back while connections still go")
  func ebbing() {
    var ebb = Ebb()
    func isLow(_ counts: [Int]) -> [Bool] { counts.map { ebb.isLow($0) } }
    #expect(!isLow(Array(stride(from: 9_900, through: 0, by: -100))).contains(true))
    #expect(isLow([0, 0, 0, 0]) == [false, false, false, true])
    // Where some come as others go, that is a rest too.
    ebb = Ebb()
    #expect(!isLow([5_000, 1_000, 900, 905, 901, 901, 903, 903]).contains(true))
    #expect(isLow([904]) == [true])
  }
}
