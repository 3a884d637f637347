/// What a client prefers, read from `Accept` and `Accept-Language` (RFC 9110 §12.5).
enum Negotiation {
  /// The most elements of a list that are looked at: a browser sends fewer than ten.
  private static let limit = 32

  /// The elements of a weighted list in lower case with their weights in thousandths.
  ///
  /// An element whose weight is malformed counts as unwanted, not as wanted most.
  static func weighted(_ list: String) -> [(value: String, weight: Int)] {
    list.split(separator: ",").prefix(self.limit).compactMap { element in
      let parts = element.split(separator: ";").map { self.trimmed($0).lowercased() }
      guard let value = parts.first, !value.isEmpty else { return nil }
      guard let weight = parts.dropFirst().first(where: { $0.hasPrefix("q=") }) else {
        return (value, 1_000)
      }
      guard let number = Double(weight.dropFirst(2)), (0...1).contains(number) else {
        return (value, 0)
      }
      return (value, Int(number * 1_000))
    }
  }

  /// Whether a client asks for JSON rather than for a page.
  ///
  /// Only a stated preference counts: `*/*` and an absent field get the page.
  static func prefersJSON(accept: String) -> Bool {
    var json = 0
    var page = 0
    for (value, weight) in self.weighted(accept) {
      let isJSON = value.hasPrefix("application/") && value.hasSuffix("+json")
      if isJSON || value == "application/json" {
        json = max(json, weight)
      } else if value == "text/html" || value == "application/xhtml+xml" {
        page = max(page, weight)
      }
    }
    return json > page
  }

  private static func trimmed(_ text: Substring) -> Substring {
    let isBlank = { (character: Character) in character == " " || character == "\t" }
    guard let end = text.lastIndex(where: { !isBlank($0) }) else { return "" }
    return text[...end].drop(while: isBlank)
  }
}

/// A language that our pages speak.
enum PageLanguage: String, CaseIterable, Sendable {
  /// English.
  case english = "en"
  /// Traditional Chinese as written in Taiwan.
  case chinese = "zh-TW"

  /// Chooses the language.
  ///
  /// - Parameters:
  ///   - query: the request's query, in which `lang=` overrules the field.
  ///   - acceptLanguage: the field's value; empty if there is none. Any Chinese gets Chinese.
  init(query: String, acceptLanguage: String) {
    for pair in query.split(separator: "&") where pair.hasPrefix("lang=") {
      guard let asked = PageLanguage(rawValue: String(pair.dropFirst(5))) else { continue }
      self = asked
      return
    }
    var best = (language: PageLanguage.english, weight: 0)
    for (tag, weight) in Negotiation.weighted(acceptLanguage) where weight > best.weight {
      if tag == "zh" || tag.hasPrefix("zh-") {
        best = (.chinese, weight)
      } else if tag == "en" || tag.hasPrefix("en-") {
        best = (.english, weight)
      }
    }
    self = best.language
  }

  /// The other language, for the link that switches.
  var other: PageLanguage {
    switch self {
    case .english: .chinese
    case .chinese: .english
    }
  }

  /// The language's own name.
  var name: String {
    switch self {
    case .english: "English"
    case .chinese: "繁體中文"
    }
  }
}

/// One sentence in both languages.
struct Phrase: Sendable {
  private let english: String
  private let chinese: String

  init(_ english: String, _ chinese: String) {
    self.english = english
    self.chinese = chinese
  }

  /// The sentence in `language`, not escaped.
  subscript(language: PageLanguage) -> String {
    switch language {
    case .english: self.english
    case .chinese: self.chinese
    }
  }
}
