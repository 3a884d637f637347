import Foundation
import Testing

@testable import TideEvidence

@Suite struct RewritingTests {
  private let cases = CasesFolder()

  @Test("After a sync that failed a file is written over itself, and stays as it is")
  func rewritten() throws {
    let path = try self.cases.record(Play.exchange(1))
    let file = LogReader.path(of: 1, in: path)
    let whole = try read(file)
    for start in [0, 1, whole.count - 1, whole.count, whole.count + 9] {
      try Rewriting.rewrite(file, from: UInt64(start))
      #expect(try read(file) == whole)
    }
    try Rewriting.rewrite(path + "/log", from: 0)
    #expect(throws: EvidenceFailure.self) { try Rewriting.rewrite(path + "/none", from: 0) }
  }
}
