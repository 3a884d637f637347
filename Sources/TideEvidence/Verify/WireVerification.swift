internal import TideCore

/// Whether the files of wire/ read as records; nil if there are none.
struct WireVerification {
  let check: VerificationReport.Check
  /// What is wrong, if anything is.
  let problem: String?

  init?(root: String, isSealed: Bool) throws(EvidenceFailure) {
    let segments = try WireFormat.segments(in: root)
    guard !segments.isEmpty else { return nil }
    var records = 0
    var rest = WireRest.nothing
    var problem: String?
    for (index, segment) in segments.enumerated() where problem == nil {
      guard segment == index + 1 else {
        problem = "\(WireFormat.relativePath(of: index + 1)) is missing"
        break
      }
      var reader = try WireReader(root: root, segment: segment)
      do throws(EvidenceFailure) {
        while try reader.next() != nil { records += 1 }
      } catch {
        guard error.code == .malformed else { throw error }
        problem = "\(WireFormat.relativePath(of: segment)) has what is no record"
      }
      guard problem == nil else { break }
      rest = reader.rest
      // Only a recorder that is at work, was killed or lost its power leaves what is no whole record,
      // and only at the end; before a case is sealed it is cut off.
      if isSealed || segment != segments.last { problem = Self.problem(rest, in: segment) }
    }
    self.problem = problem
    self.check = VerificationReport.Check(
      name: "wire",
      isGood: problem == nil ? (rest == .nothing ? true : nil) : false,
      detail: problem ?? "\(records) records" + Self.words(rest)
    )
  }

  private static func problem(_ rest: WireRest, in segment: Int) -> String? {
    let path = WireFormat.relativePath(of: segment)
    return switch rest {
    case .nothing: nil
    case .half: "\(path) ends in half a record"
    case .noRecord: "\(path) has what is no record"
    }
  }

  private static func words(_ rest: WireRest) -> String {
    switch rest {
    case .nothing: ""
    case .half(let count): ", then half a one (\(count) bytes)"
    case .noRecord(let count): ", then \(count) bytes that are none"
    }
  }
}
