import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideReport

@Suite struct ReportTests {
  @Test("Findings are counted by kind, host and region, watched regions first")
  func groups() throws {
    let made = try MadeCase([
      .sends(.imei(to: "a.example", region: "DE", at: -60)), .sends(.imei(at: -50)),
      .sends(.imei(at: -40)),
    ])
    let report = try made.report()
    let table = try #require(report.between("id=\"findings\"", "</table>"))
    let rows = table.components(separatedBy: "<tr>").dropFirst(2)
    #expect(rows.count == 2)
    #expect(rows.first?.contains("api.vendor.example") == true)
    #expect(rows.first?.contains("sent 2") == true)
    #expect(rows.first?.contains("watched") == true)
    #expect(rows.last?.contains("Germany (DE)") == true)
  }

  @Test("A case of very many hosts gives a report of bounded size that says what it leaves out")
  func bounded() throws {
    let sendings = (0..<900).map { MadeCase.Happening.sends(.imei(to: "h\($0).example", at: -60)) }
    let report = try MadeCase(sendings, isSealed: false).report()
    #expect(report.utf8.count < 600_000)
    #expect(report.contains("780 more rows are left out here. All of them: tidewaiter findings"))
    #expect(report.contains("870 further pairs of kind and host have no exhibit here."))
    #expect(report.answer.contains("its IMEI 900 times to 900 hosts in China (CN)."))
  }

  @Test("A share-safe report has neither values nor names, nor what the values are written as")
  func shareSafe() throws {
    let digest = Hex.encode(Digest.md5.hash(Array("490154203237518".utf8)))
    let made = try MadeCase(
      [
        .mark("contact added: Tide Waiter QX7"),
        .sends(
          .init(
            host: "490154203237518.vendor.example",
            device: "alices-phone",
            head: "POST /v1/490154203237518?h=\(digest) HTTP/1.1\r\nHost: a.example\r\n\r\n",
            body: Bytes(#"{"Tide Waiter QX7":"490154203237518","h":"\#(digest)"}"#),
            findings: [
              .of(.imei, "490154203237518", path: #"$["Tide Waiter QX7"]"#, range: 20..<35)
            ],
            at: 60
          )
        ),
      ],
      devices: ["alices-phone"]
    )
    for language in ReportLanguage.allCases {
      let report = try made.report(language, isShareSafe: true, procedure: .firstBoot)
      for secret in ["490154203237518", digest, "QX7", "alices-phone", "192.0.2.10"] {
        #expect(!report.contains(secret), "\(secret) in \(language)")
      }
      #expect(report.boxes.allSatisfy { $0.hasPrefix("[") })
    }
    #expect(try made.report(isShareSafe: true).contains("Device 1 – address 1"))
  }

  @Test(
    "The first-boot procedure tells each step's window and what was sent in it, or that it was not marked"
  )
  func firstBoot() throws {
    let made = try MadeCase([
      .sends(.imei(at: -60)), .mark("SIM inserted"), .sends(.imei(to: "b.example", at: 60)),
    ])
    let report = try made.report(procedure: .firstBoot)
    let section = try #require(report.between("id=\"checklist\"", "</section>"))
    let rows = section.components(separatedBy: "<tr>").dropFirst(2)
    #expect(rows.count == 14)
    #expect(rows.first?.contains("before the first mark") == true)
    let sim = try #require(rows.first { $0.contains("SIM inserted") })
    #expect(sim.contains("IMEI 1 time to b.example, China (CN)"))
    #expect(rows.count { $0.contains("not marked") } == 12)
    #expect(try !made.report().contains("id=\"checklist\""))
  }

  @Test("A report says of its case whether it is sealed, and what its hashes are")
  func integrity() throws {
    let sealed = try MadeCase([.sends(.imei(at: -60))])
    let report = try sealed.report()
    #expect(report.contains("checked when this report was made: INTACT"))
    #expect(report.contains("sha256sum ./made/manifest.json"))
    let open = try MadeCase([.sends(.imei(at: -60))], isSealed: false).report()
    #expect(open.contains("not sealed: that lines are missing"))
    #expect(!open.contains("manifest.sig"))
  }

  @Test("Nothing in a report is fetched, run or left open")
  func selfContained() throws {
    let made = try MadeCase([.sends(.imei(at: -60)), .mark("<img src=x onerror=alert(1)>")])
    for language in ReportLanguage.allCases {
      let report = try made.report(language)
      #expect(report.contains("default-src &#39;none&#39;"))
      #expect(report.hasPrefix("<!DOCTYPE html>\n<html lang=\"\(language.rawValue)\">"))
      for mark in [
        "<script", "<img", "<link", "<iframe", "src=", " style=", "http-equiv=\"refresh",
      ] {
        #expect(
          !report.contains(mark) || mark == "src=" && report.contains("&lt;img src="),
          "\(mark)"
        )
      }
    }
  }

  @Test("Every kind, layer, step and coverage has its words in every language")
  func words() {
    for language in ReportLanguage.allCases {
      let text = ReportText.text(in: language)
      for kind in FindingKind.known {
        #expect(text.common.kinds[kind] != nil && text.answer.owned[kind] != nil, "\(kind)")
      }
      for coverage in Coverage.allCases {
        #expect(text.limits.coverage[coverage.rawValue] != nil, "\(coverage)")
      }
      for step in Marks.Step.allCases { #expect(text.checklist.steps[step] != nil, "\(step)") }
      for mode in Mode.allCases { #expect(text.particulars.modes[mode.rawValue] != nil) }
      for treatment in FlowTreatment.allCases {
        #expect(text.limits.treatments[treatment.rawValue] != nil)
      }
      for location in FindingLocation.allCases {
        #expect(text.exhibits.locations[location.rawValue] != nil)
      }
      for action in Action.allCases { #expect(text.exhibits.decisions[action.rawValue] != nil) }
    }
  }

  @Test("Every country of the map has a code, two names and, but for a few islands, a place")
  func countries() {
    let countries = WorldMap.all.filter { !$0.code.isEmpty }
    #expect(countries.count >= 249)
    #expect(countries.allSatisfy { !$0.english.isEmpty && !$0.chinese.isEmpty })
    #expect(countries.count { $0.point == nil } < 8)
    for code in ["CN", "TW", "SG", "HK", "US", "DE", "RU", "JP"] {
      #expect(WorldMap.country(code)?.point != nil, "\(code)")
    }
  }
}
