import Testing
import TideCore

@testable import TideHTTP

@Suite struct SendQueueTests {
  @Test("What goes in comes out in order, in pieces of any size")
  func order() {
    let all = (0..<5_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    for (put, take) in [(1, 1), (1, 300), (300, 1), (7, 11), (64, 64)] {
      var queue = SendQueue()
      var output: [UInt8] = []
      var position = 0
      while position < all.count || queue.count > 0 {
        for _ in 0..<3 where position < all.count {
          let end = min(all.count, position + put)
          queue.append(Bytes(Array(all[position..<end])))
          position = end
        }
        queue.move(min(take, queue.count), to: &output)
      }
      #expect(output == all, "\(put) in, \(take) out")
    }
  }
}
