import TideCore
import TideDecoding

extension Specimen {
  /// Everything that was seen, as findings, in order of place.
  ///
  /// - Parameters:
  ///   - part: whose bytes the outermost specimen is.
  ///   - name: of the inspector that saw a match.
  /// - Returns: the findings.
  func findings(_ part: Part, _ name: (Match.Source) -> String) -> [Finding] {
    var findings: [Finding] = []
    self.add(to: &findings, part, name, place: nil, path: part.name ?? "")
    return findings
  }

  private func add(
    to findings: inout [Finding],
    _ part: Part,
    _ name: (Match.Source) -> String,
    place: Range<Int>?,
    path: String
  ) {
    var next = self.matches[...]
    let children = (self.layer?.children ?? [:]).sorted { $0.key < $1.key }
    for (index, child) in children {
      guard let opened = self.layer else { break }
      let range = opened.layer.nodes[index].range
      while let match = next.first, match.range.lowerBound < range.lowerBound {
        findings.append(self.finding(match, part, name, place, path))
        next.removeFirst()
      }
      child.add(
        to: &findings,
        part,
        name,
        place: place ?? range,
        path: opened.places.path(of: index)
      )
    }
    for match in next { findings.append(self.finding(match, part, name, place, path)) }
  }

  private func finding(
    _ match: Match,
    _ part: Part,
    _ name: (Match.Source) -> String,
    _ place: Range<Int>?,
    _ path: String
  ) -> Finding {
    let range = place ?? match.range
    return Finding(
      kind: match.kind,
      certainty: match.certainty,
      location: part.location,
      direction: part.direction,
      path: self.layer?.places.path(at: match.range.lowerBound) ?? path,
      encoding: self.encoding + match.encoding,
      range: range.lowerBound + part.offset..<range.upperBound + part.offset,
      value: match.value,
      inspector: name(match.source)
    )
  }
}
