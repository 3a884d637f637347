import Foundation
import Testing
import TideCore

@testable import TideControl

@Suite struct BlockPageTests {
  private let blocked = BlockPage(
    status: 451,
    failure: FlowFailure(.blockedByRule, origin: .internal, detail: "imei in the body"),
    rule: BlockPage.Rule(
      id: RuleID("identifiers-to-watched-regions"),
      description: "Identifiers <bound> for a \"watched\" region",
      region: "CN"
    ),
    host: "<script>alert(1)</script>.example",
    mode: .block,
    caseName: "2026-11-22-a"
  )

  @Test("A block names its rule, its region and who blocks, and escapes what it quotes")
  func page() throws {
    let response = self.blocked.render(accept: "text/html,*/*;q=0.8", acceptLanguage: "en")
    #expect(response.status == 451)
    #expect(response.field("Link") == "<http://tidewaiter.internal/>; rel=\"blocked-by\"")
    #expect(response.field("Cache-Control") == "no-store")
    #expect(response.field("Content-Type") == "text/html; charset=utf-8")
    let text = response.body.text
    #expect(text.contains("<dd>identifiers-to-watched-regions</dd>"))
    #expect(text.contains("Identifiers &lt;bound&gt; for a &quot;watched&quot; region"))
    #expect(text.contains("<dt>Region</dt><dd>CN</dd>"))
    #expect(!text.contains("<script"))
  }

  @Test("JSON comes to whoever prefers it, with the names that records use")
  func json() throws {
    let response = self.blocked.render(accept: "application/json", acceptLanguage: "")
    #expect(response.field("Content-Type") == "application/json")
    let object = try JSONSerialization.jsonObject(with: Data(response.body.array))
    let document = try #require(object as? [String: Any])
    #expect(document["error"] as? String == "blocked-by-rule")
    #expect(document["status"] as? Int == 451)
    #expect(document["rule"] as? String == "identifiers-to-watched-regions")
    #expect(document["region"] as? String == "CN")
    #expect(document["mode"] as? String == "block")
    #expect(document["case"] as? String == "2026-11-22-a")
    #expect(document["host"] as? String == "<script>alert(1)</script>.example")
  }

  @Test("The page speaks Chinese to whoever reads it")
  func chinese() {
    let response = self.blocked.render(accept: "", acceptLanguage: "zh-TW,en;q=0.5")
    #expect(response.field("Content-Language") == "zh-TW")
    #expect(response.body.text.contains("已由規則阻擋"))
  }

  @Test("Every failure says what happened and what to do in both languages")
  func everyFailure() {
    for code in FlowFailure.Code.allCases {
      for language in ["en", "zh-TW"] {
        let page = BlockPage(
          status: 502,
          failure: FlowFailure(code, origin: .upstream, detail: ""),
          host: "files.example",
          mode: .record,
          caseName: "a"
        ).render(accept: "", acceptLanguage: language)
        #expect(page.field("Link") == nil)
        #expect(page.body.text.contains("502 \(code.rawValue)"))
        let text = BlockText(code)
        #expect(!text.cause[.english].isEmpty && text.cause[.english] != text.cause[.chinese])
        #expect(!text.remedy[.english].isEmpty && text.remedy[.english] != text.remedy[.chinese])
      }
    }
  }

  @Test(
    "Each status that the proxy answers with has a page in both languages and a JSON form, never to be kept",
    arguments: [
      (407, FlowFailure.Code.authenticationRequired), (421, .misdirected), (421, .fronting),
      (431, .headTooLarge), (451, .notRedactable), (503, .overLimit),
    ]
  )
  func statuses(status: Int, code: FlowFailure.Code) throws {
    let page = BlockPage(
      status: status,
      failure: FlowFailure(code, origin: .downstream, detail: "why"),
      host: "files.example",
      mode: .block,
      caseName: "a"
    )
    for language in ["en", "zh-TW"] {
      let response = page.render(accept: "text/html", acceptLanguage: language)
      #expect(response.status == status)
      #expect(response.field("Cache-Control") == "no-store")
      #expect(response.field("Content-Language") == language)
      #expect(response.body.text.contains("\(status) \(code.rawValue)"))
      #expect(response.body.text.contains("<dd>why</dd>"))
    }
    let response = page.render(accept: "application/json", acceptLanguage: "")
    #expect(response.field("Cache-Control") == "no-store")
    let object = try JSONSerialization.jsonObject(with: Data(response.body.array))
    let document = try #require(object as? [String: Any])
    #expect(document["error"] as? String == code.rawValue)
    #expect(document["status"] as? Int == status)
    #expect(document["detail"] as? String == "why")
  }

  @Test("Who is asked to say who they are is told where to enter it")
  func asked() {
    let page = BlockPage(
      status: 407,
      failure: FlowFailure(.authenticationRequired, origin: .downstream, detail: ""),
      host: "",
      mode: .record,
      caseName: "a"
    )
    let english = page.render(accept: "", acceptLanguage: "en").body.text
    #expect(english.contains("<h1>Tidewaiter asks who you are</h1>"))
    #expect(english.contains("proxy settings of the Wi-Fi"))
    #expect(!english.contains("Destination"), "nothing was asked for yet")
    #expect(page.render(accept: "", acceptLanguage: "zh").body.text.contains("使用者名稱"))
  }
}

@Suite struct NegotiationTests {
  @Test(
    "JSON is chosen only where it is preferred",
    arguments: [
      ("application/json", true), ("application/json, text/html;q=0.9", true),
      ("application/vnd.example+json", true), ("APPLICATION/JSON ; q=0.3", true),
      ("*/*", false), ("", false), ("text/html, application/json", false),
      ("application/json;q=0", false), ("application/json;q=nan", false),
      ("image/x+json", false), ("application/json;q=7, text/html;q=0.1", false), (",;,=", false),
    ]
  )
  func json(accept: String, expected: Bool) {
    #expect(Negotiation.prefersJSON(accept: accept) == expected)
  }

  @Test(
    "The language is the first that is wanted most and that we speak",
    arguments: [
      ("", PageLanguage.english), ("de-DE,de;q=0.9", .english), ("zh", .chinese),
      ("en;q=0.4, zh-CN;q=0.6", .chinese), ("ZH-TW", .chinese), ("en-US,zh-TW;q=0.9", .english),
      ("zh-TW;q=0, en;q=0.1", .english), ("zhx", .english),
    ]
  )
  func language(field: String, expected: PageLanguage) {
    #expect(PageLanguage(query: "", acceptLanguage: field) == expected)
  }

  @Test("An unknown language in the query leaves the choice to the field")
  func query() {
    #expect(PageLanguage(query: "x=1&lang=fr", acceptLanguage: "zh") == .chinese)
    #expect(PageLanguage(query: "lang=zh-TW", acceptLanguage: "en") == .chinese)
  }
}
