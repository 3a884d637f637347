import Testing
import TideCore
import TideCrypto

@Suite struct SigningKeyTests {
  @Test("A signature verifies under the key's public half, and no other message or key does")
  func signAndVerify() throws {
    let key = try SigningKey.generate()
    let message = Array("manifest".utf8)
    let signature = try key.sign(message)
    let verifier = try VerifyingKey(pem: Bytes(key.publicKeyPEM))
    #expect(signature.count == 64)
    #expect(try verifier.isValid(signature, for: message))
    #expect(try !verifier.isValid(signature, for: Array("manifesT".utf8)))
    #expect(try !verifier.isValid(Array(signature.dropLast()), for: message))
    #expect(try !verifier.isValid([], for: message))
    let other = try VerifyingKey(pem: Bytes(SigningKey.generate().publicKeyPEM))
    #expect(try !other.isValid(signature, for: message))
  }

  @Test("A key read back from its PEM makes the same signatures")
  func roundTrip() throws {
    let key = try SigningKey.generate()
    let again = try SigningKey(pem: Bytes(key.privateKeyPEM))
    #expect(try again.sign([]) == key.sign([]))
    #expect(try again.publicKeyPEM == key.publicKeyPEM)
  }

  @Test("Text that is not a key of the right half is refused as malformed")
  func malformed() throws {
    let key = try SigningKey.generate()
    let publicHalf = Bytes(try key.publicKeyPEM)
    let privateHalf = Bytes(try key.privateKeyPEM)
    for text in [Bytes(), "nonsense", publicHalf, privateHalf.slice(0..<privateHalf.count / 2)] {
      let failure = #expect(throws: CryptoFailure.self) { try SigningKey(pem: text) }
      #expect(failure?.code == .malformedKey)
    }
    #expect(throws: CryptoFailure.self) { try VerifyingKey(pem: privateHalf) }
  }
}
