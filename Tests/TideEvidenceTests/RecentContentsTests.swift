import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct RecentContentsTests {
  @Test("A content's digest is its own, whatever came before it and wherever it differs from that")
  func digests() {
    var recent = RecentContents()
    for size in [0, 1, 15, 16, 17, 300, 4_096, 4_097, 16_384, 32_768, 32_769] {
      let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
      var versions = [content, content]
      for place in stride(from: 0, to: size, by: max(1, size / 40)) {
        var other = content
        other[place] ^= 1
        versions += [other, content]
      }
      for version in versions {
        let digest = recent.digest(of: Bytes(version))
        #expect(digest == Digest.sha256.hash(version))
      }
    }
  }

  @Test("More contents than there are places for: each has its own digest, twice")
  func manyContents() {
    var recent = RecentContents()
    for round in 0..<2 {
      for number in 0..<200 {
        let content = Bytes("{\"number\":\(number),\"of\":\"two hundred that are alike\"}")
        let digest = recent.digest(of: content)
        #expect(digest == Digest.sha256.hash(content), "\(number) in round \(round)")
      }
    }
  }

  @Test("A slice counts as its own bytes, not as what it was cut from")
  func slices() {
    var recent = RecentContents()
    let whole = Bytes((0..<600).map { UInt8(truncatingIfNeeded: $0) })
    for start in [0, 1, 256, 300] {
      let slice = whole.slice(start..<start + 256)
      let digest = recent.digest(of: slice)
      #expect(digest == Digest.sha256.hash(slice.array))
    }
  }
}
