import Testing
import TideCore
import TideCrypto

@testable import TideInspect

/// Each kind in each form of DETECTION.md section 2.
@Suite struct NeedleFormTests {
  @Test("An IMEI: without its check digit, with a version, grouped, packed, as a number")
  func imei() throws {
    let search = try NeedleSearch([("imei", Phone.imei)])
    for text in [
      "490154203237518", "49015420323751", "49-015420-323751-8", "49 015420 323751 8",
    ] {
      #expect(search.finds("imei", in: text), "\(text)")
    }
    // An IMEISV (3GPP TS 23.003 §6.2.2) has two digits of its own in place of the check digit.
    #expect(search.matches("v=4901542032375178;").contains("imei 2..<16"))
    #expect(search.finds("imei reversed", in: "815732302451094"))
    #expect(search.finds("imei hexnumber", in: "1bdcaeb2b4c8e"))
    #expect(search.finds("imei hexnumber", in: "0x1BDCAEB2B4C8E"))
    #expect(search.finds("imei base32", in: "GQ4TAMJVGQZDAMZSGM3TKMJY"))
    let binary: [[UInt8]] = [
      // TBCD, BCD with 15 after, BCD with 0 before, mobile identity of type IMEI.
      [0x94, 0x10, 0x45, 0x02, 0x23, 0x73, 0x15, 0xF8],
      [0x49, 0x01, 0x54, 0x20, 0x32, 0x37, 0x51, 0x8F],
      [0x04, 0x90, 0x15, 0x42, 0x03, 0x23, 0x75, 0x18],
      [0x4A, 0x09, 0x51, 0x24, 0x30, 0x32, 0x57, 0x81],
    ]
    for bytes in binary {
      #expect(search.finds("imei bcd", in: bytes, edge: [0x00, 0x37]))
      #expect(search.finds("imei hex bcd", in: ASCII.hex(bytes)))
    }
    let integers: [[UInt8]] = [
      [0x8E, 0x99, 0xAD, 0xD9, 0xAE, 0xB9, 0x6F],
      [0x8E, 0x4C, 0x2B, 0xEB, 0xCA, 0xBD, 0x01, 0x00],
      [0x00, 0x01, 0xBD, 0xCA, 0xEB, 0x2B, 0x4C, 0x8E],
    ]
    for bytes in integers {
      #expect(search.finds("imei int", in: bytes, edge: [0x30]), "\(bytes)")
    }
  }

