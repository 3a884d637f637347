import Testing
import TideCore

@testable import TideDecoding

@Suite struct FormDecoderTests {
  private let decoder = FormDecoder()
  private static let form = "application/x-www-form-urlencoded"

  @Test("Members are leaves by name, with escapes undone")
  func members() {
    let text: Bytes = "imei=490154203237518&n=Ada+L%C3%B8&empty=&flag&d=YWJj==&k%20y=1"
    #expect(
      leaves(opened(self.decoder, text), text) == [
        "$.imei=490154203237518", "$.n=Ada L\u{F8}", "$[3]=flag", "$.d=YWJj==", "$[\"k y\"]=1",
      ]
    )
    let layer = opened(self.decoder, "a=1&b=2")
    #expect(layer?.isCertain == true)
  }

  @Test("The plus of a telephone number stays one")
  func plus() {
    let text: Bytes = "to=+886905621583&q=a+b"
    #expect(leaves(opened(self.decoder, text), text) == ["$.to=+886905621583", "$.q=a b"])
  }

  @Test("Semicolons separate where there is no ampersand")
  func semicolons() {
    let text: Bytes = "a=1;b=2"
    #expect(leaves(opened(self.decoder, text), text) == ["$.a=1", "$.b=2"])
  }

  @Test("A single member opens, but is not certain")
  func single() {
    let text: Bytes = "data=eyJhIjoxfQ=="
    let layer = opened(self.decoder, text)
    #expect(leaves(layer, text) == ["$.data=eyJhIjoxfQ=="])
    #expect(layer?.isCertain == false)
  }

  @Test(
    "Base64, prose, markup and code are no forms",
    arguments: [
      "YWJjZGVmZ2hpamtsbW5vcA==", "YWJjZGVmZ2hpamtsbW5vcHE=", "x = y & z",
      "<a href=\"b\">&amp;</a>",
      "{\"a\":\"b=c&d=e\"}", "if (a==b && c==d) { e=f }", "see you at a=b or so",
      "text/html; charset=utf-8",
      "a\u{0}b=c&d=e", "=", "&&&", "a&b&c",
    ]
  )
  func notForm(_ text: String) {
    #expect(opened(self.decoder, Bytes(text)) == nil)
  }

  @Test("What is declared a form is one")
  func declared() {
    let text: Bytes = "a b=1&c"
    let layer = opened(self.decoder, text, .content, mediaType: Self.form)
    #expect(leaves(layer, text) == ["$[\"a b\"]=1", "$[1]=c"])
  }

  @Test("Values are written in the manner of the original")
  func style() throws {
    let text: Bytes = "a=%2b886&b=x+y&c=x%20y&d=%E6%9E%97&e=1/2&f=%34%39"
    let layer = try #require(opened(self.decoder, text))
    let closed = self.decoder.close(
      layer,
      over: text,
      replacing: [0: "+111\u{F8}", 1: "p q", 2: "p q", 3: "\u{9673}", 4: "a/b", 5: "01"]
    )
    #expect(closed == "a=%2b111%c3%b8&b=p+q&c=p%20q&d=%E9%99%B3&e=a/b&f=%30%31")
  }

  @Test(
    "Forms survive being opened, changed and closed",
    arguments: [
      "a=1&b=%7B%22x%22%3A1%7D&c=a+b", "to=+886905621583&q=x&r=%e6%9e%97", "a=1;b=2;c=%3B",
      "data=plain", "a=x/y:z&&b=@!$&c=100%", "+886905621583=x&y=z",
    ]
  )
  func property(_ text: String) {
    for seed: UInt64 in 1...5 {
      #expect(
        roundTripFaults(
          self.decoder,
          Bytes(text),
          .content,
          mediaType: text.contains(";") ? "" : Self.form,
          seed: seed,
          value: otherValue
        ) == []
      )
    }
  }

  @Test("Queries are forms, or bare values; paths are segments; cookies escape as they like")
  func targets() {
    let query: Bytes = "imsi=uLtHqx_-&_=1&490154203237518"
    #expect(
      leaves(opened(QueryDecoder(), query, .query), query) == [
        "$.imsi=uLtHqx_-", "$._=1", "$[2]=490154203237518",
      ]
    )
    let path: Bytes = "/pass//dev/%E6%9E%97+x;a=b/"
    #expect(
      leaves(opened(PathDecoder(), path, .path), path) == [
        "$[0]=pass", "$[2]=dev", "$[3]=\u{6797}+x;a=b",
      ]
    )
    let cookie: Bytes = "a=1; b=\"x y\";c=%41+b==; HttpOnly"
    #expect(
      leaves(opened(CookieDecoder(), cookie, .cookie), cookie) == [
        "$.a=1", "$.b=x y", "$.c=A+b==", "$[3]=HttpOnly",
      ]
    )
    #expect(opened(QueryDecoder(), query, .leaf) == nil)
    for seed: UInt64 in 1...5 {
      #expect(roundTripFaults(QueryDecoder(), query, .query, seed: seed, value: otherValue) == [])
      #expect(roundTripFaults(PathDecoder(), path, .path, seed: seed, value: otherValue) == [])
      #expect(
        roundTripFaults(CookieDecoder(), cookie, .cookie, seed: seed, value: otherValue) == []
      )
    }
  }

  @Test("A URL's host, segments, members and fragment are leaves")
  func url() {
    let text: Bytes = "https://u:p@api.xx.example:8443/v1/%E6%9E%97?imei=49+0&b#a=b"
    #expect(
      leaves(opened(URLDecoder(), text), text) == [
        "$.user=u:p", "$.host=api.xx.example", "$.path[0]=v1", "$.path[1]=\u{6797}",
        "$.query.imei=49 0", "$.query[1]=b", "$.fragment=a=b",
      ]
    )
    let short: Bytes = "/v1/user?imei=1"
    #expect(
      leaves(opened(URLDecoder(), short), short) == [
        "$.path[0]=v1", "$.path[1]=user", "$.query.imei=1",
      ]
    )
    for seed: UInt64 in 1...5 {
      #expect(
        roundTripFaults(URLDecoder(), text, seed: seed) { node, old, numbers in
          node.key == .text("host") ? "redacted.invalid" : otherValue(node, old, &numbers)
        } == []
      )
    }
    #expect(
      opened(URLDecoder(), text).flatMap {
        URLDecoder().close($0, over: text, replacing: [1: "a/b"])
      }
        == nil
    )
  }

  @Test(
    "Dates, base64 and words with a slash are no URLs",
    arguments: [
      "2026/11/23/10", "aGVsbG8/d29ybGQ=", "application/json", "and/or what", "a://",
      "://x.example",
    ]
  )
  func notURL(_ text: String) {
    #expect(opened(URLDecoder(), Bytes(text)) == nil)
  }

  @Test("Nothing traps on bytes that only begin well")
  func hostile() {
    var numbers = SeededNumbers(3)
    let alphabet = Array("a=&%+;4/?#:@ \"\u{0}b2".utf8) + [0xFF, 0xC3]
    for _ in 0..<300 {
      let count = Int(numbers.next() % 24)
      let text = (0..<count).map { _ in alphabet[Int(numbers.next() % UInt64(alphabet.count))] }
      let bytes = Bytes(Array("a=".utf8) + text)
      Self.tryOut(self.decoder, bytes, .leaf)
      Self.tryOut(URLDecoder(), Bytes(Array("ab://h/".utf8) + text), .leaf)
      Self.tryOut(URLDecoder(), Bytes(Array("/a?b=".utf8) + text), .leaf)
      Self.tryOut(QueryDecoder(), bytes, .query)
      Self.tryOut(CookieDecoder(), bytes, .cookie)
      Self.tryOut(PathDecoder(), bytes, .path)
    }
  }

  private static func tryOut(
    _ decoder: some LayerDecoder,
    _ bytes: Bytes,
    _ place: LayerContext.Place
  ) {
    guard let layer = opened(decoder, bytes, place) else { return }
    for index in layer.nodes.indices where !layer.nodes[index].isGroup {
      guard let closed = decoder.close(layer, over: bytes, replacing: [index: "12 3+/&=4"]) else {
        continue
      }
      let again = opened(decoder, closed, place)
      #expect(
        again.flatMap { $0.nodes.indices.contains(index) ? $0.nodes[index].value(in: closed) : nil }
          == "12 3+/&=4",
        "\(bytes) \(closed)"
      )
    }
  }
}
