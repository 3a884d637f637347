internal import Glibc
public import TideCore

/// The addresses of this machine.
public enum LocalAddresses {
  /// One address of one interface.
  struct Interface: Hashable {
    /// The interface's name, such as `wlan0`.
    let name: String
    /// The address.
    let address: IPAddress
    /// Whether it is a tunnel's end rather than a network's member.
    let isPointToPoint: Bool
  }

  /// Every address of every interface that is up, each once, loopback included.
  public static func list() -> [IPAddress] {
    var seen: Set<IPAddress> = []
    return Self.interfaces().map(\.address).filter { seen.insert($0).inserted }
  }

  /// The addresses by which devices on the same network can reach us, the likeliest first.
  ///
  /// IPv4 before IPv6, private before public, networks before bridges of containers and tunnels.
  /// Loopback and link-local addresses are left out: a phone cannot use them.
  public static func reachable() -> [IPAddress] { Self.ranked(Self.interfaces()) }

  /// What `reachable` says of `interfaces`.
  static func ranked(_ interfaces: [Interface]) -> [IPAddress] {
    let candidates = interfaces.compactMap { interface in
      Self.rank(interface).map { (rank: $0, address: interface.address) }
    }
    var seen: Set<IPAddress> = []
    return candidates.enumerated()
      .sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }
      .map(\.element.address).filter { seen.insert($0).inserted }
  }

  private static func rank(_ interface: Interface) -> Int? {
    let isInner =
      interface.isPointToPoint
      || ["docker", "br-", "veth", "virbr", "lxc", "cni", "podman", "tun", "wg"]
        .contains { interface.name.hasPrefix($0) }
    let penalty = isInner ? 4 : 0
    switch interface.address {
    case .v4(let value):
      // 127/8 (RFC 1122) and 169.254/16 (RFC 3927).
      if value >> 24 == 127 || value >> 16 == 0xA9FE { return nil }
      // RFC 1918.
      let isPrivate = value >> 24 == 10 || value >> 20 == 0xAC1 || value >> 16 == 0xC0A8
      return penalty + (isPrivate ? 0 : 1)
    case .v6(let value):
      // ::1 and fe80::/10 (RFC 4291 §2.5).
      if value == 1 || value >> 118 == 0x3FA { return nil }
      // fc00::/7 (RFC 4193).
      return penalty + (value >> 121 == 0x7E ? 2 : 3)
    }
  }

  private static func interfaces() -> [Interface] {
    var first: UnsafeMutablePointer<ifaddrs>?
    guard unsafe getifaddrs(&first) == 0 else { return [] }
    defer { unsafe freeifaddrs(first) }
    var found: [Interface] = []
    var next = unsafe first
    while let entry = unsafe next {
      unsafe next = entry.pointee.ifa_next
      let flags = unsafe entry.pointee.ifa_flags
      guard flags & UInt32(IFF_UP) != 0, let socket = unsafe entry.pointee.ifa_addr,
        let address = unsafe Self.address(socket)
      else { continue }
      found.append(
        Interface(
          name: unsafe String(cString: entry.pointee.ifa_name),
          address: address,
          isPointToPoint: flags & UInt32(IFF_POINTOPOINT) != 0
        )
      )
    }
    return found
  }

  /// The address in a socket address whose family says how long it is.
  private static func address(_ socket: UnsafeMutablePointer<sockaddr>) -> IPAddress? {
    let raw = UnsafeRawPointer(socket)
    switch Int32(unsafe socket.pointee.sa_family) {
    case AF_INET:
      let address = unsafe raw.loadUnaligned(as: sockaddr_in.self).sin_addr
      return unsafe withUnsafeBytes(of: address) { unsafe IPAddress(octets: $0) }
    case AF_INET6:
      let address = unsafe raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr
      return unsafe withUnsafeBytes(of: address) { unsafe IPAddress(octets: $0) }
    default: return nil
    }
  }
}
