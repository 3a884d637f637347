internal import TideCore

/// Stands for the index, which is not built here: a case's reader without anything to ask.
public final class CaseReader: Sendable {
  func body(_ digest: String, limit: Int) throws(EvidenceFailure) -> Bytes { Bytes() }
}
