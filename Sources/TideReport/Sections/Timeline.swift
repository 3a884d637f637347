internal import TideCore
internal import TideEvidence

extension ReportPage {
  /// The most kinds that have a line of their own.
  private static var mostLanes: Int { 12 }
  /// The most flags that do not run into each other.
  private static var mostFlags: Int { 24 }

  func timeline(into html: inout HTMLWriter) {
    let words = self.text.timeline
    html.element("p", ["class": "lead"], words.intro)
    html.element(
      "figure",
      [
        "class": "lanes", "role": "group",
        "aria-label": words.alternative(
          self.tally.flows,
          self.tally.findings,
          self.facts.marks.count
        ),
      ]
    ) { html in
      if !self.facts.marks.isEmpty { self.flags(into: &html) }
      self.flowLane(into: &html)
      let kinds = self.tally.kindBuckets.mapValues { $0.reduce(0, +) }
        .sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      for (kind, count) in kinds.prefix(Self.mostLanes) {
        self.lane(kind, count, into: &html)
      }
      self.axis(into: &html)
    }
    self.key(into: &html)
    guard !self.facts.marks.isEmpty else {
      html.element("p", words.noMarks)
      return
    }
    self.phases(into: &html)
  }

  // MARK: Lanes

  private func position(_ time: String) -> Double {
    guard let at = ReportTime.nanoseconds(time), at > self.tally.start else { return 0 }
    return min(100, Double(at - self.tally.start) / Double(self.tally.end - self.tally.start) * 100)
  }

  /// Where a hundredth of the time lies in a lane, which has room for a circle at both ends.
  private func percent(_ value: Double) -> String { Self.number(1.6 + value * 0.968) }

  private static func number(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    return "\(hundredths / 100).\(hundredths / 10 % 10)\(hundredths % 10)%"
  }

  private func lane(
    _ name: String,
    _ label: String,
    _ sum: String,
    into html: inout HTMLWriter,
    _ content: (inout HTMLWriter) -> Void
  ) {
    html.element("div", ["class": name]) { html in
      html.element("span", label)
      html.element("svg", ["role": "img", "aria-label": "\(label): \(sum)"]) { html in
        for mark in self.facts.marks {
          let x = self.percent(self.position(mark.time))
          html.shape("line", ["class": "rule", "x1": x, "x2": x, "y1": "0", "y2": "100%"])
        }
        content(&html)
      }
      html.element("span", ["class": "sum"], sum)
    }
  }

  private func flowLane(into html: inout HTMLWriter) {
    let most = max(1, self.tally.flowBuckets.max() ?? 1)
    let sum = ReportText.number(self.tally.flows)
    self.lane("lane tall", self.text.timeline.flows, sum, into: &html) { html in
      let step = 100 / Double(Tally.buckets)
      for (index, count) in self.tally.flowBuckets.enumerated() where count > 0 {
        let bars = [("flow", count), ("found", self.tally.foundBuckets[index])]
        for (name, part) in bars where part > 0 {
          let height = max(2, Double(part) / Double(most) * 96)
          html.shape(
            "rect",
            [
              "class": name, "x": self.percent(Double(index) * step),
              "width": Self.number(step * 0.84), "y": Self.number(100 - height),
              "height": Self.number(height),
            ]
          )
        }
      }
    }
  }

  private func lane(_ kind: String, _ count: Int, into html: inout HTMLWriter) {
    let buckets = self.tally.kindBuckets[kind] ?? []
    let watched = self.tally.watchedKindBuckets[kind]
    let most = max(1, buckets.max() ?? 1)
    self.lane("lane", self.text.kind(kind), ReportText.number(count), into: &html) { html in
      let step = 100 / Double(Tally.buckets)
      for (index, count) in buckets.enumerated() where count > 0 {
        // The area stands for the count.
        let radius = 3 + 6 * (Double(count) / Double(most)).squareRoot()
        let isWatched = (watched?[index] ?? 0) > 0
        html.shape(
          "circle",
          [
            "class": isWatched ? "hotdot" : "dot", "fill-opacity": "0.8",
            "cx": self.percent((Double(index) + 0.5) * step), "cy": "50%",
            "r": String(Double(Int(radius * 10)) / 10),
          ]
        )
      }
    }
  }

