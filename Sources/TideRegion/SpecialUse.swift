public import TideCore

/// Addresses that do not stand for a host on the Internet (RFC 6890 and the IANA registries it made).
public enum SpecialUse {
  /// The name of the special use of `address`; nil if it is a global address.
  ///
  /// An IPv6 address that carries an IPv4 one is of special use if either is: `64:ff9b::7f00:1` reaches
  /// the loopback address of whoever translates it.
  public static func name(of address: IPAddress) -> String? {
    let address = address.unmapped
    return self.ownName(of: address) ?? address.carriedV4.lazy.compactMap(self.ownName).first
  }

  /// The special use of the form of `address` alone, without regard to an IPv4 address inside it.
  public static func ownName(of address: IPAddress) -> String? {
    // `first` is the longest prefix; an exception inside a special block maps to nil.
    self.table.matches(address).first ?? nil
  }

  private static let table: PrefixTable<String?> = {
    var table = PrefixTable<String?>()
    for (text, name) in Self.blocks {
      guard let block = CIDR(text) else { preconditionFailure("\(text) is a block") }
      table.update(block, initial: nil) { $0 = name }
    }
    return table
  }()

  /// The IANA IPv4 and IPv6 Special-Purpose Address Registries, with multicast and cloud metadata added.
  ///
  /// nil marks what is global inside a larger block that is not.
  private static let blocks: [(String, String?)] = [
    ("0.0.0.0/8", "this network"),  // RFC 791 §3.2; a socket takes 0.0.0.0 for loopback
    ("10.0.0.0/8", "private"),  // RFC 1918
    ("100.64.0.0/10", "shared"),  // RFC 6598, carrier-grade NAT
    ("100.100.100.200/32", "metadata"),
    ("127.0.0.0/8", "loopback"),  // RFC 1122 §3.2.1.3
    ("169.254.0.0/16", "link-local"),  // RFC 3927
    ("169.254.169.254/32", "metadata"),
    ("169.254.170.2/32", "metadata"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol assignments"),  // RFC 6890 §2.1
    ("192.0.0.9/32", nil),  // RFC 7723, anycast
    ("192.0.0.10/32", nil),  // RFC 8155, anycast
    ("192.0.0.192/32", "metadata"),
    ("192.0.2.0/24", "documentation"),  // RFC 5737
    ("192.88.99.0/24", "6to4 relay"),  // RFC 7526
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),  // RFC 2544
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),  // RFC 5771
    ("240.0.0.0/4", "reserved"),  // RFC 1112 §4
    ("255.255.255.255/32", "broadcast"),  // RFC 919 §7
    ("::/0", "reserved"),  // RFC 4291 §2.4: only 2000::/3 is global unicast
    ("2000::/3", nil),
    ("::/128", "unspecified"),  // RFC 4291 §2.5.2
    ("::1/128", "loopback"),  // RFC 4291 §2.5.3
    ("64:ff9b::/96", nil),  // RFC 6052: judged by the IPv4 address inside
    ("64:ff9b:1::/48", "local translation"),  // RFC 8215
    ("100::/64", "discard"),  // RFC 6666
    ("100:0:0:1::/64", "dummy"),  // RFC 9780
    ("2001::/23", "protocol assignments"),  // RFC 2928
    ("2001::/32", nil),  // RFC 4380, Teredo: judged by the IPv4 address inside
    ("2001:1::1/128", nil),  // RFC 7723, anycast
    ("2001:1::2/128", nil),  // RFC 8155, anycast
    ("2001:1::3/128", nil),  // RFC 9665, anycast
    ("2001:2::/48", "benchmarking"),  // RFC 5180
    ("2001:3::/32", nil),  // RFC 7450
    ("2001:4:112::/48", nil),  // RFC 7535
    ("2001:20::/28", nil),  // RFC 7343
    ("2001:30::/28", nil),  // RFC 9374
    ("2001:db8::/32", "documentation"),  // RFC 3849
    ("3fff::/20", "documentation"),  // RFC 9637
    ("5f00::/16", "segment routing"),  // RFC 9602
    ("fc00::/7", "private"),  // RFC 4193, unique local
    ("fd00:ec2::254/128", "metadata"),
    ("fd20:ce::254/128", "metadata"),
    ("fe80::/10", "link-local"),  // RFC 4291 §2.5.6
    ("fec0::/10", "site-local"),  // RFC 3879
    ("ff00::/8", "multicast"),  // RFC 4291 §2.7
  ]
}
