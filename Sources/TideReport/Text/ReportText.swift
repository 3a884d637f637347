/// All that a report says in words: one value for each language, so that none lacks a sentence that another
/// has.
struct ReportText: Sendable {
  /// How many of what; both in the language's way of writing numbers.
  typealias Counted = @Sendable (Int) -> String

  /// Words that occur everywhere.
  struct Common: Sendable {
    let title: String
    let tagline: String
    let page: String
    let contents: String
    let none: String
    let unknown: String
    let yes: String
    let no: String
    let times: Counted
    let hosts: Counted
    let flows: Counted
    let findings: Counted
    let bytes: Counted
    let duration: @Sendable (_ seconds: Int64) -> String
    /// `a, b and c`.
    let list: @Sendable ([String]) -> String
    /// What stands between the members of a row that has no last word.
    let comma: String
    /// The same where members have commas of their own.
    let semicolon: String
    /// What one kind is called at the head of a row.
    let kinds: [String: String]
    let local: String
    let unknownRegion: String
    /// A clock that readers of the language live by: its name and seconds east of UTC; nil for UTC alone.
    let zone: (name: String, secondsEast: Int64)?
    let device: @Sendable (_ number: Int) -> String
    let client: @Sendable (_ number: Int) -> String
    let mark: @Sendable (_ number: Int) -> String
    let shareSafe: String
    let altered: @Sendable (_ outcome: String) -> String
    let intact: String
    let alteredAt: @Sendable (_ line: UInt64?, _ what: String) -> String
    let incompleteFrom: @Sendable (_ line: UInt64) -> String
    let certain: String
    let likely: String
    let possible: String
    let allow: String
    let log: String
    let redact: String
    let block: String
    /// Of a row that stands for those left out.
    let more: @Sendable (_ count: Int, _ command: String) -> String
  }

  /// What was sent, of one kind, in the answer.
  struct Sent: Sendable {
    let kind: String
    let times: Int
    let hosts: Int
  }

  /// The first sentences.
  struct Answer: Sendable {
    let heading: String
    /// What the kind is called when the device sent it: `its IMEI`.
    let owned: [String: String]
    let others: @Sendable (_ kinds: Int) -> String
    let sent:
      @Sendable (_ duration: String, _ before: String?, _ device: String, [Sent], _ place: String)
        ->
        String
    let withheld:
      @Sendable (
        _ duration: String, _ device: String, [Sent], _ place: String, _ stopped: Int,
        _ replaced: Int
      ) -> String
    let elsewhere:
      @Sendable (_ duration: String, _ device: String, [Sent], _ places: String, _ watched: String)
        ->
        String
    let nothing: @Sendable (_ duration: String, _ flows: Int) -> String
    let empty: String
    let thisDevice: @Sendable (_ name: String) -> String
    let devices: Counted
    let alsoWithheld: @Sendable (_ stopped: Int, _ replaced: Int) -> String
    let afterConsent: @Sendable (_ count: Int, _ mark: String) -> String
    let firstAfterMark: @Sendable (_ time: String, _ after: String, _ mark: String) -> String
    let first: @Sendable (_ time: String) -> String
    let possibleToo: Counted
    let undecrypted: @Sendable (_ flows: Int, _ hosts: Int) -> String
    let allDecrypted: String
    let notIntercepted: Counted
    let outOfSight: String
    let statFlows: String
    let statHosts: String
    let statCountries: String
    let statFindings: String
    let statUndecrypted: String
  }

  /// Who, what, when.
  struct Particulars: Sendable {
    let heading: String
    let `case`: String
    let operatorName: String
    let notSaid: String
    let devices: String
    let mode: String
    let modes: [String: String]
    let tool: String
    let made: String
    let from: String
    let to: String
    let stillOpen: String
    let times: String
    let timesAre: String
    let clock: String
    let anchored: @Sendable (_ system: String, _ monotonic: String) -> String
    let noClock: String
    let clockSteps: @Sendable (_ count: Int, _ largest: String) -> String
    let sessions: String
    let watched: String
    let files: String
    let configuration: String
    let rules: String
    let regions: String
    let role: String
    let name: String
    let date: String
    let digest: String
    let integrity: String
    let check: String
    let checked: @Sendable (_ outcome: String, _ lines: Int) -> String
    let unchecked: String
    let lastHash: String
    let treeHead: String
    let treeHeadIs: @Sendable (_ root: String, _ size: Int, _ isSigned: Bool) -> String
    let seal: String
    let sealed: @Sendable (_ time: String) -> String
    let unsealed: String
    let signer: String
    let manifest: String
    let timestamp: String
    let timestamped: @Sendable (_ digest: String) -> String
    let notTimestamped: String
    let caseDigest: String
  }

