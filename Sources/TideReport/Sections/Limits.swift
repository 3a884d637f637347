internal import TideCore
internal import TideEvidence

extension ReportPage {
  private static var mostHosts: Int { 25 }

  func limits(into html: inout HTMLWriter) {
    let words = self.text.limits
    html.element("p", ["class": "lead"], words.intro)
    let refused = self.tally.treatments[.refused] ?? 0
    let read = self.tally.flows - self.tally.undecrypted - refused
    var sentences = [words.decrypted(read, self.tally.flows)]
    if refused > 0 { sentences.append(words.refused(refused)) }
    if self.tally.open > 0 { sentences.append(words.open(self.tally.open)) }
    if self.tally.failed > 0 { sentences.append(words.failed(self.tally.failed)) }
    if self.facts.mode == "observe" { sentences.append(words.observeMode) }
    if self.facts.purged.count > 0 {
      sentences.append(
        words.purged(
          Int(clamping: self.facts.purged.bodies),
          Int(clamping: self.facts.purged.bytes)
        )
      )
    }
    if self.tally.noted > 0 {
      let command = "tidewaiter show FLOW --case \(self.caseArgument)"
      sentences.append(words.noted(self.tally.noted, command))
    }
    if self.facts.recovered > 0 { sentences.append(words.recovered(self.facts.recovered)) }
    Self.list(sentences + words.always, into: &html)
    self.unseen(into: &html)
    self.observed(into: &html)
    html.element("h3", words.gaps)
    guard !self.facts.gaps.isEmpty else {
      html.element("p", words.noGaps)
      return
    }
    let gaps = self.facts.gaps.map { gap in
      words.gap(
        ReportTime.second(gap.time),
        Int(clamping: gap.events),
        Int(clamping: gap.pieces),
        self.text.language == .english ? self.shown.detail(gap.cause) : ""
      )
    }
    let more = self.facts.moreGaps > 0 ? ["… \(ReportText.number(self.facts.moreGaps))"] : []
    Self.list(gaps + more, into: &html)
  }

  private func unseen(into html: inout HTMLWriter) {
    let words = self.text.limits
    guard !self.tally.unseen.isEmpty else { return }
    let hosts = self.tally.unseen.sorted { ($1.value.flows, $0.key) < ($0.value.flows, $1.key) }
    html.element("h3", words.undecrypted)
    html.table(
      words.undecrypted,
      [words.host, words.region, words.flows, words.bytes, words.why],
      hosts.prefix(Self.mostHosts).map { host, row in
        [
          HTMLWriter.Cell(text: self.shown.host(host), style: .code),
          HTMLWriter.Cell(text: self.text.region(row.region)),
          HTMLWriter.Cell(text: ReportText.number(row.flows), style: .number),
          HTMLWriter.Cell(text: ReportText.number(row.bytes), style: .number),
          HTMLWriter.Cell(
            text: words.treatments[row.treatment] ?? Visible.text(row.treatment, limit: 40)
          ),
        ]
      },
      showsCaption: false
    )
    if hosts.count > Self.mostHosts {
      let command = "tidewaiter flows protocol:tls --case \(self.caseArgument)"
      html.element("p", self.text.common.more(hosts.count - Self.mostHosts, command))
    }
  }

  private func observed(into html: inout HTMLWriter) {
    let words = self.text.limits
    html.element("h3", words.observed)
    guard !self.tally.coverage.isEmpty else {
      html.element("p", words.noCoverage)
      return
    }
    // What was said of the first is the program's own English: in another language it is left out.
    let hasExamples = !self.shown.isShareSafe && self.text.language == .english
    let headings = [words.what, words.connections] + (hasExamples ? [words.example] : [])
    html.table(
      words.observed,
      headings,
      self.tally.coverage.map { count in
        let name = words.coverage[count.kind.rawValue] ?? count.kind.rawValue
        let cells = [
          HTMLWriter.Cell(text: name),
          HTMLWriter.Cell(text: ReportText.number(count.count), style: .number),
        ]
        guard hasExamples else { return cells }
        return cells + [HTMLWriter.Cell(text: self.shown.detail(count.example))]
      },
      showsCaption: false
    )
  }

  static func list(_ items: [String], into html: inout HTMLWriter) {
    html.element("ul", ["class": "plain"]) { html in
      for item in items { html.element("li", item) }
    }
  }
}
