internal import TideEvidence

extension ReportText {
  /// A number with a comma for each thousand.
  static func number(_ value: some BinaryInteger) -> String {
    let digits = String(value.magnitude)
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return value < 0 ? "-" + text : text
  }

  /// What checking a case came to.
  func outcome(_ outcome: VerificationReport.Outcome) -> String {
    switch outcome {
    case .intact: self.common.intact
    case .altered(let line, let what): self.common.alteredAt(line, Visible.text(what))
    case .incomplete(let line): self.common.incompleteFrom(line)
    }
  }

  /// What a layer is called.
  func layer(_ name: String) -> String? {
    if name.hasPrefix("cut"), let count = Int(name.dropFirst(3)) { return self.exhibits.cut(count) }
    return self.exhibits.layers[name]
  }

  /// What a kind is called.
  func kind(_ name: String) -> String {
    self.common.kinds[name] ?? Visible.text(name, limit: 40)
  }

  /// What an action is called.
  func action(_ name: String) -> String {
    switch name {
    case "allow": self.common.allow
    case "log": self.common.log
    case "redact": self.common.redact
    case "block": self.common.block
    default: Visible.text(name, limit: 40)
    }
  }

  /// What a country is called, with its code.
  func country(_ code: String) -> String {
    guard let country = WorldMap.country(code) else { return Visible.text(code, limit: 40) }
    switch self.language {
    case .english: return "\(country.english) (\(code))"
    case .traditionalChinese: return "\(country.chinese)（\(code)）"
    }
  }

  /// What a region is called: a country, a set's own name, or one of ours.
  func region(_ name: String, country: String? = nil) -> String {
    switch name {
    case "local": return self.common.local
    case "unknown", "": return self.common.unknownRegion
    default: break
    }
    if Tally.isCountry(name) { return self.country(name) }
    let shown = Visible.text(name, limit: 60)
    guard let country else { return shown }
    switch self.language {
    case .english: return "\(self.country(country)), set \(shown)"
    case .traditionalChinese: return "\(self.country(country))，集合 \(shown)"
    }
  }
}