  /// The table of findings.
  struct Findings: Sendable {
    let heading: String
    let intro: String
    let none: String
    let caption: String
    let kind: String
    let host: String
    let region: String
    let device: String
    let count: String
    let firstLast: String
    let certainty: String
    let applied: String
    let received: String
    let watched: String
    let sent: Counted
    let replaced: Counted
    let stopped: Counted
    let exhibit: @Sendable (_ number: Int) -> String
  }

  /// The exhibits.
  struct Exhibits: Sendable {
    let heading: String
    let intro: String
    let title: @Sendable (_ number: Int, _ kind: String, _ host: String) -> String
    let request: String
    let when: String
    let flow: String
    let address: String
    let notDialled: String
    let region: String
    let signal: @Sendable (_ country: String, _ source: String) -> String
    let asn: @Sendable (_ number: UInt32) -> String
    let verdict: String
    let verdictIs: @Sendable (_ decided: String, _ applied: String, _ rule: String?) -> String
    let record: String
    let records: String
    /// What rules ask for, as verbs.
    let decisions: [String: String]
    let digestToo: String
    let line: @Sendable (_ type: String, _ number: String) -> String
    let body: String
    let transport: String
    let path: String
    let recorded: @Sendable (_ offset: String, _ length: String) -> String
    let opened: String
    let omitted: Counted
    let locations: [String: String]
    /// What layers are called, where their own name is not what people say.
    let layers: [String: String]
    let cut: Counted
    let basisElement: String
    let basisShape: String
    let basisRecorded: String
    let basisChecked: String
    let notKept: String
    let unreadable: String
    let notFound: String
    let instead: String
    let get: String
    let boxed: String
    let others: @Sendable (_ count: Int, _ command: String) -> String
    let target: @Sendable (_ part: String, _ count: Int) -> String
    let pathWord: String
    let queryWord: String
    let chain: String
  }

  /// The time line and its phases.
  struct Timeline: Sendable {
    let heading: String
    let intro: String
    let alternative: @Sendable (_ flows: Int, _ findings: Int, _ marks: Int) -> String
    let flows: String
    let withFindings: String
    let toWatched: String
    let elsewhere: String
    let phases: String
    let phase: String
    let window: String
    let beforeMarks: String
    let noMarks: String
    let found: String
    let otherKinds: Counted
  }

  /// The procedure of 2014.
  struct Checklist: Sendable {
    let heading: String
    let intro: String
    let step: String
    let window: String
    let whatSent: String
    let notMarked: String
    let nothingSent: String
    let steps: [Marks.Step: String]
    let sent: @Sendable (_ kind: String, _ times: Int, _ host: String, _ region: String) -> String
    let withheld:
      @Sendable (_ kind: String, _ times: Int, _ host: String, _ region: String) -> String
    let otherMarks: String
    let more: Counted
  }

  /// The map.
  struct Places: Sendable {
    let heading: String
    let intro: String
    let alternative: @Sendable (_ countries: [String]) -> String
    let caption: String
    let country: String
    let flows: String
    let hosts: String
    let findings: String
    let watched: String
    let notOnMap: @Sendable (_ names: String) -> String
    let none: String
    let more: Counted
  }

  /// What was not seen.
  struct Limits: Sendable {
    let heading: String
    let intro: String
    let decrypted: @Sendable (_ decrypted: Int, _ flows: Int) -> String
    let undecrypted: String
    let host: String
    let region: String
    let flows: String
    let bytes: String
    let why: String
    let treatments: [String: String]
    let observed: String
    let what: String
    let connections: String
    let example: String
    let coverage: [String: String]
    let noCoverage: String
    let gaps: String
    let gap: @Sendable (_ time: String, _ events: Int, _ pieces: Int, _ cause: String) -> String
    let noGaps: String
    let recovered: Counted
    let open: Counted
    let failed: Counted
    let refused: Counted
    let purged: @Sendable (_ bodies: Int, _ bytes: Int) -> String
    let observeMode: String
    let ungrouped: Counted
    let noted: @Sendable (_ flows: Int, _ command: String) -> String
    let always: [String]
  }

  /// How it was done.
  struct Method: Sendable {
    let heading: String
    let paragraphs: [String]
    let certainties: [(String, String)]
    let actions: String
    let map: String
  }

  /// How to check it.
  struct Verification: Sendable {
    let heading: String
    let intro: String
    let place: String
    let signer: String
    let manifest: String
    let signature: String
    let files: String
    let chain: String
    let independent: String
    let timestamp: String
    let expect: @Sendable (_ value: String) -> String
    let unsealed: String
    let shareSafe: String
  }

  let language: ReportLanguage
  let common: Common
  let answer: Answer
  let particulars: Particulars
  let findings: Findings
  let exhibits: Exhibits
  let timeline: Timeline
  let checklist: Checklist
  let places: Places
  let limits: Limits
  let method: Method
  let verification: Verification

  /// The text in a language.
  static func text(in language: ReportLanguage) -> ReportText {
    switch language {
    case .english: .english
    case .traditionalChinese: .traditionalChinese
    }
  }
}
