import TideCore

/// The words that stand for blocks of addresses in `listen.allow` and `upstream.allow_special_use`.
enum AddressWords {
  private static let loopback = Self.blocks(["127.0.0.0/8", "::1/128"])
  private static let privateUse = Self.blocks([
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",  // RFC 1918, RFC 4193
  ])
  private static let linkLocal = Self.blocks(["169.254.0.0/16", "fe80::/10"])  // RFC 3927, RFC 4291
  /// Where clouds answer with a machine's credentials; no RFC, but the same addresses everywhere.
  private static let metadata = Self.blocks(["169.254.169.254/32", "fd00:ec2::254/128"])

  /// What may use the proxy: the words are clients' addresses.
  static var clients: ScalarForm<[CIDR]> {
    let words = [
      "loopback": Self.loopback, "private": Self.privateUse, "link-local": Self.linkLocal,
    ]
    return Self.form(words) { text in
      let isEverything = text == "any" || CIDR(text)?.prefixLength == 0
      return isEverything
        ? "would make an open proxy: name the networks of the devices, such as 198.51.100.0/24"
        : nil
    }
  }

  /// What may be dialled although it is of special use.
  ///
  /// The metadata addresses lie inside link-local and private space: those words leave them out, or an
  /// auditor's lab network would open the credentials of the machine that the proxy runs on.
  static var specialUse: ScalarForm<[CIDR]> {
    let words = [
      "loopback": Self.loopback,
      "private": Self.privateUse.flatMap(Self.withoutMetadata),
      "link-local": Self.linkLocal.flatMap(Self.withoutMetadata),
      "metadata": Self.metadata,
    ]
    return Self.form(words) { _ in nil }
  }

  private static func form(
    _ words: [String: [CIDR]],
    objection: @escaping (String) -> String?
  ) -> ScalarForm<[CIDR]> {
    let names = words.keys.sorted()
    return ScalarForm(
      expected: names.joined(separator: ", ") + " or a block such as 192.0.2.0/24",
      words: names,
      objection: objection
    ) { text in
      guard objection(text) == nil else { return nil }
      return words[text] ?? CIDR(text).map { [$0] }
    }
  }

  /// `block` as the blocks that remain when the metadata addresses are taken out of it.
  private static func withoutMetadata(_ block: CIDR) -> [CIDR] {
    Self.metadata.reduce([block]) { remaining, hole in
      remaining.flatMap { Self.blocks(of: $0, without: hole) }
    }
  }

  /// The siblings on the way from `block` down to `hole`: together everything but the hole.
  static func blocks(of block: CIDR, without hole: CIDR) -> [CIDR] {
    guard block.contains(hole.base), block.prefixLength < hole.prefixLength else {
      return block.base == hole.base && block.prefixLength == hole.prefixLength ? [] : [block]
    }
    return (block.prefixLength + 1...hole.prefixLength).compactMap { length in
      Self.flipping(bit: length, of: hole.base).flatMap { CIDR($0, prefixLength: length) }
    }
  }

  /// `address` with its `bit`th bit, counted from 1, inverted.
  private static func flipping(bit: Int, of address: IPAddress) -> IPAddress? {
    var octets = address.octets
    guard octets.indices.contains((bit - 1) / 8) else { return nil }
    octets[(bit - 1) / 8] ^= 0x80 >> UInt8((bit - 1) % 8)
    return IPAddress(octets: octets)
  }

  private static func blocks(_ texts: [String]) -> [CIDR] { texts.compactMap { CIDR($0) } }
}
