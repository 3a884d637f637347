public import TideCore

/// Values to plant on a device, so that finding one of them proves what left it (PRODUCT.md section 8).
public struct Canary: Hashable, Sendable {
  /// A contact's name.
  public let contactName: String
  /// Its number, in E.164.
  public let contactPhone: String
  /// A word for a text message.
  public let message: String

  /// The numbers that Ofcom keeps for drama use, 07700 900000 to 900999: nobody has one, and each is one
  /// that an address book takes for a mobile phone's.
  private static let numbers = 0...999
  /// Without vowels, so that no word appears by chance, and without what is easily taken for another.
  private static let letters = Array("BCDFGHJKLMNPQRSTVWXZ23456789")

  /// Makes values that none of `profiles` has.
  ///
  /// - Parameters:
  ///   - profiles: every device's.
  ///   - generator: where they come from.
  /// - Returns: the values; nil if the range of numbers is used up.
  public static func random(
    besides profiles: [DeviceProfile],
    using generator: inout some RandomNumberGenerator
  ) -> Canary? {
    let used = Set(profiles.flatMap(\.identifiers).map(\.value))
    let free = Self.numbers.map(Self.phone).filter { !used.contains($0) }
    guard let phone = free.randomElement(using: &generator) else { return nil }
    var name: String
    repeat {
      name = "Tide Waiter " + Self.token(5, &generator)
    } while used.contains(name)
    // 28^8 words: that one comes twice is as likely as that it stands in a message by chance.
    let message = "TW-CANARY-" + Self.token(8, &generator)
    return Canary(contactName: name, contactPhone: phone, message: message)
  }

  /// The number as it is dialled in its country: `07700 900123`.
  public var nationalPhone: String {
    let digits = self.contactPhone.dropFirst(3)
    return "0\(digits.prefix(4)) \(digits.dropFirst(4))"
  }

  private static func phone(_ number: Int) -> String {
    let digits = String(number)
    return "+447700900" + String(repeating: "0", count: 3 - digits.count) + digits
  }

  private static func token(
    _ count: Int,
    _ generator: inout some RandomNumberGenerator
  ) -> String {
    var token = ""
    for _ in 0..<count {
      token.append(Self.letters[Int.random(in: Self.letters.indices, using: &generator)])
    }
    return token
  }
}
