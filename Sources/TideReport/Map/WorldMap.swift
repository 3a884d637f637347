/// Countries: what they are called, where they lie and what they look like on a map.
///
/// Outlines show where something is, not where a border is.
enum WorldMap {
  /// A country.
  struct Country {
    let code: String
    let english: String
    let chinese: String
    /// Where its count is written; nil if it is nowhere on the map.
    let point: (x: Int, y: Int)?
    /// SVG path data; empty if it is too small to be drawn.
    let outline: String
  }

  /// The map's size in its own units.
  static let size = (width: 2_000, height: 856)

  /// Every country, by its code; land of no code last.
  static let all: [Country] = Self.rows.split(separator: "\n").map { row in
    let parts = row.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
    let point = (parts.count > 3 ? parts[3] : "").split(separator: ",").compactMap { Int($0) }
    return Country(
      code: parts.first ?? "",
      english: parts.count > 1 ? parts[1] : "",
      chinese: parts.count > 2 ? parts[2] : "",
      point: point.count == 2 ? (point[0], point[1]) : nil,
      outline: parts.count > 4 ? parts[4] : ""
    )
  }

  private static let byCode: [String: Country] = Dictionary(
    Self.all.filter { !$0.code.isEmpty }.map { ($0.code, $0) },
    uniquingKeysWith: { first, _ in first }
  )

  static func country(_ code: String) -> Country? { self.byCode[code] }
}
