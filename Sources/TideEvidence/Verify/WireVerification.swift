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
    var tornBytes: UInt64 = 0
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
      guard reader.tornBytes > 0 else { continue }
      // Only a recorder that is at work, or was killed, leaves half a record, and only at the end.
      if isSealed || segment != segments.last {
        problem = "\(WireFormat.relativePath(of: segment)) ends in half a record"
      }
      tornBytes = reader.tornBytes
    }
    self.problem = problem
    self.check = VerificationReport.Check(
      name: "wire",
      isGood: problem == nil ? (tornBytes == 0 ? true : nil) : false,
      detail: problem
        ?? "\(records) records" + (tornBytes > 0 ? ", then half a one (\(tornBytes) bytes)" : "")
    )
  }
}
