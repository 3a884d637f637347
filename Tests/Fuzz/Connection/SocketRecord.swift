import Support
import TideCore

/// Holds what was recorded of the device's socket against what crossed it.
///
/// It knows nothing of the machine's stages. A record begins with the connection's first byte or just behind the
/// exchange that opened a tunnel; from there on each turn records all that was given and sent in it, until both sides
/// have ended or the tunnel is passed on undecrypted.
struct SocketRecord {
  private static let accepted = Array("HTTP/1.1 200 Connection established\r\n\r\n".utf8)
  private static let credentials = Array("proxy-authorization:".utf8)

  /// What crossed the socket.
  private var given: [UInt8] = []
  private var sent: [UInt8] = []
  /// What was recorded of it, and where in it that began.
  private var requests: [UInt8] = []
  private var responses: [UInt8] = []
  private var begin: (given: Int, sent: Int)?
  private var ended: Set<Direction> = []
  private var isPassedOn = false

  /// Takes what one event brought: what it gave, what it had sent, what was recorded, and whether the tunnel is passed
  /// on from now on.
  mutating func turn(
    given: [UInt8],
    sent: [UInt8],
    recorded: [(direction: Direction, bytes: Bytes)],
    passedOn: Bool
  ) {
    self.given += given
    self.sent += sent
    let before = (requests: self.requests.count, responses: self.responses.count)
    for (direction, bytes) in recorded {
      require(!self.isPassedOn, "recorded of a tunnel that is passed on")
      require(!self.ended.contains(direction), "recorded after that side's end")
      if bytes.isEmpty { self.ended.insert(direction) }
      switch direction {
      case .request: self.requests.append(contentsOf: bytes)
      case .response: self.responses.append(contentsOf: bytes)
      }
    }
    let requests = self.requests.count - before.requests
    let responses = self.responses.count - before.responses
    if self.begin == nil, !recorded.isEmpty {
      self.begin = (self.given.count - requests, self.sent.count - responses)
    } else if self.begin != nil, !self.isPassedOn, !passedOn {
      require(requests == given.count, "\(requests) of \(given.count) bytes given are recorded")
      require(responses == sent.count, "\(responses) of \(sent.count) bytes sent are recorded")
    }
    self.isPassedOn = passedOn
  }

  /// The connection is over.
  func end() {
    guard let begin = self.begin else { return }
    require(begin.given >= 0 && begin.sent >= 0, "more is recorded than there was")
    if begin.given == 0 {
      require(begin.sent == 0, "the first answer is not recorded, and its request is")
    } else {
      let head = self.given.prefix(begin.given).drop { $0 == 0x0D || $0 == 0x0A }
      require(head.starts(with: "CONNECT ".utf8) && head.last == 0x0A, "begins amid a request")
      require(self.sent.prefix(begin.sent) == Self.accepted[...], "begins amid an answer")
    }
    require(
      self.isPassedOn || self.ended == [.request, .response],
      "only \(self.ended) of the sides have ended"
    )
    require(
      self.responses[...] == self.sent.dropFirst(begin.sent).prefix(self.responses.count),
      "what is recorded was not sent"
    )
    self.checkRequests(from: begin.given)
  }

  /// What is recorded is what was given, but for credentials for the proxy, which are in it nowhere.
  ///
  /// In a tunnel there are none, and a line that looks like some is as it came.
  private func checkRequests(from start: Int) {
    let mayHaveTunnel = self.given.firstRange(of: Array("CONNECT ".utf8)) != nil
    // Of the line so far: how much of the field's name it began with.
    var matched: Int? = 0
    for (recorded, byte) in zip(self.requests, self.given.dropFirst(start)) {
      let isHidden = matched == Self.credentials.count && byte > 0x20
      if byte == 0x0A {
        matched = 0
      } else if let count = matched, count < Self.credentials.count {
        matched = ASCII.lowercased(byte) == Self.credentials[count] ? count + 1 : nil
      }
      let isAsItCame = recorded == byte && (!isHidden || byte == 0x2A || mayHaveTunnel)
      require(isAsItCame || isHidden && recorded == 0x2A, "\(byte) is recorded as \(recorded)")
    }
  }
}
