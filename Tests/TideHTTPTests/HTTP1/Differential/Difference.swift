/// A known difference between llhttp, as NIO sets it up, and us; the messages that show each are in
/// `Difference+Specimens.swift`.
enum Difference: String, CaseIterable, Sendable {
  // We refuse, or miss an end of, what they take for whole.

  /// RFC 9112 §3 has one space between the words of a request line; how many a server takes is its own.
  case spacesInRequestLine
  /// We skip one CRLF before a request (RFC 9112 §2.2), they any number, and a bare CR or LF, and before
  /// responses too, where bytes that nobody asked for may be another request's answer.
  case emptyLines
  /// A version that is not HTTP's says that the rest may not be either.
  case otherProtocol
  /// Without exactly one Host, which a server goes by is its own (RFC 9112 §3.2 demands a 400).
  case hostCount
  /// What follows a CONNECT is the tunnel: content that its head declares is read as one or the other.
  case contentInConnect
  /// We can only inspect, and frame again, what is chunked alone; anything before it hides content.
  case otherCodings
  /// A recipient that knows HTTP/1.0 takes no notice of Transfer-Encoding (RFC 9112 §6.1).
  case codingInOldVersion
  /// A length of 2⁶³ or more is negative to a recipient that counts in signed integers.
  case hugeSize
  /// A chunk size of more than sixteen digits wraps around where digits are not watched.
  case longChunkSize
  /// Host in a trailer section routes the message where trailers are merged (RFC 9110 §6.5.1).
  case hostInTrailers
  /// A status below 100 has no class, so no framing (RFC 9110 §15).
  case lowStatus
  /// Controls in a reason phrase are outside the grammar (RFC 9112 §4) and reach terminals.
  case controlInReason
  /// A 101 to a request that asked for no upgrade that we pass on: they hand over to whoever upgrades.
  case switchingProtocols
  /// A connection that ends after a 100 has not answered.
  case onlyInformational

  // They refuse what we take: nothing that we could frame otherwise than another recipient.

  /// Methods are any token (RFC 9110 §9.1), and framing does not depend on the ones that they know.
  case unknownMethod
  /// A later minor version is one that we speak, and more (RFC 9110 §2.5); ours goes out as 1.1.
  case laterMinorVersion
  /// Whether a target has one of the four forms is `RequestTarget`'s to judge, when the head is whole.
  case targetForm
  /// Devices send raw UTF-8 in targets; it is one octet after the other to everyone.
  case rawOctetInTarget
  /// Whether a connection persists is the relay's to judge: it reads no second request after the last.
  case bytesAfterLastRequest
  /// We drop chunk extensions and write chunks of our own, so nobody after us sees their grammar.
  case chunkExtensionGrammar
  /// A tab after a length is white space (RFC 9110 §5.5) that goes no further in our reading of it.
  case tabAfterLength

  // Both take it, but say something else.

  /// They leave white space after a value for their caller to trim; RFC 9112 §5.1 takes it off.
  case blanksAfterValue
  /// They expect no content in a refusal of CONNECT; RFC 9110 §9.3.6 excepts only 2xx.
  case contentOfRefusedConnect
  /// NIO spells M-SEARCH without its hyphen.
  case methodSpelling

  /// Who is stricter.
  enum Kind: Sendable {
    case weAreStricter
    case theyAreStricter
    case readDifferently

    /// Compares two understandings of one input; nil if a recipient could not tell them apart.
    init?(_ ours: Understanding, _ theirs: Understanding) {
      guard zip(ours.complete, theirs.complete).allSatisfy({ $0 == $1 }) else {
        self = .readDifferently
        return
      }
      if ours.ending.rawValue > theirs.ending.rawValue {
        self = .weAreStricter
      } else if ours.ending.rawValue < theirs.ending.rawValue {
        self = .theyAreStricter
      } else if ours.complete.count == theirs.complete.count {
        return nil
      } else {
        self = ours.complete.count < theirs.complete.count ? .weAreStricter : .theyAreStricter
      }
    }
  }

  var kind: Kind {
    switch self {
    case .spacesInRequestLine, .emptyLines, .otherProtocol, .hostCount, .contentInConnect,
      .otherCodings, .codingInOldVersion, .hugeSize, .longChunkSize, .hostInTrailers, .lowStatus,
      .controlInReason, .switchingProtocols, .onlyInformational:
      .weAreStricter
    case .unknownMethod, .laterMinorVersion, .targetForm, .rawOctetInTarget, .bytesAfterLastRequest,
      .chunkExtensionGrammar, .tabAfterLength:
      .theyAreStricter
    case .blanksAfterValue, .contentOfRefusedConnect, .methodSpelling: .readDifferently
    }
  }
}
