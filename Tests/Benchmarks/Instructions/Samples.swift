import TideCore

/// What the benchmarks read: the same bytes each time.
enum Samples {
  /// A browser's request.
  static let request: Bytes =
    "GET /index/path/of/some/resource.html?query=1 HTTP/1.1\r\nHost: www.server.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.5\r\nCookie: session=5899f4a9e12db43d10ccddde; theme=dark\r\nConnection: keep-alive\r\n\r\n"

  /// A phone's values, one of each kind that a profile knows most.
  static let device = DeviceProfile(
    name: "phone",
    addresses: ["192.0.2.200/32"].compactMap { CIDR($0) },
    identifiers: [
      ("imei", "490154203237518"), ("meid", "A10000009296F2"), ("imsi", "466920123456789"),
      ("iccid", "8988692000000000001"), ("msisdn", "+886912345678"), ("serial", "c61fbc9e7d25"),
      ("android_id", "9774d56d682e549c"), ("gaid", "f863bff5-5648-48c0-be98-b209e5c95708"),
      ("oaid", "0b4d3f6a9c1e7258"), ("wifi_mac", "e4:34:f1:2f:5b:17"),
      ("bt_mac", "e4:34:f1:2f:5b:18"), ("bssid", "70:4f:57:aa:01:9e"),
      ("ssid", "harbour-attic-5g"), ("email", "mei.harbour77@post.example"),
      ("account_id", "6604112097"), ("gps", "25.0330,121.5654"),
      ("carrier", "Formosa Harbour Telecom"), ("contact_name", "Tide Waiter QX7"),
      ("contact_phone", "+886955555501"),
      ("sms_text", "See you at the quay at seven, don't tell."),
    ]
    .map { .init(kind: FindingKind($0.0), value: $0.1) }
  )

  /// Numbers that look random and are always the same.
  struct Numbers {
    private var state: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// The next one.
    mutating func next() -> UInt64 {
      self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return self.state >> 24
    }
  }

  /// Bytes in which nothing can be found.
  static func random(_ count: Int) -> Bytes {
    var numbers = Numbers()
    return Bytes((0..<count).map { _ in UInt8(truncatingIfNeeded: numbers.next()) })
  }

  /// What an app's telemetry looks like, of some `count` bytes, without a value of the device's.
  static func json(_ count: Int) -> Bytes {
    let words = [
      "alpha", "tide", "event", "click", "page", "version", "screen", "network", "state",
    ]
    var numbers = Numbers()
    func word() -> String { words[Int(numbers.next() % UInt64(words.count))] }
    var text = "{\"events\":["
    var index = 0
    while text.utf8.count < count {
      index += 1
      text +=
        "{\"id\":\(index),\"ts\":\(1_408_012_345_678 + index),\"name\":\"\(word())_\(word())\","
      text +=
        "\"sid\":\"\(String(numbers.next(), radix: 16))\",\"props\":{\"a\":\"\(word()) \(word())\","
      text += "\"n\":\(numbers.next() % 1_000).\(numbers.next() % 1_000)}},"
    }
    return Bytes(text + "{}]}")
  }

  /// A request's head with a type of content.
  static func post(_ type: String) -> MessageHead {
    MessageHead(
      start: .request(method: "POST", target: "/v1/collect?ts=1408530075824&model=HM+1SW"),
      fields: HeaderFields([
        ("Host", "api.vendor.example"), ("User-Agent", "Mozilla/5.0 (Linux; Android 13)"),
        ("Accept", "*/*"), ("X-Request-Id", "f0f54f30-445a-4577-a18a-0a5abcca95bf"),
        ("Cookie", "sess=5899f4a9e12db43d10ccddde; theme=dark"), ("Content-Type", type),
      ])
    )
  }
}
