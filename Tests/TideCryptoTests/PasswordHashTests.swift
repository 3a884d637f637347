import TideCore
import TideCrypto
import Testing

@Suite struct PasswordHashTests {
  // Of the password "U*U" at cost 5: the first vector of the algorithm's own test set.
  private static let vector = "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

  @Test(
    "A password matches its own bcrypt hash under each corrected prefix, and no other does",
    arguments: ["$2a$05$", "$2b$05$", "$2y$05$"]
  )
  func matches(prefix: String) throws {
    let hash = try PasswordHash(Bytes(prefix + Self.vector))
    #expect(hash.cost == 5)
    #expect(hash.matches("U*U"))
    #expect(!hash.matches("U*V"))
    #expect(!hash.matches(""))
    #expect(!hash.matches("U*U "))
    #expect(!hash.matches(Bytes([0x55, 0x2A, 0x55, 0])))
    #expect(!hash.matches(Bytes([0x55, 0x2A, 0x55, 0, 0x41])))
  }

  @Test("A password of any length is checked without harm")
  func long() throws {
    let hash = try PasswordHash(Bytes("$2y$05$" + Self.vector))
    for count in [71, 72, 73, 511, 512, 4_096] {
      #expect(!hash.matches(Bytes([UInt8](repeating: 0x55, count: count))))
    }
  }

  @Test(
    "What is not bcrypt is refused",
    arguments: [
      "", "secret", "$apr1$8sFt66rZ$vXLLlJ5vNnSDlC7QyWYQ30", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
      "$2x$05$" + Self.vector, "$2y$05$" + Self.vector.dropLast(), "$2y$05$" + Self.vector + "a",
      "$2y$03$" + Self.vector, "$2y$5$$" + Self.vector, "$2y$05$" + Self.vector.dropLast() + "!",
      "$2y$0a$" + Self.vector, "$2y$05:" + Self.vector,
    ]
  )
  func refused(text: String) {
    #expect(throws: PasswordHash.Refusal.notBcrypt) { try PasswordHash(Bytes(text)) }
  }

  @Test("A cost that would take seconds is refused by its figure")
  func tooCostly() throws {
    #expect(throws: PasswordHash.Refusal.tooCostly(15)) {
      try PasswordHash(Bytes("$2y$15$" + Self.vector))
    }
    #expect(try PasswordHash(Bytes("$2y$14$" + Self.vector)).cost == 14)
  }

  @Test("The hash of nobody has the cost asked for, within bounds, and matches nothing")
  func nobody() {
    #expect(PasswordHash.ofNobody(cost: 12).cost == 12)
    #expect(PasswordHash.ofNobody(cost: 99).cost == PasswordHash.highestCost)
    let hash = PasswordHash.ofNobody(cost: 0)
    #expect(hash.cost == 4)
    #expect(!hash.matches(""))
    #expect(!hash.matches("U*U"))
  }

  @Test("Secrets are equal if each byte is, and only then")
  func constantTime() {
    #expect(ConstantTime.equal([], []))
    #expect(ConstantTime.equal([1, 2], [1, 2]))
    #expect(!ConstantTime.equal([1, 2], [1, 3]))
    #expect(!ConstantTime.equal([1, 2], [1, 2, 3]))
  }
}
