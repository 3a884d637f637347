extension HTMLWriter {
  /// One cell: what it says, and how it is set.
  struct Cell {
    enum Style: String {
      case plain = ""
      case number = "n"
      case code = "c"
      case alarm = "a"
    }

    /// What is so short is kept on one line; a host may be a little longer.
    private static let shortest = 22

    let text: String
    var style = Style.plain
    /// A second line in smaller type.
    var note = ""
    /// Where a link leads, `#exhibit-1`.
    var target: String?

    /// The class of the element that it is.
    var className: String {
      let most = self.style == .code ? Self.shortest + 5 : Self.shortest
      let isShort = self.style != .number && self.text.count <= most
      return [self.style.rawValue, isShort ? "s" : ""].filter { !$0.isEmpty }
        .joined(separator: " ")
    }
  }

  /// A table with a heading for each column; on a narrow screen each row becomes a card.
  ///
  /// Where a heading above says the same, the caption is for those who hear the page.
  mutating func table(
    _ caption: String,
    _ headings: [String],
    _ rows: [[Cell]],
    showsCaption: Bool = true
  ) {
    self.element("table", ["class": "cards"]) { html in
      html.element("caption", ["class": showsCaption ? "" : "hidden"], caption)
      html.element("thead") { html in
        html.element("tr") { html in
          for (heading, cell) in zip(headings, rows.first ?? headings.map { Cell(text: $0) }) {
            let style = cell.style == .number ? "n" : ""
            html.element("th", ["scope": "col", "class": style], heading)
          }
        }
      }
      html.element("tbody") { html in
        for row in rows {
          html.element("tr") { html in
            for (index, cell) in row.enumerated() {
              let name = index == 0 ? "th" : "td"
              let label = headings.indices.contains(index) ? headings[index] : ""
              let scope: HTMLWriter.Attributes =
                index == 0
                ? ["scope": "row", "class": cell.style.rawValue, "data-label": label]
                : ["class": cell.className, "data-label": label]
              html.element(name, scope) { $0.content(of: cell) }
            }
          }
        }
      }
    }
  }

  private mutating func content(of cell: Cell) {
    self.element("span", ["class": "v"]) { html in
      if let target = cell.target {
        html.element("a", ["href": target], cell.text)
      } else {
        let lines = cell.text.split(separator: "\n").map(String.init)
        if lines.count < 2 { html.text(cell.text) } else { html.lines(lines) }
      }
      if !cell.note.isEmpty { html.element("small", cell.note) }
    }
  }

  private mutating func lines(_ lines: [String]) {
    for line in lines { self.element("span", ["class": "line"], line) }
  }

  /// Facts: a name and what it is.
  mutating func facts(_ rows: [(name: String, value: String, isCode: Bool)]) {
    self.element("dl", ["class": "facts"]) { html in
      for row in rows where !row.value.isEmpty {
        // Long ones take the whole width where short ones stand in two columns.
        let isWide = row.isCode || row.value.contains("\n") || row.value.count > 34
        html.element("div", ["class": isWide ? "wide" : ""]) { html in
          html.element("dt", row.name)
          html.element("dd") { html in
            for line in row.value.split(separator: "\n", omittingEmptySubsequences: true) {
              html.element("span", ["class": row.isCode ? "c v" : "v"], String(line))
            }
          }
        }
      }
    }
  }

  /// Lines to paste into a shell.
  mutating func commands(_ lines: [String]) {
    self.element("pre", ["class": "shell"]) { html in
      html.element("code", lines.joined(separator: "\n"))
    }
  }
}
