import CNghttp2
import Glibc
import Synchronization

/// Pages of their own for the buffers in which nghttp2's sessions make frames.
///
/// A session takes 16 KiB for that when it is made and keeps them. What it writes there are heads and the
/// like, some hundred bytes: content goes past it. From the allocator the buffer would be 16 KiB of used
/// memory, two of which are a quarter of an idle intercepted connection. Of pages that the system has not
/// given out yet only those that are written to count.
///
/// The pages lie in one reservation of address space. When that is used up, or was refused, sessions have
/// their buffers from the allocator.
final class FramePages: Sendable {
  /// The bytes of a buffer: five pages, for 16 KiB and a frame's head.
  static let size = 20 << 10
  /// Those of all sessions: for 16,384 connections, 640 MiB of addresses.
  static let shared = FramePages(count: 32_768)

  private struct Places {
    /// The first that was never used.
    var fresh = 0
    /// Those that were given back.
    var free: [Int] = []
  }

  /// 0 if there are none.
  private let start: UInt
  private let count: Int
  private let places = Mutex(Places())

  /// Reserves addresses for so many buffers.
  init(count: Int) {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    let rights = PROT_READ | PROT_WRITE
    let mapped = unsafe mmap(nil, count * Self.size, rights, flags, -1, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
      self.start = 0
      self.count = 0
      return
    }
    // A huge page would be a hundred buffers at once.
    unsafe madvise(mapped, count * Self.size, MADV_NOHUGEPAGE)
    self.start = UInt(bitPattern: mapped)
    self.count = count
  }

  deinit {
    guard let mapped = unsafe UnsafeMutableRawPointer(bitPattern: self.start) else { return }
    unsafe munmap(mapped, self.count * Self.size)
  }

  /// How many buffers are in use.
  var used: Int { self.places.withLock { $0.fresh - $0.free.count } }

  /// Takes a buffer, zeroed; nil if there is none left.
  func take() -> UnsafeMutableRawPointer? {
    let place: Int? = self.places.withLock { places in
      if let last = places.free.popLast() { return last }
      guard places.fresh < self.count else { return nil }
      places.fresh += 1
      return places.fresh - 1
    }
    guard let place else { return nil }
    return unsafe UnsafeMutableRawPointer(bitPattern: self.start + UInt(place * Self.size))
  }

  /// Gives a buffer back; false if it is not one of these.
  func giveBack(_ buffer: UnsafeMutableRawPointer) -> Bool {
    guard let place = unsafe self.place(of: buffer) else { return false }
    unsafe madvise(buffer, Self.size, MADV_DONTNEED)
    self.places.withLock { $0.free.append(place) }
    return true
  }

  /// The place of a buffer; nil if it is not one of these.
  func place(of buffer: UnsafeMutableRawPointer) -> Int? {
    let address = UInt(bitPattern: buffer)
    guard address >= self.start, address < self.start + UInt(self.count * Self.size) else {
      return nil
    }
    return Int(address - self.start) / Self.size
  }
}

extension FramePages {
  /// The allocator that sessions are given: as the C library's, but for their frames' buffers.
  static var allocator: nghttp2_mem {
    unsafe nghttp2_mem(
      mem_user_data: nil,
      malloc: { size, _ in unsafe malloc(size) },
      free: { pointer, _ in
        guard let pointer = unsafe pointer, unsafe !FramePages.shared.giveBack(pointer) else {
          return
        }
        unsafe free(pointer)
      },
      calloc: { count, size, _ in unsafe calloc(count, size) },
      realloc: { pointer, size, _ in unsafe FramePages.resize(pointer, size) }
    )
  }

  /// Buffers of frames begin as nothing that is resized.
  private static func resize(
    _ pointer: UnsafeMutableRawPointer?,
    _ size: Int
  ) -> UnsafeMutableRawPointer? {
    guard let pointer = unsafe pointer else {
      let isBuffer = size >= 16 << 10 && size <= Self.size
      let buffer = unsafe isBuffer ? Self.shared.take() : nil
      return unsafe buffer ?? malloc(size)
    }
    guard unsafe Self.shared.place(of: pointer) != nil else { return unsafe realloc(pointer, size) }
    guard size > Self.size else { return unsafe pointer }
    guard let larger = unsafe malloc(size) else { return nil }
    unsafe larger.copyMemory(from: pointer, byteCount: Self.size)
    _ = unsafe Self.shared.giveBack(pointer)
    return unsafe larger
  }
}
