internal import TideCore
internal import TideEvidence

extension ReportPage {
  func findingsTable(into html: inout HTMLWriter) {
    let words = self.text.findings
    guard !self.groups.isEmpty else {
      html.element("p", words.none)
      return
    }
    html.element("p", ["class": "lead"], words.intro)
    let hasDevices = Set(self.groups.map(\.key.device)).count > 1
    var headings = [words.kind, words.host, words.region]
    if hasDevices { headings.append(words.device) }
    headings += [words.count, words.firstLast, words.certainty, words.applied]
    let rows = self.groups.prefix(CaseReport.mostRows).map { group in
      self.row(group, hasDevices: hasDevices)
    }
    html.table(words.caption, headings, rows)
    let more = self.groups.count - rows.count
    if more > 0 {
      let command = "tidewaiter findings --case \(self.caseArgument)"
      html.element("p", self.text.common.more(more, command))
    }
    if self.tally.ungrouped > 0 {
      html.element("p", self.text.limits.ungrouped(self.tally.ungrouped))
    }
  }

  private func row(_ group: Tally.Group, hasDevices: Bool) -> [HTMLWriter.Cell] {
    let words = self.text.findings
    let number = self.exhibitNumber(group)
    let host = self.shown.host(group.key.host)
    var cells = [
      HTMLWriter.Cell(
        text: self.text.kind(group.key.kind),
        note: number.map { words.exhibit($0) } ?? "",
        target: number.map { "#exhibit-\($0)" }
      ),
      HTMLWriter.Cell(
        text: host,
        style: .code,
        note: group.key.isRequest ? "" : words.received
      ),
      HTMLWriter.Cell(
        text: self.text.region(group.key.region, country: group.country),
        style: group.watched == nil ? .plain : .alarm,
        note: group.watched == nil ? "" : words.watched
      ),
    ]
    if hasDevices { cells.append(HTMLWriter.Cell(text: self.shown.device(group.key.device))) }
    let day = String(self.tally.startText.prefix(10))
    let first = ReportTime.short(group.first, day: day)
    let last = ReportTime.short(group.last, day: day)
    cells += [
      HTMLWriter.Cell(text: ReportText.number(group.count), style: .number),
      HTMLWriter.Cell(text: first == last ? first : "\(first) – \(last)"),
      HTMLWriter.Cell(text: self.certainty(group)),
      HTMLWriter.Cell(text: self.outcome(group)),
    ]
    return cells
  }

  func exhibitNumber(_ group: Tally.Group) -> Int? {
    self.exhibits.firstIndex { exhibit in
      exhibit.group.key.kind == group.key.kind && exhibit.group.key.host == group.key.host
    }.map { $0 + 1 }
  }

  private func certainty(_ group: Tally.Group) -> String {
    let words = self.text.common
    let counts = [
      (group.certain, words.certain), (group.likely, words.likely),
      (group.possible, words.possible),
    ].filter { $0.0 > 0 }
    guard counts.count > 1 else { return counts.first?.1 ?? "" }
    return counts.map { "\($0.1) \(ReportText.number($0.0))" }.joined(
      separator: self.text.common.comma
    )
  }

  private func outcome(_ group: Tally.Group) -> String {
    let words = self.text.findings
    guard group.key.isRequest else {
      return [
        group.sent > 0 ? self.text.common.log : nil,
        group.replaced > 0 ? words.replaced(group.replaced) : nil,
        group.stopped > 0 ? words.stopped(group.stopped) : nil,
      ].compactMap { $0 }.joined(separator: self.text.common.comma)
    }
    return [
      group.sent > 0 ? words.sent(group.sent) : nil,
      group.replaced > 0 ? words.replaced(group.replaced) : nil,
      group.stopped > 0 ? words.stopped(group.stopped) : nil,
    ].compactMap { $0 }.joined(separator: self.text.common.comma)
  }
}
