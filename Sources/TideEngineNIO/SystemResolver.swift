import CSockets
import Glibc
import TideCore

/// The system's resolver; owns nothing of C beyond each call: `getaddrinfo`'s list is freed in it.
enum SystemResolver {
  /// glibc declares EAI_NODATA for GNU programs only.
  private static let noData: Int32 = -5

  /// Every address of a name, IPv4 and IPv6, in the system's order, and what it is another name for; blocks.
  static func lookUp(_ name: Hostname) -> Result<Resolution, FlowFailure> {
    var hints = unsafe addrinfo()
    unsafe hints.ai_flags = AI_CANONNAME
    unsafe hints.ai_family = AF_UNSPEC
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = unsafe getaddrinfo(name.text, nil, &hints, &list)
    guard status == 0 else {
      let reason = unsafe String(cString: gai_strerror(status))
      let isAbsent = status == EAI_NONAME || status == Self.noData
      return .failure(
        FlowFailure(
          isAbsent ? .nameNotFound : .resolverFailed,
          origin: .upstream,
          detail: "\(name): \(reason)"
        )
      )
    }
    defer { unsafe freeaddrinfo(list) }
    var addresses: [IPAddress] = []
    var next = unsafe list
    while let entry = unsafe next {
      if let address = unsafe Self.address(entry)?.unmapped, !addresses.contains(address) {
        addresses.append(address)
      }
      unsafe next = entry.pointee.ai_next
    }
    guard addresses.count <= Resolution.mostAddresses else {
      let detail = "\(name): more than \(Resolution.mostAddresses) addresses"
      return .failure(FlowFailure(.resolverFailed, origin: .upstream, detail: detail))
    }
    let canonical = unsafe Self.canonicalName(list).flatMap { $0 == name ? nil : $0 }
    return .success(
      Resolution(addresses: addresses, aliases: canonical.map { [$0] } ?? [], source: "system")
    )
  }

  /// Where the chain of aliases ends; the first entry has it.
  private static func canonicalName(_ list: UnsafeMutablePointer<addrinfo>?) -> Hostname? {
    guard let text = unsafe list?.pointee.ai_canonname else { return nil }
    return unsafe Hostname(String(cString: text))
  }

  private static func address(_ entry: UnsafeMutablePointer<addrinfo>) -> IPAddress? {
    var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let status = unsafe getnameinfo(
      entry.pointee.ai_addr,
      entry.pointee.ai_addrlen,
      &text,
      socklen_t(text.count),
      nil,
      0,
      NI_NUMERICHOST
    )
    guard status == 0 else { return nil }
    let digits = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return IPAddress(lenient: String(decoding: digits, as: UTF8.self))
  }
}
