import TideCore

/// Makes pseudonyms for values of some kinds.
///
/// To add one, write its file in `Kinds` and add a line to `Redactors.all`.
protocol Redactor: Sendable {
  /// The kinds that it knows the format of.
  static var kinds: [String] { get }

  /// A value of the same format that belongs to nobody; nil if `subject` has not the kind's format.
  ///
  /// As many bytes as before, and everything in it taken from `choices` or from what is no secret: a
  /// country, an operator. That it is another value than the one that it stands for, and no other of
  /// the profiles', is seen to by the caller, who asks again with other choices.
  func pseudonym(_ kind: FindingKind, _ subject: Subject, _ choices: inout Choices) -> Subject?
}

extension Redactor {
  var kinds: [String] { Self.kinds }
}

/// The redactors that come with Tidewaiter.
enum Redactors {
  static let all: [any Redactor] = [
    EquipmentRedactor(),
    SubscriptionRedactor(),
    LinkAddressRedactor(),
    PhoneRedactor(),
    MailRedactor(),
    DeviceIDRedactor(),
    URLRedactor(),
    PackageRedactor(),
  ]

  private static let byKind: [String: any Redactor] = {
    var result: [String: any Redactor] = [:]
    for redactor in Self.all {
      for kind in redactor.kinds { result[kind] = redactor }
    }
    return result
  }()

  /// A value to stand for `subject`: by its kind's redactor, else by what the value looks like.
  static func pseudonym(
    _ kind: FindingKind,
    _ subject: Subject,
    _ choices: inout Choices
  ) -> Subject {
    self.byKind[kind.name]?.pseudonym(kind, subject, &choices) ?? self.lookalike(subject, &choices)
  }

  /// Digits for digits, letters for letters of the same script.
  private static func lookalike(_ subject: Subject, _ choices: inout Choices) -> Subject {
    switch subject {
    case .digits(let digits): .digits(Filler.hexadecimal(digits, &choices))
    case .hex(let digits): .hex(Filler.hexadecimal(digits, &choices))
    case .uuid: .uuid(DeviceIDRedactor.uuid(&choices))
    case .mac: .mac(LinkAddressRedactor.address(&choices))
    case .phone(let phone): .phone(PhoneRedactor.number(phone, &choices))
    case .email(let text): .email(Filler.email(text, &choices))
    case .text(let text): .text(Filler.text(text, &choices))
    // Each part has a pseudonym of its own.
    case .joined: subject
    }
  }
}
