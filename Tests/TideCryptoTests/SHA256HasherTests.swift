import Testing

@testable import TideCrypto

@Suite struct SHA256HasherTests {
  @Test("The digest so far is that of what was taken, and more may follow it")
  func digestSoFar() {
    var hasher = SHA256Hasher()
    let none = hasher.digestSoFar()
    #expect(none == Digest.sha256.hash([]))
    var taken: [UInt8] = []
    for count in [1, 63, 64, 65, 1_000] {
      let piece = [UInt8](repeating: UInt8(truncatingIfNeeded: count), count: count)
      hasher.update(piece)
      taken += piece
      let soFar = hasher.digestSoFar()
      #expect(soFar == Digest.sha256.hash(taken))
    }
    let whole = hasher.finish()
    #expect(whole == Digest.sha256.hash(taken))
  }

  @Test("A hasher serves for one digest after another, and each is of its own bytes alone")
  func manyDigests() {
    var hasher = SHA256Hasher()
    var digest: [UInt8] = [9, 9]
    for count in [0, 1, 55, 56, 64, 1_000, 0] {
      let content = [UInt8](repeating: 7, count: count)
      hasher.update(content)
      hasher.finish(into: &digest)
      #expect(digest == Digest.sha256.hash(content))
      let again = hasher.finish()
      #expect(again == Digest.sha256.hash([]))
    }
  }
}
