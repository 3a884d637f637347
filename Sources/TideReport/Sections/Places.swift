internal import TideCore
internal import TideEvidence

extension ReportPage {
  private static var mostCountries: Int { 40 }

  func map(into html: inout HTMLWriter) {
    let words = self.text.places
    let countries = self.tally.countries.sorted { a, b in
      (b.value.flows, a.key) < (a.value.flows, b.key)
    }
    let elsewhere = self.tally.elsewhere.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    guard !countries.isEmpty else {
      html.element("p", words.none)
      self.elsewhere(elsewhere, into: &html)
      return
    }
    html.element("p", ["class": "lead"], words.intro)
    let said = countries.prefix(12).map { "\(self.text.country($0.key)) \($0.value.flows)" }
    html.element("figure", ["class": "map"]) { html in
      html.element(
        "svg",
        [
          "viewBox": "0 0 \(WorldMap.size.width) \(WorldMap.size.height)", "role": "img",
          "aria-label": words.alternative(Array(said)),
        ]
      ) { html in
        self.lands(into: &html)
        self.spots(countries.map { ($0.key, $0.value) }, into: &html)
      }
    }
    html.table(
      words.caption,
      [words.country, words.flows, words.hosts, words.findings],
      countries.prefix(Self.mostCountries).map { code, country in
        [
          HTMLWriter.Cell(
            text: self.text.country(code),
            note: country.isWatched ? words.watched : ""
          ),
          HTMLWriter.Cell(text: ReportText.number(country.flows), style: .number),
          HTMLWriter.Cell(text: ReportText.number(country.hosts.count), style: .number),
          HTMLWriter.Cell(text: ReportText.number(country.findings), style: .number),
        ]
      }
    )
    if countries.count > Self.mostCountries {
      html.element("p", words.more(countries.count - Self.mostCountries))
    }
    self.elsewhere(elsewhere, into: &html)
  }

  private func elsewhere(_ rows: [(key: String, value: Int)], into html: inout HTMLWriter) {
    guard !rows.isEmpty else { return }
    let names = rows.prefix(12).map { region, count in
      "\(self.text.region(region)) – \(self.text.common.flows(count))"
    }
    html.element(
      "p",
      self.text.places.notOnMap(names.joined(separator: self.text.common.semicolon))
    )
  }

  private func lands(into html: inout HTMLWriter) {
    for country in WorldMap.all where !country.outline.isEmpty {
      let name: String
      switch self.tally.countries[country.code] {
      case let seen? where !country.code.isEmpty:
        name = seen.isWatched ? "land hotland" : "land to"
      default: name = "land"
      }
      html.shape("path", ["class": name, "d": country.outline])
    }
  }

  private func spots(_ countries: [(String, Tally.Country)], into html: inout HTMLWriter) {
    let most = max(1, countries.map(\.1.flows).max() ?? 1)
    for (code, country) in countries.prefix(80) {
      guard let point = WorldMap.country(code)?.point else { continue }
      let radius = 11 + 34 * (Double(country.flows) / Double(most)).squareRoot()
      html.element(
        "circle",
        [
          "class": country.isWatched ? "hotspot" : "spot", "cx": String(point.x),
          "cy": String(point.y), "r": String(Int(radius)),
        ]
      ) { html in
        html.element(
          "title",
          "\(self.text.country(code)): \(self.text.common.flows(country.flows))"
        )
      }
    }
    // Names on top of all circles; of many, those that matter.
    for (code, country) in countries.prefix(14) {
      guard let point = WorldMap.country(code)?.point else { continue }
      let radius = 11 + 34 * (Double(country.flows) / Double(most)).squareRoot()
      let isRight = point.x < WorldMap.size.width - 160
      html.element(
        "text",
        [
          "class": "tag", "y": String(point.y + 9),
          "x": String(isRight ? point.x + Int(radius) + 7 : point.x - Int(radius) - 7),
          "text-anchor": isRight ? "start" : "end",
        ],
        "\(code) \(ReportText.number(country.flows))"
      )
    }
  }
}
