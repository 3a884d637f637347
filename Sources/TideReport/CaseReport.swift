public import TideEvidence

/// Makes a report of a case: one HTML document that needs nothing else.
public enum CaseReport {
  /// The most rows of the table of findings.
  static let mostRows = 120
  /// The most exhibits.
  static let mostExhibits = 30

  /// The report of a case, in UTF-8.
  ///
  /// Its size is bounded whatever the case's: it says what was left out, and which command shows it.
  ///
  /// - Parameters:
  ///   - reader: the case.
  ///   - verification: what checking the case came to just now; nil if it was not checked.
  ///   - options: in which language, and how much.
  /// - Returns: the document.
  /// - Throws: what reading the case says.
  public static func html(
    of reader: CaseReader,
    verification: VerificationReport?,
    options: ReportOptions
  ) throws(EvidenceFailure) -> [UInt8] {
    let facts = try CaseFacts(reader)
    let tally = try Tally(reader, facts)
    let groups = Self.sorted(tally.groups.values)
    var exhibits: [Exhibit] = []
    for group in Self.exhibited(groups) {
      exhibits.append(try Exhibit(group, reader, secret: facts.secret))
    }
    return ReportPage(facts, tally, groups, exhibits, verification, options).document
  }

  /// Watched regions first, then kind by kind, and of each what was sent most often.
  static func sorted(_ groups: some Sequence<Tally.Group>) -> [Tally.Group] {
    groups.sorted { a, b in
      let x = Self.rank(a)
      let y = Self.rank(b)
      if x != y { return x.lexicographicallyPrecedes(y) }
      return (a.key.kind, -a.count, a.first, a.key.host, a.key.device)
        < (b.key.kind, -b.count, b.first, b.key.host, b.key.device)
    }
  }

  private static func rank(_ group: Tally.Group) -> [Int] {
    [
      group.watched == nil ? 1 : 0, group.key.isRequest ? 0 : 1, Answer.weight(group.key.kind),
    ]
  }

  /// The groups that have an exhibit, in the order of the table: of each kind the first, then of each the
  /// second, until there are enough.
  static func exhibited(_ groups: [Tally.Group]) -> [Tally.Group] {
    var seen = Set<[String]>()
    var turns: [String: Int] = [:]
    var pairs: [(turn: Int, place: Int, group: Tally.Group)] = []
    for (place, group) in groups.enumerated()
    where seen.insert([group.key.kind, group.key.host]).inserted {
      pairs.append((turns[group.key.kind, default: 0], place, group))
      turns[group.key.kind, default: 0] += 1
    }
    pairs.sort { ($0.turn, $0.place) < ($1.turn, $1.place) }
    return pairs.prefix(Self.mostExhibits).sorted { $0.place < $1.place }.map(\.group)
  }
}
