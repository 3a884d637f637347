internal import TideCore
internal import TideEvidence

/// A report: what is known, and how it is set out.
struct ReportPage {
  let facts: CaseFacts
  let tally: Tally
  let groups: [Tally.Group]
  let exhibits: [Exhibit]
  let verification: VerificationReport?
  let options: ReportOptions
  let text: ReportText
  let shown: Disclosure

  init(
    _ facts: CaseFacts,
    _ tally: Tally,
    _ groups: [Tally.Group],
    _ exhibits: [Exhibit],
    _ verification: VerificationReport?,
    _ options: ReportOptions
  ) {
    self.facts = facts
    self.tally = tally
    self.groups = groups
    self.exhibits = exhibits
    self.verification = verification
    self.options = options
    let text = ReportText.text(in: options.language)
    self.text = text
    self.shown = Disclosure(options, text, facts, tally)
  }

  /// The case as commands name it, seen from the folder that holds it.
  var caseArgument: String {
    let name = self.facts.path.split(separator: "/").last.map(String.init) ?? self.facts.name
    return Self.quoted("./" + name)
  }

  /// A word as a shell reads it.
  static func quoted(_ word: String) -> String {
    let isPlain = word.utf8.allSatisfy { byte in
      ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
        || [0x2E, 0x2F, 0x2D, 0x5F].contains(byte)
    }
    return isPlain
      ? word
      : "'"
        + word.split(separator: "'", omittingEmptySubsequences: false)
        .joined(separator: "'\\''") + "'"
  }

  /// The whole document, in UTF-8.
  var document: [UInt8] {
    let lastHash = self.verification?.lastHash ?? ""
    let sheet = Style.sheet(
      head: "Tidewaiter · \(self.text.particulars.case) \(self.facts.name)",
      foot: lastHash.isEmpty ? "" : "\(self.text.particulars.lastHash): \(lastHash)",
      page: self.text.common.page
    )
    var html = HTMLWriter()
    html.raw("<!DOCTYPE html>\n")
    html.element("html", ["lang": self.options.language.rawValue]) { html in
      html.element("head") { html in self.head(sheet, into: &html) }
      html.element("body") { html in self.body(into: &html) }
    }
    html.raw("\n")
    return html.bytes
  }

  private func head(_ sheet: String, into html: inout HTMLWriter) {
    html.void("meta", ["charset": "utf-8"])
    html.void(
      "meta",
      [
        "http-equiv": "Content-Security-Policy",
        "content":
          "default-src 'none'; style-src '\(Style.source(of: sheet))'; base-uri 'none'; form-action 'none'",
      ]
    )
    html.void("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"])
    html.void("meta", ["name": "referrer", "content": "no-referrer"])
    html.void("meta", ["name": "generator", "content": "tidewaiter \(self.options.toolVersion)"])
    html.element("title", "\(self.text.common.title): \(Visible.text(self.facts.name))")
    html.element("style") { html in html.raw(sheet) }
  }

  private enum Section: String {
    case particulars, findings, exhibits, checklist, timeline, places, limits, method, verification
  }

  private var sections: [Section] {
    var all: [Section] = [
      .particulars, .findings, .exhibits, .timeline, .places, .limits, .method, .verification,
    ]
    if self.options.procedure == .firstBoot { all.insert(.checklist, at: 3) }
    return all
  }

  private func heading(_ section: Section) -> String {
    switch section {
    case .particulars: self.text.particulars.heading
    case .findings: self.text.findings.heading
    case .exhibits: self.text.exhibits.heading
    case .checklist: self.text.checklist.heading
    case .timeline: self.text.timeline.heading
    case .places: self.text.places.heading
    case .limits: self.text.limits.heading
    case .method: self.text.method.heading
    case .verification: self.text.verification.heading
    }
  }

  private func body(into html: inout HTMLWriter) {
    self.header(into: &html)
    html.element("main") { html in
      self.notices(into: &html)
      self.answerBox(into: &html)
      html.element("nav", ["aria-label": self.text.common.contents]) { html in
        html.element("ol") { html in
          for section in self.sections {
            html.element("li") { html in
              html.element("a", ["href": "#" + section.rawValue], self.heading(section))
            }
          }
        }
      }
      for (index, section) in self.sections.enumerated() {
        html.element("section", ["id": section.rawValue]) { html in
          html.element("h2", "\(index + 1). \(self.heading(section))")
          self.write(section, into: &html)
        }
      }
    }
    html.element("footer") { html in
      let parts = [
        "Tidewaiter \(self.options.toolVersion)",
        "\(self.text.particulars.case) \(Visible.text(self.facts.name))",
        "\(self.text.particulars.made) \(ReportTime.second(self.options.made.rfc3339))",
      ]
      html.element("p", parts.joined(separator: " · "))
    }
  }

  private func write(_ section: Section, into html: inout HTMLWriter) {
    switch section {
    case .particulars: self.particulars(into: &html)
    case .findings: self.findingsTable(into: &html)
    case .exhibits: self.exhibitList(into: &html)
    case .checklist: self.checklist(into: &html)
    case .timeline: self.timeline(into: &html)
    case .places: self.map(into: &html)
    case .limits: self.limits(into: &html)
    case .method: self.method(into: &html)
    case .verification: self.verificationCommands(into: &html)
    }
  }

  private func header(into html: inout HTMLWriter) {
    html.element("header") { html in
      html.element("p", ["class": "brand"], "Tidewaiter")
      html.element("h1", self.text.common.title)
      let name = "\(self.text.particulars.case) \(Visible.text(self.facts.name))"
      html.element("p", "\(name) · \(ReportTime.second(self.tally.startText))")
      html.element("p", self.text.common.tagline)
    }
  }

  private func notices(into html: inout HTMLWriter) {
    if let verification = self.verification {
      switch verification.outcome {
      case .intact: break
      case .altered, .incomplete:
        html.element(
          "p",
          ["class": "notice", "role": "alert"],
          self.text.common.altered(self.text.outcome(verification.outcome))
        )
      }
    }
    if self.options.isShareSafe {
      html.element("p", ["class": "notice safe"], self.text.common.shareSafe)
    }
  }
}
