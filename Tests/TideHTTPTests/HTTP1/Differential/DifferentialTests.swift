import Testing

/// Our HTTP/1 parser beside llhttp, with which NIO's servers and Node.js read: what an origin takes for
/// something else than we did is a way past us.
@Suite struct DifferentialTests {
  @Test("What has no named difference means to llhttp what it means to us")
  func bothAgree() throws {
    for specimen in Specimen.agreed { try self.expect(nil, of: specimen) }
  }

  @Test("Each named difference is shown by each of its messages", arguments: Difference.allCases)
  func eachDifferenceIsShown(difference: Difference) throws {
    #expect(!difference.specimens.isEmpty)
    for specimen in difference.specimens { try self.expect(difference.kind, of: specimen) }
  }

  @Test("A thousand different messages are compared")
  func corpusIsLarge() {
    let all = Specimen.agreed + Difference.allCases.flatMap(\.specimens)
    #expect(Set(all.map(\.identity)).count >= 1_000)
  }

  private func expect(_ kind: Difference.Kind?, of specimen: Specimen) throws {
    let ours = Understanding(ours: specimen)
    let theirs = try Understanding(llhttp: specimen)
    #expect(
      Difference.Kind(ours, theirs) == kind,
      "\(specimen): ours \(ours), theirs \(theirs)"
    )
  }
}
