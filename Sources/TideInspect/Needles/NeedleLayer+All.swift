import TideCore
import TideCrypto

extension NeedleLayer {
  /// The fewest bytes that are no text and yet are not met by chance.
  static let fewestBinaryBytes = 6

  /// Every layer but digests under which a spelling is searched for.
  static func all(for use: SpellingUse, _ spelled: [UInt8]) -> [NeedleLayer] {
    if use.reach.contains(.hashedOnly) { return [] }
    let isLong = spelled.count >= self.fewestBinaryBytes
    var layers: [NeedleLayer]
    switch use.spelling.nature {
    case .text:
      layers = spelled.allSatisfy(self.isInert) ? [.none] : self.plainText
      if case .coded = use.spelling { return layers }
      if use.reach.contains(.encoded) { layers += [.hex, .base32] }
    case .wide:
      layers = isLong ? [.exact] : []
      if case .coded(_, .han) = use.spelling {
        layers += [PercentStyle.component, .form].map { .percent($0, times: 1) }
        layers.append(.percent(.component, times: 2))
      }
      layers.append(.hex)
    case .binary:
      guard isLong else { return [] }
      layers = [.exact, .hex, .base32]
    }
    if use.reach.contains(.encoded) {
      for offset in 0..<3 {
        layers.append(.base64(.standard, offset: offset))
        layers.append(.base64(.url, offset: offset))
      }
    }
    return layers
  }

  /// Whether no escaping that we know touches a byte.
  private static func isInert(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 || byte == 0x2D || byte == 0x2E
      || byte == 0x5F
  }

  private static let plainText: [NeedleLayer] = {
    var layers: [NeedleLayer] = [.none, .jsonEscapes(slash: false), .jsonEscapes(slash: true)]
    layers += EntityStyle.allCases.map { .entities($0) }
    for times in 1...2 { layers += PercentStyle.allCases.map { .percent($0, times: times) } }
    return layers
  }()
}
