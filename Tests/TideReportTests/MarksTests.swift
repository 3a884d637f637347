import Testing

@testable import TideReport

@Suite struct MarksTests {
  @Test(
    "Marks are told by their words, in English and Chinese",
    arguments: [
      ("Power on", Marks.Step.powerOn), ("SIM inserted", .simInserted),
      ("插入 SIM 卡", .simInserted), ("joined the Wi-Fi", .wifiJoined), ("連上無線網路", .wifiJoined),
      ("location allowed", .locationAllowed), ("Consent screen accepted", .consent),
      ("按下同意", .consent), ("contact added", .contactAdded), ("新增聯絡人", .contactAdded),
      ("SMS sent", .smsSent), ("傳送簡訊", .smsSent), ("SMS received", .smsReceived),
      ("MMS sent", .mmsSent), ("call made", .callMade), ("incoming call answered", .callReceived),
      ("Mi Cloud account on", .accountOn), ("登入雲端帳號", .accountOn),
    ]
  )
  func steps(_ text: String, _ step: Marks.Step) {
    #expect(Marks.step(text) == step)
  }

  @Test("A word inside another is not that word")
  func words() {
    #expect(Marks.step("a simple note") == nil)
    #expect(Marks.step("lunch") == nil)
    #expect(Marks.step("") == nil)
  }
}