  private func flags(into html: inout HTMLWriter) {
    html.element("div", ["class": "lane flags", "aria-hidden": "true"]) { html in
      html.element("span", "")
      html.element("svg", ["role": "presentation"]) { html in
        var last = -100.0
        for (index, mark) in self.facts.marks.prefix(Self.mostFlags).enumerated() {
          let at = self.position(mark.time)
          // One that would lie on the one before is in the table.
          guard at - last >= 3.4 else { continue }
          last = at
          let x = self.percent(at)
          html.shape("circle", ["class": "flag", "cx": x, "cy": "11", "r": "9"])
          html.element(
            "text",
            ["class": "flagtext", "x": x, "y": "15", "text-anchor": "middle"],
            String(index + 1)
          )
        }
      }
      html.element("span", "")
    }
  }

  private func axis(into html: inout HTMLWriter) {
    html.element("div", ["class": "lane axis"]) { html in
      html.element("span", "UTC")
      html.element("span", ["class": "ends"]) { html in
        let day = String(self.tally.startText.prefix(10))
        html.element("span", "\(day) \(ReportTime.short(self.tally.startText, day: day))")
        html.element("span", ReportTime.short(self.tally.endText, day: day))
      }
      html.element("span", "")
    }
  }

  private func key(into html: inout HTMLWriter) {
    let words = self.text.timeline
    html.element("ul", ["class": "key"]) { html in
      let squares = [("flow", words.flows), ("found", words.withFindings)]
      for (name, label) in squares {
        html.element("li") { html in
          html.element("svg", ["aria-hidden": "true"]) { html in
            html.shape("rect", ["class": name, "width": "14", "height": "14"])
          }
          html.text(label)
        }
      }
      let dots = [("hotdot", words.toWatched), ("dot", words.elsewhere)]
      for (name, label) in dots {
        html.element("li") { html in
          html.element("svg", ["aria-hidden": "true"]) { html in
            html.shape("circle", ["class": name, "cx": "7", "cy": "7", "r": "6"])
          }
          html.text(label)
        }
      }
    }
  }

  // MARK: Phases

  private func phases(into html: inout HTMLWriter) {
    let words = self.text.timeline
    let day = String(self.tally.startText.prefix(10))
    let rows = self.tally.phases.prefix(100).enumerated().map { index, phase in
      let name = phase.mark.map { "\(index) · \(self.shown.mark($0.text))" } ?? words.beforeMarks
      let from = ReportTime.short(phase.start, day: day)
      let to = ReportTime.short(phase.end, day: day)
      return [
        HTMLWriter.Cell(text: name),
        HTMLWriter.Cell(text: "\(from) – \(to)"),
        HTMLWriter.Cell(text: ReportText.number(phase.flows), style: .number),
        HTMLWriter.Cell(text: self.kinds(of: phase)),
      ]
    }
    html.table(words.phases, [words.phase, words.window, words.flows, words.found], rows)
  }

  private func kinds(of phase: Tally.Phase) -> String {
    var counts: [String: Int] = [:]
    for (key, value) in phase.kinds { counts[key.kind, default: 0] += value.count }
    let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let shown = sorted.prefix(6).map { "\(self.text.kind($0.key)) \(ReportText.number($0.value))" }
    let rest = sorted.dropFirst(6).reduce(0) { $0 + $1.value } + phase.more
    let more = rest > 0 ? [self.text.timeline.otherKinds(rest)] : []
    return shown.isEmpty && more.isEmpty
      ? "–" : (shown + more).joined(separator: self.text.common.comma)
  }
}
