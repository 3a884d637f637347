import TideCore

/// Finds telephone numbers that are in no profile: leaves that are one from end to end, under a name that
/// says so.
///
/// Written with `+` or `00` any number that its country's plan allows counts, also as the other side of a
/// call or a message; without, only a mobile number under a telephone's name. Numbers of companies'
/// desks, free numbers and numbers for fiction are nobody's.
struct PhoneInspector: LeafInspector {
  static let id = "phone"
  let interest = Interest.everything

  /// A field that holds nothing but a number at home has no run that could be a layer.
  func mayFind(in span: Span<UInt8>) -> Bool {
    var digits = 0
    for index in 0..<span.count {
      switch span[index] {
      case 0x30...0x39: digits += 1
      case 0x20, 0x28, 0x29, 0x2B, 0x2D, 0x2F: continue
      default: digits = 0
      }
      if digits >= 9 { return true }
    }
    return false
  }

  func inspect(_ leaves: Leaves, _ sink: inout LeafSink) {
    for (leaf, topics) in leaves.leaves(about: [.phone, .partner, .generic]) {
      guard let number = PhoneText(leaf.value) else { continue }
      let outer = leaves.outerTopics(of: leaf)
      guard topics.isDisjoint(with: .service), outer.isDisjoint(with: .service) else { continue }
      let said = topics.contains(.generic) ? topics.union(outer) : topics
      guard said.contains(.phone) || said.contains(.partner) && number.isInternational,
        number.isSubscriber
      else { continue }
      sink.report(
        said.union(outer).contains(.own) ? .msisdn : .contactPhone,
        .likely,
        in: leaf,
        value: Bytes(number.digits)
      )
    }
  }
}

/// A run of bytes that is written as a telephone number is.
struct PhoneText {
  /// Its digits; of an international number the country code first.
  let digits: [UInt8]
  /// Whether it begins with `+` or `00`.
  let isInternational: Bool

  /// Reads a whole value; nil if there is anything in it but digits and what separates them.
  init?(_ value: Bytes) {
    guard (7...24).contains(value.count), let first = value.first,
      ASCII.isDigit(first) || first == 0x2B || first == 0x28
    else { return nil }
    var digits: [UInt8] = []
    for (index, byte) in value.enumerated() {
      switch byte {
      case 0x30...0x39: digits.append(byte)
      case 0x2B where index == 0: break
      case 0x20, 0x28, 0x29, 0x2D, 0x2E, 0x2F: break
      default: return nil
      }
    }
    if first == 0x2B {
      self.digits = digits
      self.isInternational = true
    } else if digits.starts(with: [0x30, 0x30]) {
      self.digits = Array(digits.dropFirst(2))
      self.isInternational = true
    } else {
      self.digits = digits
      self.isInternational = false
    }
    // ITU-T E.164 §6.1.
    guard (7...15).contains(self.digits.count) else { return nil }
  }

  /// Whether it may be somebody's.
  var isSubscriber: Bool {
    guard !Placeholder.isOne(self.digits.suffix(8)) else { return false }
    if let (plan, number) = PhonePlan.plan(of: self.digits) {
      if self.isInternational { return plan.allows(number) }
      // Without a sign in front only a mobile number is told from any other.
      if plan.isMobile(number) { return true }
    }
    return !self.isInternational && PhonePlan.isMobileAtHome(self.digits)
  }
}

/// Values that stand where a value should be.
enum Placeholder {
  /// Whether there are but two different bytes, or each is one more than the one before.
  static func isOne(_ bytes: some Collection<UInt8>) -> Bool {
    if Set(bytes).count <= 2 { return true }
    let steps = Set(zip(bytes.dropFirst(), bytes).map { $0 &- $1 })
    // From 9 the next is 0.
    return steps.subtracting([0xF7]).isSubset(of: [1])
      || steps.subtracting([9]).isSubset(of: [0xFF])
  }
}
