internal import TideCore
internal import TideCrypto

/// Reads heads and contents for their words: the work that takes longest, so that it is done ahead of the rows.
struct ContentWords {
  /// A version of one of a flow's two messages.
  struct Key: Hashable {
    let flow: UInt64
    let direction: Direction
    let stage: BodyStage
  }

  /// What a head says of its content.
  struct Facts {
    let type: String
    let coding: String?
  }

  /// A head, read.
  struct Head: Sendable {
    let head: RawHead
    let words: [UInt8]
  }

  /// How many flows and contents are remembered.
  private static let most = 16_384

  private let root: String
  private let keys: CaseKeys?
  /// What heads say whose contents have not come.
  private var facts: [Key: Facts] = [:]
  /// The words of contents that came before: much is sent again and again.
  private var known: [String: [UInt8]] = [:]

  init(_ log: LogReader) {
    self.root = log.root
    self.keys = log.keys
  }

  /// The head of a line.
  mutating func head(_ event: LogEvent) -> Head? {
    guard let key = Key(event) else { return nil }
    let bytes = self.bytes(of: event)
    let head = RawHead(bytes)
    // Of several heads the last is the message's (RFC 9110 §15.2).
    guard !head.isInformational else { return nil }
    if self.facts.count >= Self.most { self.facts.removeAll(keepingCapacity: true) }
    self.facts[key] = Facts(head)
    return Head(head: head, words: SearchText.words(ofHead: bytes, isHTTP2: head.isHTTP2))
  }

  /// The words of a flow's content; nil if its head is not known here.
  mutating func words(ofBody event: LogEvent) -> [UInt8]? {
    guard let key = Key(event), let facts = self.facts.removeValue(forKey: key) else { return nil }
    return self.words(ofBody: event, facts)
  }

  /// The words of a flow's content, of which the head says this.
  mutating func words(ofBody event: LogEvent, _ facts: Facts) -> [UInt8] {
    guard let digest = event.members["sha256"]?.string else { return [] }
    let name = "\(digest) \(facts.coding ?? "") \(facts.type)"
    if let words = self.known[name] { return words }
    var words: [UInt8] = []
    if let content = self.start(of: digest) {
      let decoded = CaseReader.decoded(
        content,
        facts.coding,
        limit: 64 * SearchText.contentLimit
      )
      words = Self.words(of: decoded, type: facts.type)
    }
    if self.known.count >= Self.most { self.known.removeAll(keepingCapacity: true) }
    // What is long seldom comes again.
    if words.count <= 2_048 { self.known[name] = words }
    return words
  }

  /// The words of a message.
  func words(ofMessage event: LogEvent) -> [UInt8] {
    guard let digest = event.members["sha256"]?.string, let content = self.start(of: digest) else {
      return []
    }
    return Self.words(of: content, type: "")
  }

  /// Forgets a flow that has ended.
  mutating func end(_ event: LogEvent) {
    guard let flow = event.flow, !self.facts.isEmpty else { return }
    for direction in Direction.allCases {
      for stage in BodyStage.allCases {
        self.facts[Key(flow: flow.number, direction: direction, stage: stage)] = nil
      }
    }
  }

  /// The bytes of a head, wherever they lie.
  func bytes(of event: LogEvent) -> Bytes {
    if let data = event.members["data"]?.string {
      return Bytes(Base64.standard.decode(data.utf8) ?? [])
    }
    return event.members["sha256"]?.string.flatMap { self.start(of: $0) } ?? Bytes()
  }

  private static func words(of content: Bytes, type: String) -> [UInt8] {
    let content = content.slice(0..<min(content.count, SearchText.contentLimit))
    return SearchText.form(ofType: type, beginning: content)
      .map { SearchText.words(of: content, $0) } ?? []
  }

  /// The first bytes of a content; nil if it is not there, or is damaged: the index says nothing of that.
  private func start(of digest: String) -> Bytes? {
    guard var reader = try? BodyReader(root: self.root, sha256: digest, keys: self.keys) else {
      return nil
    }
    return try? reader.next()
  }
}

extension ContentWords.Key {
  init?(_ event: LogEvent) {
    guard let flow = event.flow,
      let direction = event.members["direction"]?.string.flatMap(Direction.init(rawValue:)),
      let stage = event.members["stage"]?.string.flatMap(BodyStage.init(rawValue:))
    else { return nil }
    self.init(flow: flow.number, direction: direction, stage: stage)
  }
}

extension ContentWords.Facts {
  init(_ head: RawHead) {
    self.init(type: head.mediaType, coding: head.first("content-encoding"))
  }
}

extension SearchText {
  /// The words of a head: of its start line, or pseudo-fields, and of the values of its fields.
  static func words(ofHead bytes: Bytes, isHTTP2: Bool) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count)
    var isFirst = !isHTTP2
    for line in bytes.split(separator: 0x0A) {
      let isPseudo = line.first == 0x3A
      if !isFirst, let colon = line.dropFirst(isPseudo ? 1 : 0).firstIndex(of: 0x3A) {
        text.append(contentsOf: line[(colon + 1)...])
      } else {
        text.append(contentsOf: line)
      }
      text.append(0x0A)
      isFirst = false
    }
    return self.words(of: Bytes(text), .encoded)
  }
}
