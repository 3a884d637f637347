import Testing
import TideCore

@testable import TideReport

@Suite struct AnswerTests {
  @Test("The answer counts what went to the watched region, times and hosts")
  func sent() throws {
    let made = try MadeCase([
      .sends(.imei(at: -60)), .sends(.imei(to: "log.vendor.example", at: -50)),
      .sends(.imei(at: -40)), .sends(.imei(to: "elsewhere.example", region: "DE", at: -30)),
    ])
    #expect(
      try made.report().answer.hasSuffix(
        "the device “redmi” sent its IMEI 3 times to 2 hosts in China (CN)."
      )
    )
    let chinese = try made.report(.traditionalChinese).answer
    #expect(chinese.hasSuffix("裝置「redmi」向位於中國（CN）之主機傳送其 IMEI 3 次（2 個主機）。"))
  }

  @Test("What was sent before the mark of a consent screen is counted by itself")
  func consent() throws {
    let made = try MadeCase([
      .sends(.imei(at: -60)), .mark("Consent screen"), .sends(.imei(at: 60)),
      .sends(.imei(at: 61)),
    ])
    let report = try made.report()
    #expect(report.answer.contains("before the mark “Consent screen”, the device “redmi” sent"))
    #expect(report.answer.contains("its IMEI 1 time to 1 host in China (CN)."))
    #expect(
      report.contains(
        "After the mark “Consent screen”, the same kinds were sent there 2 more times."
      )
    )
  }

  @Test("What was blocked or replaced is not said to have been sent")
  func withheld() throws {
    let made = try MadeCase([
      .sends(.imei(at: -60, applied: .block)), .sends(.imei(at: -50, applied: .redact)),
    ])
    let answer = try made.report().answer
    #expect(answer.contains("messages of the device “redmi” held its IMEI 2 times for 1 host"))
    #expect(answer.contains("none of these left: 1 was blocked and 1 was replaced by pseudonyms."))
    #expect(!answer.contains(" sent "))
  }

  @Test("What went to other regions only is said so")
  func elsewhere() throws {
    let made = try MadeCase([.sends(.imei(to: "a.example", region: "DE", at: -60))])
    let answer = try made.report().answer
    #expect(
      answer.contains(
        "sent its IMEI 1 time to 1 host in Germany (DE); nothing recognised went to China (CN)."
      )
    )
  }

  @Test("When nothing was found just that is said, with what was not decrypted")
  func nothing() throws {
    let made = try MadeCase([
      .sends(.init(at: -60)),
      .sends(.init(host: "pinned.example", treatment: .passthrough, protocolName: "tls", at: -50)),
    ])
    let report = try made.report()
    #expect(report.answer.contains("no identifier was recognised in what was sent."))
    #expect(report.contains("1 flow to 1 host was not decrypted: what it carried is not known"))
    #expect(report.contains("pinned.example"))
    #expect(try made.report(.traditionalChinese).answer.contains("未於所傳送之內容辨識出任何識別資料"))
  }

  @Test("A pattern alone does not reach the answer")
  func possible() throws {
    let made = try MadeCase([
      .sends(.init(findings: [.of(.imei, "356938035643809", certainty: .possible)], at: -60))
    ])
    let report = try made.report()
    #expect(report.answer.contains("no identifier was recognised"))
    #expect(report.contains("1 finding by pattern alone (possible) is in the table only."))
  }

  @Test("A case without flows has a report too")
  func empty() throws {
    #expect(try MadeCase([]).report().answer == "The case has no flows.")
  }
}
