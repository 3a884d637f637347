import TideCore

/// What a leaf's name says that it is about.
struct LeafTopics: OptionSet, Hashable {
  let rawValue: UInt32

  /// Somebody's telephone number.
  static let phone = LeafTopics(rawValue: 1 << 0)
  /// The device itself or its owner.
  static let own = LeafTopics(rawValue: 1 << 1)
  /// The other side of a call or a message.
  static let partner = LeafTopics(rawValue: 1 << 2)
  /// A company's desk: whatever number or address is there, it is nobody's.
  static let service = LeafTopics(rawValue: 1 << 3)
  /// A word such as `value`, which says nothing: the group's name counts.
  static let generic = LeafTopics(rawValue: 1 << 4)
  /// The name of a person.
  static let personName = LeafTopics(rawValue: 1 << 5)
  /// Installed packages.
  static let packages = LeafTopics(rawValue: 1 << 6)
  /// A page that was looked at.
  static let visited = LeafTopics(rawValue: 1 << 7)
  /// A URL of whatever kind.
  static let url = LeafTopics(rawValue: 1 << 8)
  /// A password.
  static let password = LeafTopics(rawValue: 1 << 9)
  /// A latitude.
  static let latitude = LeafTopics(rawValue: 1 << 10)
  /// A longitude.
  static let longitude = LeafTopics(rawValue: 1 << 11)
  /// Equipment and subscriber identities.
  static let imei = LeafTopics(rawValue: 1 << 12)
  static let meid = LeafTopics(rawValue: 1 << 13)
  static let imsi = LeafTopics(rawValue: 1 << 14)
  /// Advertising ids.
  static let gaid = LeafTopics(rawValue: 1 << 15)
  static let oaid = LeafTopics(rawValue: 1 << 16)
  /// Ids of the system's.
  static let androidID = LeafTopics(rawValue: 1 << 17)
  static let serial = LeafTopics(rawValue: 1 << 18)
  /// An account at the vendor's.
  static let account = LeafTopics(rawValue: 1 << 19)
  /// A Wi-Fi network's name.
  static let ssid = LeafTopics(rawValue: 1 << 20)
  /// How well a radio is received, which tells an SSID from a session's id.
  static let radio = LeafTopics(rawValue: 1 << 21)
  /// Link-layer addresses.
  static let wifiMAC = LeafTopics(rawValue: 1 << 22)
  static let bluetoothMAC = LeafTopics(rawValue: 1 << 23)
  static let bssid = LeafTopics(rawValue: 1 << 24)
  /// A signature, a key, a token: random by nature.
  static let token = LeafTopics(rawValue: 1 << 25)

  /// What a name says, read from its bytes; at once, and without allocation.
  ///
  /// Names are split where programmers join words (`peerPhone`, `peer_phone`, `X-Peer-Phone`), and what
  /// a name ends in is what it is about: `phone` of `peer_phone`, but not of `phone_model`. Digits at
  /// the end only number it.
  init(name: Span<UInt8>) {
    self = []
    var end = min(name.count, Self.longest)
    while end > 0, ASCII.isDigit(name[end - 1]) { end -= 1 }
    var start = end
    // From the back, so that each word begins one more ending.
    while start > 0 {
      start -= 1
      let byte = name[start]
      guard Self.isLetterOrDigit(byte) else { continue }
      let isUpper = byte &- 0x41 < 26
      let before: UInt8 = start > 0 ? name[start - 1] : 0
      let isWordStart =
        !Self.isLetterOrDigit(before) || isUpper && !(before &- 0x41 < 26)
      if isWordStart { self.formUnion(Self.topics(of: name, start..<end)) }
    }
  }

  init(rawValue: UInt32) { self.rawValue = rawValue }

  /// What a name says.
  init(name: String) {
    let bytes = Array(name.utf8)
    self.init(name: bytes.span)
  }

  /// Longer names are looked at up to here.
  private static let longest = 48

  private static func topics(of name: Span<UInt8>, _ range: Range<Int>) -> LeafTopics {
    var hash = NameHash()
    // The first word of the ending, by itself: a hotline stays one whatever follows.
    var word: LeafTopics = []
    for index in range {
      let byte = name[index]
      guard self.isLetterOrDigit(byte) else {
        word.formUnion(self.word(hash, index > range.lowerBound))
        continue
      }
      let isUpper = byte &- 0x41 < 26
      if isUpper, index > range.lowerBound, !(name[index - 1] &- 0x41 < 26) {
        word.formUnion(self.word(hash, true))
      }
      hash.add(ASCII.lowercased(byte))
    }
    return word.union(LeafNames.topics(hash.value))
  }

  /// The topics that a name has because one of its words says so.
  private static func word(_ hash: NameHash, _ isComplete: Bool) -> LeafTopics {
    isComplete ? LeafNames.topics(hash.value).intersection([.service, .own]) : []
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
  }
}

/// FNV-1a (Fowler, Noll, Vo) of a name's letters and digits.
struct NameHash {
  private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func add(_ byte: UInt8) {
    self.value = (self.value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
  }

  static func of(_ text: some Sequence<UInt8>) -> UInt64 {
    var hash = NameHash()
    for byte in text { hash.add(byte) }
    return hash.value
  }
}
