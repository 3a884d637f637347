import Glibc
import TideCore
import Testing

@testable import TideHTTP

@Suite struct FramePagesTests {
  @Test("buffers are apart, and zero again when they are taken once more")
  func reuse() {
    let pages = FramePages(count: 2)
    guard let first = unsafe pages.take(), let second = unsafe pages.take() else {
      Issue.record("no buffers")
      return
    }
    let distance = unsafe second - first
    #expect(abs(distance) == FramePages.size)
    let third = unsafe pages.take() != nil
    #expect(!third)
    unsafe memset(first, 0xFF, FramePages.size)
    let isBack = unsafe pages.giveBack(first)
    #expect(isBack)
    #expect(pages.used == 1)
    guard let again = unsafe pages.take() else {
      Issue.record("no buffer")
      return
    }
    let isFirst = unsafe again == first
    #expect(isFirst)
    let last = unsafe again.load(fromByteOffset: FramePages.size - 1, as: UInt8.self)
    #expect(last == 0)
  }

  @Test("what is not theirs is not taken back")
  func others() {
    let pages = FramePages(count: 1)
    guard let other = unsafe malloc(64) else { return }
    defer { unsafe free(other) }
    let isBack = unsafe pages.giveBack(other)
    #expect(!isBack)
    let place = unsafe pages.place(of: other)
    #expect(place == nil)
    #expect(pages.used == 0)
  }

  @Test("where addresses are refused, there are no buffers")
  func refused() {
    let pages = FramePages(count: 1 << 40)
    let hasOne = unsafe pages.take() != nil
    #expect(!hasOne)
    #expect(pages.used == 0)
  }
}
