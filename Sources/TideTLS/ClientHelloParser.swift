public import TideCore

/// Reads a ClientHello off the start of a connection, before anything is decided or answered.
///
/// It reassembles the handshake message over any number of records, split anywhere (RFC 8446 §5.1),
/// and holds no more than `Limits.helloBytes`.
public struct ClientHelloParser: Sendable {
  /// How far the reading has come.
  ///
  /// All but `needMore` is final.
  public enum State: Sendable {
    /// The hello is not complete.
    case needMore
    /// The hello is complete; its `raw` is everything taken so far, for the server session.
    case hello(HelloFacts)
    /// What came is not TLS.
    case notTLS
    /// It began as TLS and breaks its grammar; why.
    case malformed(String)
    /// It is over the limit, or announces that it will be.
    case tooLarge
  }

  private let limit: Int
  private var state = State.needMore
  /// Everything taken so far.
  public private(set) var raw = Bytes()
  /// Where in `raw` the next record begins.
  private var position = 0
  /// The handshake message so far: header and body, without record headers.
  private var message: [UInt8] = []

  /// Makes a parser that holds at most `limits.helloBytes`.
  public init(limits: Limits) { self.limit = limits.helloBytes }

  /// Takes in the next bytes; none are taken once the state is final.
  public mutating func receive(_ bytes: Bytes) -> State {
    guard case .needMore = self.state else { return self.state }
    self.raw.append(bytes)
    self.state = self.advance()
    return self.state
  }

  /// Takes all complete records, until the message is complete.
  private mutating func advance() -> State {
    while self.position < self.raw.count {
      // Before all else, so that the answer does not depend on how much of a record has come.
      guard self.position + 5 <= self.limit else { return .tooLarge }
      // The first byte alone tells TLS from all else that we know.
      guard self.raw[self.position] == 0x16 else {
        return self.position == 0 ? .notTLS : .malformed("a record other than of a handshake")
      }
      guard self.raw.count - self.position >= 5 else { break }
      guard self.raw[self.position + 1] == 3 else {
        return self.position == 0 ? .notTLS : .malformed("a record of no TLS version")
      }
      let length = Int(self.raw[self.position + 3]) << 8 | Int(self.raw[self.position + 4])
      guard (1...(16 << 10)).contains(length) else {
        return .malformed("a record of \(length) bytes")
      }
      let end = self.position + 5 + length
      guard end <= self.limit else { return .tooLarge }
      guard end <= self.raw.count else { break }
      self.message.append(contentsOf: self.raw.slice((self.position + 5)..<end))
      self.position = end
      if let outcome = self.parseMessage() { return outcome }
    }
    return self.raw.count < self.limit ? .needMore : .tooLarge
  }

  /// Parses the message if it is whole; nil if it is not.
  private func parseMessage() -> State? {
    guard let type = self.message.first else { return nil }
    guard type == 1 else { return .malformed("a handshake message that is not a ClientHello") }
    guard self.message.count >= 4 else { return nil }
    let length =
      Int(self.message[1]) << 16 | Int(self.message[2]) << 8 | Int(self.message[3])
    guard 4 + length <= self.limit else { return .tooLarge }
    guard self.message.count >= 4 + length else { return nil }
    // A client waits for the answer; libssl refuses more in the same record as well.
    guard self.message.count == 4 + length else { return .malformed("bytes after the ClientHello") }
    do throws(HelloFields.Defect) {
      let fields = try HelloFields(self.message)
      return .hello(fields.facts(raw: self.raw))
    } catch {
      return .malformed(error.reason)
    }
  }
}
