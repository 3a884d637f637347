import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct OpenBodyTests {
  private let cases = CasesFolder()
  private let key = BodyKey(flow: FlowID(1), direction: .response, stage: .original)

  private func store(_ folder: CaseFolder) -> BodyStore {
    let settings = RecorderSettings()
    let access = StorageAccess(
      storage: PosixStorage(),
      ring: EvidenceRing(settings),
      health: RecorderHealth(),
      settings: settings,
      used: 0,
      log: { _ in }
    )
    return BodyStore(root: folder.path, keys: nil, isNew: true, access: access)
  }

  private func content(_ digest: [UInt8], _ folder: CaseFolder) throws -> [UInt8] {
    var reader = try BodyReader(root: folder.path, sha256: Hex.encode(digest), keys: nil)
    var content: [UInt8] = []
    while let piece = try reader.next() { content += piece }
    return content
  }

  @Test(
    "A body is kept whole however its pieces fall into batches and whatever was spilled meanwhile",
    arguments: [
      [1], [2_048], [65_536], [65_537], [200_000], [1, 1], [100, 65_536], [65_536, 1],
      [10, 0, 10, 70_000, 5], [1 << 20], [1 << 20, 1], [600_000, 600_000, 1],
    ]
  )
  func pieces(sizes: [Int]) throws {
    let folder = try self.cases.open()
    defer { folder.unlock() }
    var store = self.store(folder)
    let batchEnds: [(Int) -> Bool] = [{ _ in false }, { _ in true }, { $0 == 0 }]
    for (way, endsBatch) in batchEnds.enumerated() {
      for spills in [false, true] {
        let body = OpenBody(self.key, isCut: false)
        var whole: [UInt8] = []
        for (number, size) in sizes.enumerated() {
          let piece = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* (number + way + 3) >> 2) }
          whole += piece
          _ = try body.append(Bytes(piece), &store)
          if endsBatch(number) { body.own(&store) }
          if spills { try body.spill(&store) }
        }
        #expect(body.size == UInt64(whole.count))
        let digest = try body.finish(&store)
        #expect(digest == Digest.sha256.hash(whole))
        #expect(try self.content(digest, folder) == whole)
        #expect(store.pendingBytes == 0)
      }
    }
  }

  @Test(
    "A piece that is shared when its batch ends is copied, and waits to be spilled like any other"
  )
  func owned() throws {
    let folder = try self.cases.open()
    defer { folder.unlock() }
    var store = self.store(folder)
    let body = OpenBody(self.key, isCut: false)
    let isShared = try body.append(Bytes([1, 2, 3]), &store)
    #expect(isShared)
    #expect(store.pendingBytes == 0)
    body.own(&store)
    #expect(store.pendingBytes >= 3)
    var hasWaited = body.hasWaited(store)
    #expect(!hasWaited)
    store.sweep += 1
    hasWaited = body.hasWaited(store)
    #expect(hasWaited)
    let isSharedToo = try body.append(Bytes([4]), &store)
    #expect(!isSharedToo)
    let digest = try body.finish(&store)
    #expect(try self.content(digest, folder) == [1, 2, 3, 4])
  }
}
