public import TideCore

/// A destination that was decided on, with the one address that may be dialled for it.
///
/// Only `PolicySnapshot` makes one: to hold the value is the proof that the address was judged.
public struct PinnedTarget: Hashable, Sendable {
  /// What the client asked for.
  public let authority: Authority
  /// The address to dial.
  public let address: IPAddress
  /// Where it lies.
  public let region: Region

  init(authority: Authority, candidate: Candidate) {
    self.authority = authority
    self.address = candidate.address
    self.region = candidate.region
  }
}
