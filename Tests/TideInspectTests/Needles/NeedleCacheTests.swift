import Synchronization
import Testing
import TideCore
import TideCrypto

@testable import TideInspect

@Suite struct NeedleCacheTests {
  /// A cache in memory that counts.
  private final class Memory: NeedleCache {
    let entries = Mutex<[String: Bytes]>([:])
    let writes = Mutex(0)

    func read(_ key: String) -> Bytes? { self.entries.withLock { $0[key] } }

    func write(_ key: String, _ database: Bytes) {
      self.entries.withLock { $0[key] = database }
      self.writes.withLock { $0 += 1 }
    }

    func replace(_ change: (Bytes) -> Bytes) {
      self.entries.withLock { $0 = $0.mapValues(change) }
    }

    var writeCount: Int { self.writes.withLock { $0 } }
  }

  private static let values = [("imei", Phone.imei), ("contact_name", Phone.hanName)]

  @Test("What was compiled once is read, and finds the same")
  func read() throws {
    let cache = Memory()
    let first = try NeedleSearch(Self.values, cache: cache)
    let second = try NeedleSearch(Self.values, cache: cache)
    #expect(cache.writeCount == 1)
    let body = "{\"a\":\"\(Phone.imei)\",\"b\":\"\(Phone.hex(.md5, Phone.imei))\",\"c\":\"林怡君\"}"
    #expect(first.matches(body) == second.matches(body))
    #expect(second.matches(body).count >= 3)
    _ = try NeedleSearch([("imei", Phone.imei)], cache: cache)
    #expect(cache.entries.withLock { $0.count } == 2)
  }

  @Test("A damaged, cut, empty or exchanged entry is made again")
  func damaged() throws {
    let cache = Memory()
    _ = try NeedleSearch(Self.values, cache: cache)
    let damages: [(Bytes) -> Bytes] = [
      { entry in
        var bytes = entry.array
        bytes[bytes.count / 2] ^= 1
        return Bytes(bytes)
      },
      { $0.dropping(first: 1) },
      { $0.slice(0..<$0.count / 2) },
      { _ in Bytes() },
      { $0.slice(0..<32) },
    ]
    for (count, damage) in damages.enumerated() {
      cache.replace(damage)
      let search = try NeedleSearch(Self.values, cache: cache)
      #expect(search.finds("imei", in: Phone.imei))
      #expect(cache.writeCount == count + 2)
    }
    // Another profile's entry under this one's name.
    let other = Memory()
    _ = try NeedleSearch([("imei", "352099001761481")], cache: other)
    let foreign = other.entries.withLock { $0.values.first } ?? Bytes()
    cache.replace { _ in foreign }
    let search = try NeedleSearch(Self.values, cache: cache)
    #expect(search.finds("imei", in: Phone.imei))
  }

  @Test("Of a long address book the first are searched for in every form, and a note says so")
  func manyContacts() throws {
    let values = (0..<80).map { ("contact_phone", "+8869100\(10_000 + $0)") }
    let search = try NeedleSearch(values)
    #expect(search.set.notes.count == 1)
    let last = "+886910010079"
    #expect(search.finds("contact_phone", in: last))
    #expect(search.finds("contact_phone sha256", in: Phone.hex(.sha256, last)))
    #expect(search.matches(Phone.base64("..\(last)..")).isEmpty)
    #expect(!search.matches(Phone.base64("..+886910010000..")).isEmpty)
  }
}
