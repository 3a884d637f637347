/// What an operator's marks say, as far as it can be told from their words.
enum Marks {
  /// A step of the 2014 procedure (DETECTION.md section 1).
  enum Step: CaseIterable {
    case powerOn
    case simInserted
    case wifiJoined
    case locationAllowed
    case consent
    case contactAdded
    case smsSent
    case smsReceived
    case mmsSent
    case mmsReceived
    case callMade
    case callReceived
    case accountOn

    /// Words of which one must occur, for each list.
    fileprivate var words: [[String]] {
      switch self {
      case .powerOn:
        [["power on", "powered on", "first boot", "switched on", "boot", "開機"]]
      case .simInserted: [["sim"]]
      case .wifiJoined: [["wi-fi", "wifi", "wlan", "無線"]]
      case .locationAllowed: [["location", "gps", "定位", "位置"]]
      case .consent: [["consent", "agree", "accept", "terms", "同意", "條款"]]
      case .contactAdded: [["contact", "聯絡人", "通訊錄"]]
      case .smsSent: [["sms", "text message", "簡訊"], ["sent", "send", "傳送", "寄出", "發送"]]
      case .smsReceived: [["sms", "text message", "簡訊"], ["receiv", "收到", "接收"]]
      case .mmsSent: [["mms", "多媒體"], ["sent", "send", "傳送", "寄出", "發送"]]
      case .mmsReceived: [["mms", "多媒體"], ["receiv", "收到", "接收"]]
      case .callMade: [["call", "通話", "電話"], ["made", "make", "placed", "outgoing", "撥"]]
      case .callReceived: [["call", "通話", "電話"], ["receiv", "answer", "incoming", "接"]]
      case .accountOn: [["cloud", "account", "signed in", "雲端", "帳號", "帳戶", "登入"]]
      }
    }
  }

  static func isConsent(_ text: String) -> Bool { self.matches(text, .consent) }

  /// The step that a mark is for; nil if its words are of none.
  ///
  /// `Contact added` is of one alone; what names more than one is of the first in the procedure's order
  /// that needs most words.
  static func step(_ text: String) -> Step? {
    let fitting = Step.allCases.filter { self.matches(text, $0) }
    return fitting.max { $0.words.count < $1.words.count }
  }

  private static func matches(_ text: String, _ step: Step) -> Bool {
    let lower = text.lowercased()
    return step.words.allSatisfy { list in list.contains { Self.holds($0, lower) } }
  }

  /// Whether a word begins somewhere in a text: `sim` is not in `simple` nor in `maxsim`.
  private static func holds(_ word: String, _ text: String) -> Bool {
    guard word.utf8.allSatisfy({ $0 < 0x80 }) else { return text.contains(word) }
    let wanted = Array(word.utf8)
    let bytes = Array(text.utf8)
    guard bytes.count >= wanted.count else { return false }
    return (0...bytes.count - wanted.count).contains { start in
      let end = start + wanted.count
      guard bytes[start..<end].elementsEqual(wanted) else { return false }
      let isStart = start == 0 || !Self.isLetter(bytes[start - 1])
      // Stems go on: `accepted`, `contacts`, `received`; three letters do not.
      let isEnd = wanted.count > 3 || end == bytes.count || !Self.isLetter(bytes[end])
      return isStart && isEnd
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 }
}
