import CSockets
import Glibc
import TideCore

/// TCP sockets as calls with Swift's types; owns nothing: each descriptor belongs to who asked for it.
enum TCP {
  /// The system's reason why something could not be had.
  struct Failure: Error, CustomStringConvertible {
    let code: Int32
    var description: String { FlowFailure.text(of: self.code) }
  }

  struct Accepted {
    let descriptor: Int32
    let client: IPAddress
    let port: UInt16
  }

  /// Holds an address without listening on it: who comes there is refused.
  ///
  /// - Parameters:
  ///   - address: which; port 0 is a number of the kernel's.
  ///   - sharesPort: whether a claim of ours may have the port already; else nobody may.
  /// - Returns: the socket, which ours may listen beside.
  /// - Throws: why it cannot be had.
  static func claim(
    _ address: ListenAddress,
    sharesPort: Bool
  ) throws(Failure) -> Int32 {
    try self.checked(
      unsafe address.address.octets.withUnsafeBufferPointer { octets in
        unsafe tide_tcp_claim(
          octets.baseAddress,
          Int32(octets.count),
          address.port,
          sharesPort ? 1 : 0
        )
      }
    )
  }

  /// Listens, beside others of ours that listen there or hold the address (`SO_REUSEPORT`).
  ///
  /// - Parameters:
  ///   - address: where.
  ///   - backlog: how many clients wait in the kernel at most.
  /// - Returns: the socket.
  /// - Throws: why it cannot be had.
  static func listen(
    on address: ListenAddress,
    backlog: Int32 = 1_024
  ) throws(Failure) -> Int32 {
    try self.checked(
      unsafe address.address.octets.withUnsafeBufferPointer { octets in
        unsafe tide_tcp_listen(octets.baseAddress, Int32(octets.count), address.port, backlog)
      }
    )
  }

  /// Takes the next client in; nil if there is none.
  static func accept(_ listener: Int32) throws(Failure) -> Accepted? {
    var address = UInt128(0)
    var count: Int32 = 0
    var port: UInt16 = 0
    let taken = unsafe withUnsafeMutableBytes(of: &address) { room in
      unsafe tide_tcp_accept(
        listener,
        room.baseAddress?.assumingMemoryBound(to: UInt8.self),
        &count,
        &port
      )
    }
    // The client that was gone before it was taken is none either.
    if taken == -EAGAIN || taken == -ECONNABORTED || taken == -EINTR { return nil }
    let descriptor = try self.checked(taken)
    guard let client = self.address(address, count) else {
      self.close(descriptor)
      return nil
    }
    return Accepted(descriptor: descriptor, client: client, port: port)
  }

  /// Begins to connect: the socket, and whether it is connected already.
  static func connect(
    to address: IPAddress,
    port: UInt16
  ) throws(Failure) -> (descriptor: Int32, isConnected: Bool) {
    var isConnected: Int32 = 0
    let made = unsafe address.octets.withUnsafeBufferPointer { octets in
      unsafe tide_tcp_connect(octets.baseAddress, Int32(octets.count), port, &isConnected)
    }
    return (try self.checked(made), isConnected != 0)
  }

  /// Throws what a connect failed with.
  static func finishConnect(_ descriptor: Int32) throws(Failure) {
    _ = try self.checked(tide_tcp_outcome(descriptor))
  }

  /// The address that the socket is really connected to; nil if it is not.
  static func peer(of descriptor: Int32) -> IPAddress? {
    self.name(of: descriptor, isPeer: true)?.0
  }

  /// The port that the socket itself has; 0 if it has none.
  static func port(of descriptor: Int32) -> UInt16 {
    self.name(of: descriptor, isPeer: false)?.1 ?? 0
  }

  private static func name(of descriptor: Int32, isPeer: Bool) -> (IPAddress, UInt16)? {
    var address = UInt128(0)
    var port: UInt16 = 0
    let count = unsafe withUnsafeMutableBytes(of: &address) { room in
      unsafe tide_tcp_name(
        descriptor,
        isPeer ? 1 : 0,
        room.baseAddress?.assumingMemoryBound(to: UInt8.self),
        &port
      )
    }
    return self.address(address, count).map { ($0, port) }
  }

  /// Of the first `count` of the bytes; an IPv4 address that travels as an IPv6 one is the former.
  private static func address(_ bytes: UInt128, _ count: Int32) -> IPAddress? {
    switch count {
    case 4: .v4(UInt32(bigEndian: UInt32(truncatingIfNeeded: UInt128(littleEndian: bytes))))
    case 16: IPAddress.v6(UInt128(bigEndian: bytes)).unmapped
    default: nil
    }
  }

  /// Writes as many bytes as there is room for; nil if none can be written any more.
  static func send(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int? {
    let count = unsafe tide_send(descriptor, bytes.baseAddress, bytes.count)
    if count == -Int(EAGAIN) { return 0 }
    return count < 0 ? nil : count
  }

  /// Says that no more is sent.
  static func endWriting(_ descriptor: Int32) { tide_end_writing(descriptor) }

  /// Closes; with `resets` the peer learns that the rest is missing (RST).
  static func close(_ descriptor: Int32, resets: Bool = false) {
    tide_close(descriptor, resets ? 1 : 0)
  }

  private static func checked(_ result: Int32) throws(Failure) -> Int32 {
    if result < 0 { throw Failure(code: -result) }
    return result
  }
}
