internal import TideCore
internal import TideEvidence

extension ReportPage {
  func exhibitList(into html: inout HTMLWriter) {
    let words = self.text.exhibits
    guard !self.exhibits.isEmpty else {
      html.element("p", self.text.findings.none)
      return
    }
    html.element("p", ["class": "lead"], words.intro)
    for (index, exhibit) in self.exhibits.enumerated() {
      self.write(exhibit, index + 1, into: &html)
    }
    let pairs = Set(self.groups.map { [$0.key.kind, $0.key.host] }).count
    if pairs > self.exhibits.count {
      let command = "tidewaiter findings --case \(self.caseArgument)"
      html.element("p", words.others(pairs - self.exhibits.count, command))
    }
  }

  private func write(_ exhibit: Exhibit, _ number: Int, into html: inout HTMLWriter) {
    let words = self.text.exhibits
    let isHot = exhibit.group.watched != nil
    let kind = self.text.kind(exhibit.finding.kind)
    let host = self.shown.host(exhibit.flow.host)
    html.element(
      "article",
      ["class": isHot ? "exhibit hot" : "exhibit", "id": "exhibit-\(number)"]
    ) { html in
      html.element("h3", words.title(number, kind, host))
      if !exhibit.requestLine.isEmpty {
        html.element(
          "p",
          ["class": "request", "aria-label": words.request],
          self.shown.requestLine(exhibit.requestLine)
        )
      }
      self.chain(exhibit, into: &html)
      self.bytes(exhibit, into: &html)
      html.element("h4", words.record)
      html.facts(self.facts(of: exhibit))
    }
  }

  // MARK: The way to the value

  private func chain(_ exhibit: Exhibit, into html: inout HTMLWriter) {
    let words = self.text.exhibits
    let location = words.locations[exhibit.location.rawValue] ?? exhibit.location.rawValue
    html.element("h4", "\(words.path): \(words.chain)")
    html.element("ol", ["class": "chain"]) { html in
      func step(_ text: String, _ code: String) {
        html.element("li") { html in
          html.element("span") { html in
            html.text(text)
            if !code.isEmpty { html.element("code", code) }
          }
        }
      }
      step(location, exhibit.partName.isEmpty ? "" : self.shown.path(exhibit.partName))
      guard let found = exhibit.found else {
        // As the record has it: nothing was opened again.
        for name in exhibit.finding.encoding where name != "plain" {
          step(self.layerName(name), "")
        }
        step(self.text.kind(exhibit.finding.kind), self.shown.path(exhibit.finding.path))
        return
      }
      for layer in exhibit.layers { step(self.layerName(layer), "") }
      for layer in found.steps where layer.decoder != "path" {
        let names = layer.names.isEmpty ? [layer.decoder] : layer.names
        let said = names.map { self.layerName($0) }.joined(separator: " ")
        step(said, self.shown.path(layer.path))
      }
      for name in found.written { step(self.layerName(name), "") }
      step(self.text.kind(exhibit.finding.kind), "")
    }
  }

  private func layerName(_ name: String) -> String {
    self.text.layer(name) ?? self.shown.layer(name)
  }

  // MARK: The bytes

  private func bytes(_ exhibit: Exhibit, into html: inout HTMLWriter) {
    let words = self.text.exhibits
    if let absence = exhibit.absence {
      let said =
        switch absence {
        case .notKept: words.notKept
        case .unreadable: words.unreadable
        case .notFound: words.notFound
        }
      html.element("p", ["class": "basis"], said)
      return
    }
    guard let outer = exhibit.outer, let found = exhibit.found else { return }
    let offset = exhibit.members?.offset ?? 0
    let length = exhibit.members?.length ?? 0
    html.element("h4", words.recorded(ReportText.number(offset), ReportText.number(length)))
    self.write(outer, of: exhibit, isValue: exhibit.inner == nil, into: &html)
    if let inner = exhibit.inner {
      html.element("h4", words.opened)
      self.write(inner, of: exhibit, isValue: true, into: &html)
    }
    let basis =
      switch found.basis {
      case .element: words.basisElement
      case .shape: words.basisShape
      case .recorded: words.basisRecorded
      case .checked: words.basisChecked
      }
    html.element("p", ["class": "basis"], basis)
    let digests: Set<String> = ["md5", "sha1", "sha256"]
    if found.basis != .shape, found.written.contains(where: digests.contains) {
      html.element("p", ["class": "basis"], words.digestToo)
    }
  }

