public import TideCore

/// Where answers about revocation are kept between connections, and between runs of the proxy.
///
/// Shared by the loops: neither method may block. What is kept is looked at again by whoever asks for it:
/// an answer proves itself by its signature and its dates, not by having been kept.
public protocol RevocationCache: Sendable {
  /// The answer of that name, if there is one that is not over.
  func answer(named name: String) -> Bytes?
  /// Keeps an answer under a name of hexadecimal digits, instead of the one before, until it is over.
  func keep(_ answer: Bytes, named name: String, until: WallTime)
}