  @Test("An ICCID with a check digit more or less; an IMSI packed as a SIM card keeps it")
  func sim() throws {
    let search = try NeedleSearch([("iccid", Phone.iccid), ("imsi", Phone.imsi)])
    #expect(search.finds("iccid", in: "898869200000000000"))
    #expect(search.finds("iccid", in: "89886920000000000011"))
    #expect(search.finds("iccid", in: "8988 6920 0000 0000 001"))
    #expect(
      search.finds(
        "iccid bcd",
        in: [0x98, 0x88, 0x96, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0xF1],
        edge: [0x01]
      )
    )
    #expect(
      search.finds("imsi bcd", in: [0x49, 0x66, 0x29, 0x10, 0x32, 0x54, 0x76, 0x98], edge: [0x08])
    )
  }

  @Test("A MEID in either case and in decimal digits")
  func meid() throws {
    // The example of 3GPP2 S.R0048: AF 01 23 45 0A BC DE is 293608736500703710.
    let search = try NeedleSearch([("meid", "AF0123450ABCDE")])
    #expect(search.finds("meid", in: "af0123450abcde"))
    #expect(search.finds("meid decimal", in: "293608736500703710"))
    #expect(
      search.finds(
        "meid bytes",
        in: [0xAF, 0x01, 0x23, 0x45, 0x0A, 0xBC, 0xDE],
        edge: [0x41]
      )
    )
  }

  @Test("A telephone number with and without country, grouped, in parentheses, packed")
  func phone() throws {
    let search = try NeedleSearch([("msisdn", "+886 912 345 678")])
    for text in [
      "+886912345678", "886912345678", "00886912345678", "0912345678", "912345678",
      "0912-345-678", "0912 345 678", "+886-912-345-678", "+886 912 345 678", "(0912) 345-678",
      "(0912)345-678", "0912.345.678",
    ] {
      #expect(search.finds("msisdn", in: text), "\(text)")
    }
    #expect(search.finds("msisdn percent", in: "%2B886912345678"))
    #expect(search.finds("msisdn percent percent", in: "%252b886912345678"))
    // An address in an SMS (3GPP TS 23.040 §9.1.2.5).
    #expect(search.finds("msisdn bcd", in: [0x88, 0x96, 0x21, 0x43, 0x65, 0x87], edge: [0x91]))
    #expect(search.finds("msisdn hex bcd", in: "889621436587"))
    #expect(search.finds("msisdn hex utf16be", in: "0030003900310032003300340035003600370038"))
    for text in ["0912 345 678", "+886 912 345 678", "0912-345-678", "912345678"] {
      #expect(search.finds("msisdn md5", in: Phone.hex(.md5, text)), "\(text)")
    }
    let us = try NeedleSearch([("contact_phone", "+1 415 555 0123")])
    #expect(us.finds("contact_phone", in: "(415) 555-0123"))
    #expect(us.finds("contact_phone", in: "+1-415-555-0123"))
  }

  @Test("Addresses of interfaces: separators, cases, six bytes in either order, a number")
  func mac() throws {
    let search = try NeedleSearch([("wifi_mac", Phone.mac)])
    for text in [
      "e4:34:f1:2f:5b:17", "E4:34:F1:2F:5B:17", "e4-34-f1-2f-5b-17", "e434f12f5b17",
      "E434.F12F.5B17", "e4 34 f1 2f 5b 17",
    ] {
      #expect(search.finds("wifi_mac", in: text), "\(text)")
    }
    let bytes: [UInt8] = [0xE4, 0x34, 0xF1, 0x2F, 0x5B, 0x17]
    #expect(search.finds("wifi_mac bytes", in: bytes, edge: [0x41, 0x31]))
    #expect(search.finds("wifi_mac bytes", in: bytes.reversed(), edge: [0x41]))
    #expect(search.finds("wifi_mac int", in: [0, 0] + bytes, edge: [0x41]))
    #expect(search.finds("wifi_mac decimal", in: "250916035844887"))
    #expect(search.finds("wifi_mac md5", in: Phone.hex(.md5, "E434F12F5B17")))
  }

  @Test("UUIDs and Android ids: without hyphens, as bytes, as numbers with and without sign")
  func ids() throws {
    let search = try NeedleSearch([("gaid", Phone.gaid), ("android_id", Phone.androidID)])
    #expect(search.matches("{\(Phone.gaid.uppercased())}").contains("gaid 1..<37"))
    #expect(search.finds("gaid", in: "f863bff5564848c0be98b209e5c95708"))
    let uuid: [UInt8] = [
      0xF8, 0x63, 0xBF, 0xF5, 0x56, 0x48, 0x48, 0xC0, 0xBE, 0x98, 0xB2, 0x09, 0xE5, 0xC9, 0x57,
      0x08,
    ]
    #expect(search.finds("gaid bytes", in: uuid, edge: [0x10]))
    let guid: [UInt8] = [0xF5, 0xBF, 0x63, 0xF8, 0x48, 0x56, 0xC0, 0x48] + uuid[8...]
    #expect(search.finds("gaid bytes", in: guid, edge: [0x10]))
    #expect(search.matches(Base64.url.encode(uuid)).contains("gaid base64url bytes 0..<22"))
    #expect(search.finds("android_id", in: "9774D56D682E549C"))
    #expect(search.finds("android_id decimal", in: "10913582462901572764"))
    #expect(search.finds("android_id decimal", in: "-7533161610807978852"))
  }

  @Test("Text of other scripts: escapes, references, UTF-16, GB18030, Big5, backwards")
  func text() throws {
    let search = try NeedleSearch([("contact_name", Phone.hanName)])
    #expect(search.finds("contact_name", in: "林怡君"))
    #expect(search.finds("contact_name", in: #"\u6797\u6021\u541b"#))
    #expect(search.finds("contact_name entities", in: "&#26519;&#24609;&#21531;"))
    #expect(search.finds("contact_name entities", in: "&#x6797;&#x6021;&#X541B;"))
    #expect(search.finds("contact_name reversed", in: "君怡林"))
    #expect(search.finds("contact_name hex", in: "e69e97e680a1e5909b"))
    #expect(search.finds("contact_name hex utf16be", in: "67976021541B"))
    #expect(
      search.finds(
        "contact_name utf16le",
        in: [0x97, 0x67, 0x21, 0x60, 0x1B, 0x54],
        edge: [0x22, 0]
      )
    )
    // 林 is C1 D6 in GB18030 and AA 4C in Big5.
    #expect(search.finds("contact_name percent gb18030", in: "%C1%D6%E2%F9%BE%FD"))
    #expect(search.finds("contact_name percent big5", in: "%aaL%a9%c9%a7g"))
    #expect(
      search.finds(
        "contact_name percent percent",
        in: "%25E6%259E%2597%25E6%2580%25A1%25E5%2590%259B"
      )
    )
    for offset in 0..<3 {
      let inner = [UInt8](repeating: 0x2E, count: offset) + [0x67, 0x97, 0x60, 0x21, 0x54, 0x1B]
      let text = Base64.standard.encode(inner + [0x2E])
      #expect(
        offset > 0
          || search.matches(text).contains { $0.hasPrefix("contact_name base64 utf16be") }
      )
    }
    let latin = try NeedleSearch([("contact_name", "Wen-Hui Chang")])
    for text in ["wen-hui chang", "Wen-HuiChang", "Chang, Wen-Hui", "Chang Wen-Hui"] {
      #expect(latin.finds("contact_name", in: text), "\(text)")
    }
    let mail = try NeedleSearch([("email", "R&D@harbour.example")])
    #expect(mail.finds("email entities", in: "r&amp;d@harbour.example"))
  }

  @Test("Addresses visited are known without scheme and query, but not by their host alone")
  func url() throws {
    let search = try NeedleSearch([("browsing_url", "https://news.example/2014/permit?id=88213")])
    for text in [
      "https://news.example/2014/permit?id=88213", "news.example/2014/permit?id=88213",
      "https://news.example/2014/permit", "news.example/2014/permit",
    ] {
      #expect(search.finds("browsing_url", in: text), "\(text)")
    }
    #expect(
      search.finds(
        "browsing_url md5",
        in: Phone.hex(.md5, "https://news.example/2014/permit?id=88213")
      )
    )
    #expect(search.matches("\"https://news.example/\"").isEmpty)
    let root = try NeedleSearch([("browsing_url", "https://news.example/")])
    #expect(root.matches("\"news.example\"").isEmpty)
    #expect(root.finds("browsing_url", in: "https://news.example/"))
  }

  @Test("A long message is likely known by how it begins or ends")
  func longText() throws {
    let search = try NeedleSearch([("sms_text", Phone.sms)])
    #expect(search.finds("sms_text", in: "See you at the quay at s"))
    #expect(search.finds("sms_text", in: "ay at seven, don't tell."))
    let cut = search.set.needles.filter { $0.spelling == .prefix(24) }
    #expect(!cut.isEmpty && cut.allSatisfy { $0.certainty == .likely })
    #expect(
      search.finds(
        "sms_text hex utf16be",
        in: ASCII.hex(Phone.sms.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] })
      )
    )
  }

  @Test("Packages are members of a set, and only under their whole name")
  func packages() throws {
    let search = try NeedleSearch([("app_list", "com.example.tide")])
    #expect(search.set.values.allSatisfy { $0.isSetMember })
    #expect(search.finds("app_list", in: "com.example.tide"))
    #expect(search.matches("I use com.example.tide.").count == 1)
    for text in [
      "com.example.tide.beta", "com.example.tides", "my.com.example.tide", "com.example.tide_x",
    ] {
      #expect(search.matches(text).isEmpty, "\(text)")
    }
  }
}
