import TideCoding
public import TideCore

/// The number of a question to a scanner, so that its answer finds the message.
public struct ScanID: Hashable, Sendable {
  /// Counts from 1 for each connection.
  public let number: UInt32

  /// Makes an identifier.
  public init(_ number: UInt32) { self.number = number }
}

/// What a scanner is asked: one message, whole.
public struct ScanRequest: Sendable {
  /// Which of `LoopContext.scanners` is asked.
  public let scanner: Int
  /// The flow that the message is of.
  public let flow: FlowID
  /// The device's name.
  public let device: String
  /// The device's address.
  public let client: IPAddress
  /// Which of the two messages is to be looked at.
  public let direction: Direction
  /// The whole URL.
  public let url: String
  /// The request's head without its hop-by-hop fields.
  public let request: MessageHead
  /// The same of the response; nil if the request is to be looked at.
  public let response: MessageHead?
  /// The content as it was sent, without transfer coding.
  public let content: Bytes

  /// Joins a question.
  public init(
    scanner: Int,
    flow: FlowID,
    device: String,
    client: IPAddress,
    direction: Direction,
    url: String,
    request: MessageHead,
    response: MessageHead?,
    content: Bytes
  ) {
    self.scanner = scanner
    self.flow = flow
    self.device = device
    self.client = client
    self.direction = direction
    self.url = url
    self.request = request
    self.response = response
    self.content = content
  }

  /// The head of the message that is to be looked at.
  public var head: MessageHead {
    switch self.direction {
    case .request: self.request
    case .response: self.response ?? self.request
    }
  }

  /// The content without its content coding; nil if that cannot be taken off, or leaves more than `limit`
  /// bytes, or a hundred times as much.
  public func decodedContent(limit: Int) -> Bytes? {
    let values = self.head.fields.all("content-encoding")
    guard !values.isEmpty, !self.content.isEmpty else { return self.content }
    var codings: [ContentCoding] = []
    for value in values {
      guard let chain = ContentCoding.chain(value) else { return nil }
      codings += chain
    }
    guard codings.count <= ContentCoding.longestChain else { return nil }
    var decoder = ContentDecoder(codings, limits: DecodingLimits(decodedBytes: limit, ratio: 100))
    var pieces: [Bytes] = []
    do throws(CodingFailure) {
      try decoder.decode(self.content, &pieces)
      try decoder.finish()
    } catch {
      return nil
    }
    var whole: [UInt8] = []
    for piece in pieces { whole += piece.array }
    return Bytes(whole)
  }
}

/// What a scanner found in one place.
public struct ScanFinding: Hashable, Sendable {
  /// What it is.
  public let kind: FindingKind
  /// How sure.
  public let certainty: Certainty
  /// Where inside the content, as the scanner says it; may be empty.
  public let path: String
  /// The bytes it occupies, counted in the content without its content coding; nil if it did not say.
  public let range: Range<Int>?
  /// The bytes of that range; empty without one.
  public let value: Bytes

  /// Joins a finding.
  public init(
    kind: FindingKind,
    certainty: Certainty,
    path: String = "",
    range: Range<Int>? = nil,
    value: Bytes = Bytes()
  ) {
    self.kind = kind
    self.certainty = certainty
    self.path = path
    self.range = range
    self.value = value
  }
}

/// What a scanner answers.
public struct ScanAnswer: Sendable {
  /// What is to become of the message; applied in enforcing modes, elsewhere only recorded.
  public enum Verdict: Sendable {
    /// It may go on.
    case pass
    /// It goes on in this form; of a request the target stays as it was.
    case replace(MessageHead, content: Bytes)
    /// It does not go on; `reason` is for people.
    case refuse(reason: String)
  }

  /// What was found: judged by the rules like any other finding.
  public let findings: [ScanFinding]
  /// What is to become of the message.
  public let verdict: Verdict

  /// Joins an answer.
  public init(findings: [ScanFinding] = [], verdict: Verdict = .pass) {
    self.findings = findings
    self.verdict = verdict
  }
}

/// What becomes of a message that a scanner could not look at.
public enum ScanErrorPolicy: String, CaseIterable, Sendable {
  /// It is refused, in enforcing modes.
  case block
  /// It goes on.
  case bypass
}

/// Somebody outside the process who looks at whole messages.
///
/// Asked from every loop; must not block.
public protocol Scanner: Sendable {
  /// Its name in records, as `inspector` of its findings, and in rules' place as `scanner:NAME`.
  var name: String { get }
  /// The messages that it is asked about.
  var directions: Set<Direction> { get }
  /// What becomes of a message that it could not look at.
  var onError: ScanErrorPolicy { get }
  /// How long it may take, in nanoseconds.
  var timeout: UInt64 { get }
  /// Asks; `answer` is called exactly once, on any thread.
  func scan(
    _ request: ScanRequest,
    _ answer: @escaping @Sendable (Result<ScanAnswer, FlowFailure>) -> Void
  )
}

extension FindingKind {
  /// A scanner's own verdict on a message: malware, a forbidden word, whatever it looks for.
  public static let scanner = FindingKind("scanner")
}
