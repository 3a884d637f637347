internal import TideCore
internal import TideEvidence

extension ReportPage {
  func method(into html: inout HTMLWriter) {
    let words = self.text.method
    for paragraph in words.paragraphs { html.element("p", paragraph) }
    html.facts(words.certainties.map { ($0.0, $0.1, false) })
    html.element("p", words.actions)
    html.element("p", ["class": "lead"], words.map)
  }
}
