internal import TideCore
internal import TideEvidence

extension ReportPage {
  /// How much of one step is listed.
  private static var mostOfStep: Int { 8 }

  /// The procedure of 2014, laid over what was recorded by the operator's marks.
  func checklist(into html: inout HTMLWriter) {
    let words = self.text.checklist
    html.element("p", ["class": "lead"], words.intro)
    var phases: [Marks.Step: [Tally.Phase]] = [:]
    var others: [Tally.Phase] = []
    var rows: [[HTMLWriter.Cell]] = []
    for phase in self.tally.phases {
      guard let mark = phase.mark else {
        // What was sent before the operator marked anything belongs to no step.
        if phase.findings > 0 { rows.append(self.row(self.text.timeline.beforeMarks, phase)) }
        continue
      }
      if let step = Marks.step(mark.text) {
        phases[step, default: []].append(phase)
      } else {
        others.append(phase)
      }
    }
    for step in Marks.Step.allCases {
      let name = words.steps[step] ?? ""
      guard let found = phases[step] else {
        rows.append([
          HTMLWriter.Cell(text: name), HTMLWriter.Cell(text: words.notMarked),
          HTMLWriter.Cell(text: "–"),
        ])
        continue
      }
      rows += found.map { self.row(name, $0) }
    }
    html.table(
      words.heading,
      [words.step, words.window, words.whatSent],
      rows,
      showsCaption: false
    )
    guard !others.isEmpty else { return }
    html.table(
      words.otherMarks,
      [words.step, words.window, words.whatSent],
      others.prefix(40).map { self.row($0.mark.map { self.shown.mark($0.text) } ?? "", $0) }
    )
  }

  private func row(_ name: String, _ phase: Tally.Phase) -> [HTMLWriter.Cell] {
    let day = String(self.tally.startText.prefix(10))
    let from = ReportTime.short(phase.start, day: day)
    let to = ReportTime.short(phase.end, day: day)
    let said = phase.mark.map { self.shown.mark($0.text) } ?? ""
    return [
      HTMLWriter.Cell(text: name, note: said.lowercased() == name.lowercased() ? "" : said),
      HTMLWriter.Cell(text: "\(from) – \(to)"),
      HTMLWriter.Cell(text: self.sent(in: phase)),
    ]
  }

  private func sent(in phase: Tally.Phase) -> String {
    let words = self.text.checklist
    let requests = phase.kinds.filter { $0.key.isRequest }
    let sorted = requests.sorted { a, b in
      (b.value.count, a.key.kind, a.key.host) < (a.value.count, b.key.kind, b.key.host)
    }
    let lines = sorted.prefix(Self.mostOfStep).map { key, value in
      let say = key.isSent ? words.sent : words.withheld
      return say(
        self.text.kind(key.kind),
        value.count,
        self.shown.host(key.host),
        self.text.region(key.region)
      )
    }
    let rest = sorted.dropFirst(Self.mostOfStep).reduce(0) { $0 + $1.value.count } + phase.more
    let more = rest > 0 ? [words.more(rest)] : []
    return lines.isEmpty && more.isEmpty
      ? words.nothingSent : (lines + more).joined(separator: "\n")
  }
}