  private func write(
    _ excerpt: Exhibit.Excerpt,
    of exhibit: Exhibit,
    isValue: Bool,
    into html: inout HTMLWriter
  ) {
    let words = self.text.exhibits
    // What is in the box decides: around a text in binary, numbers in brackets do not disturb.
    let isText = Visible.isText(excerpt.boxed)
    func shown(_ bytes: Bytes) -> String {
      isText ? Visible.text(of: bytes) : Visible.hexadecimal(of: bytes)
    }
    let gap = isText ? "" : " "
    html.element("p", ["class": "bytes"]) { html in
      if self.shown.isShareSafe {
        let before = excerpt.omitted.before + excerpt.before.count
        let after = excerpt.omitted.after + excerpt.after.count
        if before > 0 { html.element("i", "⟨\(self.text.common.bytes(before))⟩ ") }
        let kind = self.text.kind(exhibit.finding.kind)
        let count = excerpt.boxed.count + excerpt.omitted.inside
        html.element("mark", "[\(kind)\(self.text.common.comma)\(self.text.common.bytes(count))]")
        if after > 0 { html.element("i", " ⟨\(self.text.common.bytes(after))⟩") }
        return
      }
      if excerpt.omitted.before > 0 {
        html.element("i", "⟨\(words.omitted(excerpt.omitted.before))⟩ ")
      }
      html.text(shown(excerpt.before) + gap)
      html.element("mark") { html in
        html.text(shown(excerpt.boxed))
        if excerpt.omitted.inside > 0 {
          html.element("i", " ⟨\(words.omitted(excerpt.omitted.inside))⟩")
        }
      }
      html.text(gap + shown(excerpt.after))
      if excerpt.omitted.after > 0 {
        html.element("i", " ⟨\(words.omitted(excerpt.omitted.after))⟩")
      }
    }
  }

  // MARK: What is known of it

  private func facts(of exhibit: Exhibit) -> [(name: String, value: String, isCode: Bool)] {
    let words = self.text.exhibits
    let flow = exhibit.flow
    let finding = exhibit.finding
    var signals: [String] = [
      self.text.region(flow.region, country: exhibit.group.country)
    ]
    for signal in exhibit.signals {
      let country = signal.country.map { self.text.region($0) }
      let system = signal.asn.map { words.asn($0) }
      let parts = [country, system].compactMap { $0 }
      guard !parts.isEmpty else { continue }
      let source = self.shown.file(signal.source)
      let digest =
        self.facts.sources.first { $0.source.name == signal.source }
        .map { " (SHA-256 \($0.source.sha256.prefix(16))…)" } ?? ""
      signals.append(words.signal(parts.joined(separator: self.text.common.comma), source + digest))
    }
    let address = flow.address.map { "\(Visible.text($0, limit: 64)) : \(flow.port)" }
    let rows: [(name: String, value: String, isCode: Bool)] = [
      (words.when, Visible.text(finding.time, limit: 40), false),
      (words.flow, flow.flow.description, false),
      (words.address, address ?? words.notDialled, false),
      (words.region, signals.joined(separator: "\n"), false),
      (words.transport, exhibit.handshake.map { Visible.text($0, limit: 80) } ?? "", false),
      (
        words.verdict,
        words.verdictIs(
          words.decisions[finding.decided] ?? Visible.text(finding.decided, limit: 40),
          self.text.action(finding.applied),
          finding.rule.map { Visible.text($0, limit: 80) }
        ), false
      ),
      (
        self.text.findings.certainty,
        Certainty(rawValue: finding.certainty).map { self.name(of: $0) } ?? "", false
      ),
      (
        words.records,
        exhibit.lines.map { words.line($0.type, ReportText.number($0.sequence)) }
          .joined(separator: " · "), false
      ),
      // Who guesses a short content can check the guess by its digest.
      (words.body, self.shown.isShareSafe ? "" : exhibit.bodyDigest ?? "", true),
      (words.instead, exhibit.pseudonym.map { Visible.text($0, limit: 200) } ?? "", true),
      (words.get, self.command(for: exhibit), true),
    ]
    return rows
  }

  private func name(of certainty: Certainty) -> String {
    switch certainty {
    case .certain: self.text.common.certain
    case .likely: self.text.common.likely
    case .possible: self.text.common.possible
    }
  }

  private func command(for exhibit: Exhibit) -> String {
    let show = "tidewaiter show \(exhibit.flow.flow) --case \(self.caseArgument)"
    switch exhibit.location {
    case .body:
      let isResponse = exhibit.finding.direction == Direction.response.rawValue
      return show + " --body \(isResponse ? "response" : "request")"
    case .path, .query, .header, .cookie, .trailer, .websocket: return show
    }
  }
}
