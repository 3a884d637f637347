internal import TideCore
internal import TideEvidence

extension ReportPage {
  func particulars(into html: inout HTMLWriter) {
    let words = self.text.particulars
    html.facts(self.people)
    html.element("h3", words.integrity)
    html.facts(self.integrity)
    let sources = self.facts.sources
    guard !sources.isEmpty else { return }
    html.element("h3", words.files)
    html.table(
      words.files,
      [words.role, words.name, words.date, words.digest],
      sources.prefix(60).map { role, source in
        let roleName =
          switch role {
          case .configuration: words.configuration
          case .rules: words.rules
          case .regions: words.regions
          }
        return [
          HTMLWriter.Cell(text: roleName),
          HTMLWriter.Cell(text: self.shown.file(source.name), style: .code),
          HTMLWriter.Cell(text: source.date.map { Visible.text($0, limit: 40) } ?? "–"),
          HTMLWriter.Cell(text: Visible.text(source.sha256, limit: 64), style: .code),
        ]
      },
      showsCaption: false
    )
  }

  private var people: [(name: String, value: String, isCode: Bool)] {
    let words = self.text.particulars
    let facts = self.facts
    var rows: [(name: String, value: String, isCode: Bool)] = [
      (words.case, Visible.text(facts.name), false),
      (
        words.operatorName,
        facts.operatorName.isEmpty ? words.notSaid : Visible.text(facts.operatorName), false
      ),
      (words.devices, self.devices, false),
      (words.mode, words.modes[facts.mode] ?? Visible.text(facts.mode, limit: 40), false),
      (
        words.watched, self.text.common.list(facts.watched.prefix(20).map { self.text.region($0) }),
        false
      ),
      (words.from, self.time(self.tally.startText), false),
      (facts.stopped == nil ? words.stillOpen : words.to, self.time(self.tally.endText), false),
      (words.times, words.timesAre, false),
      (words.clock, self.clock, false),
    ]
    if facts.starts > 1 { rows.append((words.sessions, ReportText.number(facts.starts), false)) }
    rows += [
      (words.tool, "Tidewaiter \(Visible.text(facts.toolVersion, limit: 40))", false),
      (
        words.made,
        "\(self.time(self.options.made.rfc3339)) · Tidewaiter \(self.options.toolVersion)", false
      ),
    ]
    return rows
  }

  private var devices: String {
    var lines: [String] = []
    let known = self.tally.devices
    let names =
      self.facts.devices + known.keys.sorted().filter { !self.facts.devices.contains($0) }
    for name in names.prefix(20) {
      let clients = (known[name] ?? []).sorted().prefix(8).enumerated()
        .map { self.shown.client($1, $0 + 1) }
      let list = clients.isEmpty ? "" : " – \(clients.joined(separator: self.text.common.comma))"
      lines.append(self.shown.device(name) + list)
    }
    if names.count > 20 { lines.append("… \(ReportText.number(names.count - 20))") }
    return lines.isEmpty ? self.text.common.none : lines.joined(separator: "\n")
  }

  private var clock: String {
    let words = self.text.particulars
    guard let anchor = self.facts.anchor else { return words.noClock }
    let said = words.anchored(
      ReportTime.second(anchor.time),
      ReportText.number(anchor.monotonic)
    )
    guard self.facts.clockSteps > 0 else { return said }
    let milliseconds = self.facts.largestStep / 1_000_000
    let sign = milliseconds < 0 ? "-" : "+"
    let digits = String(1_000 + milliseconds.magnitude % 1_000).dropFirst()
    let seconds = "\(sign)\(milliseconds.magnitude / 1_000).\(digits)"
    return said + "\n" + words.clockSteps(self.facts.clockSteps, seconds)
  }

  private var integrity: [(name: String, value: String, isCode: Bool)] {
    let words = self.text.particulars
    var rows: [(name: String, value: String, isCode: Bool)] = []
    if let verification = self.verification {
      let lines = Int(clamping: verification.lines)
      rows.append(
        (words.check, words.checked(self.text.outcome(verification.outcome), lines), false)
      )
      rows.append((words.lastHash, verification.lastHash, true))
    } else {
      rows.append((words.check, words.unchecked, false))
    }
    if let head = self.facts.treeHead {
      rows.append(
        (
          words.treeHead,
          words.treeHeadIs(
            Visible.text(head.root, limit: 64),
            Int(clamping: head.size),
            head.isSigned
          ), true
        )
      )
    }
    rows.append((words.caseDigest, self.facts.caseDigest, true))
    guard let seal = self.facts.seal else {
      return rows + [(words.seal, words.unsealed, false)]
    }
    rows += [
      (words.seal, words.sealed(self.time(seal.time)), false),
      (words.manifest, seal.manifestDigest, true),
      (words.signer, seal.signer ?? self.text.common.unknown, true),
      (
        words.timestamp, seal.token.map { words.timestamped($0) } ?? words.notTimestamped,
        false
      ),
    ]
    return rows
  }

  /// A time, and what the clock on the wall said where the language is spoken.
  private func time(_ text: String) -> String {
    let utc = ReportTime.second(text)
    guard let zone = self.text.common.zone,
      let local = ReportTime.local(text, secondsEast: zone.secondsEast)
    else { return utc }
    return "\(utc)（\(zone.name) \(local)）"
  }
}
