import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct MerkleTreeTests {
  /// MTH(D[n]) as RFC 9162 §2.1.1 writes it, by recursion and with nothing of ours but SHA-256.
  private func naive(_ leaves: ArraySlice<[UInt8]>) -> [UInt8] {
    guard let first = leaves.first else { return Digest.sha256.hash([]) }
    guard leaves.count > 1 else { return Digest.sha256.hash([0] + first) }
    var half = 1
    while half * 2 < leaves.count { half *= 2 }
    let middle = leaves.startIndex + half
    return Digest.sha256.hash([1] + self.naive(leaves[..<middle]) + self.naive(leaves[middle...]))
  }

  /// PATH(m, D[n]) of §2.1.3.1, by recursion.
  private func naivePath(_ index: Int, _ leaves: ArraySlice<[UInt8]>) -> [[UInt8]] {
    guard leaves.count > 1 else { return [] }
    var half = 1
    while half * 2 < leaves.count { half *= 2 }
    let middle = leaves.startIndex + half
    return index < half
      ? self.naivePath(index, leaves[..<middle]) + [self.naive(leaves[middle...])]
      : self.naivePath(index - half, leaves[middle...]) + [self.naive(leaves[..<middle])]
  }

  private func leaves(_ count: Int) -> [[UInt8]] {
    (0..<count).map { Array("{\"seq\":\($0 + 1)}".utf8) }
  }

  private func hash(_ leaf: [UInt8], _ hasher: inout SHA256Hasher) -> [UInt8] {
    MerkleTree.leaf(leaf.span, &hasher)
  }

  private func tree(_ leaves: [[UInt8]], _ hasher: inout SHA256Hasher) -> MerkleTree {
    var tree = MerkleTree.empty
    for leaf in leaves { tree.append(self.hash(leaf, &hasher), &hasher) }
    return tree
  }

  @Test("The roots of the eight leaves that Certificate Transparency is tested with are as known")
  func knownRoots() throws {
    let leaves: [[UInt8]] = try [
      "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
      "606162636465666768696a6b6c6d6e6f",
    ].map { try #require(Hex.decode($0.utf8)) }
    let roots = [
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    var hasher = SHA256Hasher()
    for (index, root) in roots.enumerated() {
      let tree = self.tree(Array(leaves[...index]), &hasher)
      #expect(tree.rootHex == root)
    }
    #expect(MerkleTree.empty.rootHex == Hex.encode(Digest.sha256.hash([])))
  }

  @Test(
    "The root of any number of lines is that of the definition, and the state that of its digits"
  )
  func roots() {
    let leaves = self.leaves(260)
    var hasher = SHA256Hasher()
    var tree = MerkleTree.empty
    for (index, leaf) in leaves.enumerated() {
      tree.append(self.hash(leaf, &hasher), &hasher)
      guard index < 40 || index.isMultiple(of: 17) || index > 250 else { continue }
      let root = tree.root(&hasher)
      #expect(root == self.naive(leaves[...index]))
      #expect(tree.peaks.count == tree.size.nonzeroBitCount)
    }
  }

  @Test(
    "A tree goes on from the subtrees that were written down, and refuses those of another size"
  )
  func restored() throws {
    let leaves = self.leaves(30)
    var hasher = SHA256Hasher()
    let first = self.tree(Array(leaves[..<21]), &hasher)
    var restored = try #require(MerkleTree(size: 21, peaks: first.peaks))
    for leaf in leaves[21...] {
      restored.append(self.hash(leaf, &hasher), &hasher)
    }
    let whole = self.tree(leaves, &hasher)
    #expect(restored == whole)
    #expect(MerkleTree(size: 20, peaks: first.peaks) == nil)
    #expect(MerkleTree(size: 21, peaks: first.peaks.map { $0.dropLast() }) == nil)
    #expect(MerkleTree(size: 0, peaks: []) == .empty)
  }

  @Test(
    "The path of any leaf, found while all pass by once, is that of the definition and proves it"
  )
  func paths() throws {
    let leaves = self.leaves(70)
    var hasher = SHA256Hasher()
    for size in Array(1...18) + [31, 32, 33, 63, 64, 65, 70] {
      let root = self.naive(leaves[..<size])
      for index in 0..<size {
        var builder = InclusionPathBuilder(index: UInt64(index))
        for leaf in leaves[..<size] {
          builder.append(self.hash(leaf, &hasher), &hasher)
        }
        let found = builder.path(&hasher)
        let path = try #require(found)
        #expect(path.nodes == self.naivePath(index, leaves[..<size]), "\(index) of \(size)")
        let own = self.hash(leaves[index], &hasher)
        let proven = path.root(from: own, &hasher)
        #expect(proven == root)
      }
    }
  }

  @Test("A path of another leaf, another size, or with a digest too many or too few proves nothing")
  func wrongPaths() throws {
    let leaves = self.leaves(21)
    var hasher = SHA256Hasher()
    var builder = InclusionPathBuilder(index: 13)
    for leaf in leaves { builder.append(self.hash(leaf, &hasher), &hasher) }
    let found = builder.path(&hasher)
    let path = try #require(found)
    let root = self.naive(leaves[...])
    let own = self.hash(leaves[13], &hasher)
    let proven = path.root(from: own, &hasher)
    #expect(proven == root)
    var altered = path.nodes
    altered[2][0] ^= 1
    let wrong = [
      InclusionPath(index: 12, size: 21, nodes: path.nodes),
      InclusionPath(index: 13, size: 13, nodes: path.nodes),
      InclusionPath(index: 13, size: 64, nodes: path.nodes),
      InclusionPath(index: 13, size: 21, nodes: path.nodes.dropLast()),
      InclusionPath(index: 13, size: 21, nodes: path.nodes + [own]),
      InclusionPath(index: 13, size: 21, nodes: altered),
      InclusionPath(index: 13, size: 21, nodes: []),
    ]
    for path in wrong {
      let proven = path.root(from: own, &hasher)
      #expect(proven != root)
    }
    let other = self.hash(leaves[12], &hasher)
    let ofOther = path.root(from: other, &hasher)
    #expect(ofOther != root)
    let ofNone = InclusionPathBuilder(index: 0).path(&hasher)
    #expect(ofNone == nil)
  }
}
