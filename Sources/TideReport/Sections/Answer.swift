internal import TideCore
internal import TideEvidence

/// The first sentence of a report, from counts alone.
struct Answer {
  /// The most kinds that one sentence names.
  static let mostKinds = 4

  /// What is said, and below it what else has to be known.
  let sentence: String
  var remarks: [String] = []
  /// Whether something went to a watched region as it was.
  let isHot: Bool

  init(
    _ tally: Tally,
    _ groups: [Tally.Group],
    _ facts: CaseFacts,
    _ shown: Disclosure,
    _ text: ReportText
  ) {
    let words = text.answer
    let seconds = (tally.end - tally.start + 500_000_000) / 1_000_000_000
    let duration = text.common.duration(seconds)
    let devices = Set(groups.map(\.key.device))
    let device =
      devices.count > 1
      ? words.devices(devices.count)
      : words.thisDevice(shown.device(devices.first ?? tally.devices.keys.min() ?? ""))
    let sound = groups.filter { $0.key.isRequest && $0.sound + $0.soundWithheld > 0 }
    let watched = sound.filter { $0.watched != nil }
    let sentToWatched = watched.filter { $0.sound > 0 }
    self.isHot = !sentToWatched.isEmpty
    func place(_ groups: [Tally.Group]) -> String {
      var names: [String] = []
      for group in groups {
        let name = group.watched ?? group.country ?? group.key.region
        if !names.contains(name) { names.append(name) }
      }
      let shownNames = names.prefix(4).map { text.region($0) }
      let rest = names.count > 4 ? ["…"] : []
      return text.common.list(shownNames + rest)
    }
    if tally.flows == 0 {
      self.sentence = words.empty
      return
    }
    if !sentToWatched.isEmpty {
      let early = sentToWatched.filter { $0.soundBeforeConsent > 0 }
      let consent = early.isEmpty ? nil : tally.consent
      let counted = consent == nil ? sentToWatched : early
      // Up to that mark, if the sentence is about what was sent before it.
      let until = consent.flatMap { ReportTime.nanoseconds($0.time) }
        .map { text.common.duration(($0 - tally.start) / 1_000_000_000) }
      self.sentence = words.sent(
        until ?? duration,
        consent.map { shown.mark($0.text) },
        device,
        Self.items(counted, text) { consent == nil ? $0.sound : $0.soundBeforeConsent },
        place(counted)
      )
      if let consent {
        let later = sentToWatched.reduce(0) { $0 + $1.sound - $1.soundBeforeConsent }
        if later > 0 { self.remarks.append(words.afterConsent(later, shown.mark(consent.text))) }
      }
      self.remarks += Self.firstTime(sentToWatched, facts, shown, text)
    } else if !watched.isEmpty {
      self.sentence = words.withheld(
        duration,
        device,
        Self.items(watched, text) { $0.soundWithheld },
        place(watched),
        watched.reduce(0) { $0 + $1.stopped },
        watched.reduce(0) { $0 + $1.replaced }
      )
    } else if case let sent = sound.filter({ $0.sound > 0 }), !sent.isEmpty {
      self.sentence = words.elsewhere(
        duration,
        device,
        Self.items(sent, text) { $0.sound },
        place(sent),
        text.common.list(facts.watched.prefix(4).map { text.region($0) })
      )
      self.remarks += Self.firstTime(sent, facts, shown, text)
    } else {
      self.sentence = words.nothing(duration, tally.flows)
    }
    if !sentToWatched.isEmpty {
      let stopped = watched.reduce(0) { $0 + $1.stopped }
      let replaced = watched.reduce(0) { $0 + $1.replaced }
      if stopped + replaced > 0 { self.remarks.append(words.alsoWithheld(stopped, replaced)) }
    }
    let possible = groups.reduce(0) { $0 + $1.possible }
    if possible > 0 { self.remarks.append(words.possibleToo(possible)) }
    self.remarks.append(
      tally.undecrypted > 0
        ? words.undecrypted(tally.undecrypted, tally.unseen.count) : words.allDecrypted
    )
    let refused = tally.refusedInterceptions
    if refused > 0 { self.remarks.append(words.notIntercepted(refused)) }
    self.remarks.append(words.outOfSight)
  }

  /// What each kind comes to: those that were sent most often by name, the rest as a number.
  private static func items(
    _ groups: [Tally.Group],
    _ text: ReportText,
    _ count: (Tally.Group) -> Int
  ) -> [ReportText.Sent] {
    var kinds: [String: (times: Int, hosts: Set<String>)] = [:]
    for group in groups {
      kinds[group.key.kind, default: (0, [])].times += count(group)
      kinds[group.key.kind, default: (0, [])].hosts.insert(group.key.host)
    }
    let sorted = kinds.sorted { a, b in
      let x = Self.weight(a.key)
      let y = Self.weight(b.key)
      return (x, -a.value.times, a.key) < (y, -b.value.times, b.key)
    }
    // One more by name takes no more room than "one other kind".
    let named = sorted.count == Self.mostKinds + 1 ? sorted.count : Self.mostKinds
    var items = sorted.prefix(named).map { kind, sum in
      ReportText.Sent(
        kind: text.answer.owned[kind] ?? Visible.text(kind, limit: 40),
        times: sum.times,
        hosts: sum.hosts.count
      )
    }
    let rest = sorted.dropFirst(named)
    if !rest.isEmpty {
      items.append(
        ReportText.Sent(
          kind: text.answer.others(rest.count),
          times: rest.reduce(0) { $0 + $1.value.times },
          hosts: rest.reduce(into: Set<String>()) { $0.formUnion($1.value.hosts) }.count
        )
      )
    }
    return items
  }

  /// What tells a person or a device apart for good comes first.
  static func weight(_ kind: String) -> Int {
    let order = [
      "imei", "meid", "imsi", "iccid", "msisdn", "contact_phone", "contact_name", "sms_text",
      "serial", "android_id", "wifi_mac", "gps",
    ]
    return order.firstIndex(of: kind) ?? order.count
  }

  private static func firstTime(
    _ groups: [Tally.Group],
    _ facts: CaseFacts,
    _ shown: Disclosure,
    _ text: ReportText
  ) -> [String] {
    guard let first = groups.compactMap(\.firstSound).min() else { return [] }
    let time = ReportTime.second(first)
    guard let mark = facts.marks.last(where: { $0.time <= first }),
      let from = ReportTime.nanoseconds(mark.time), let to = ReportTime.nanoseconds(first)
    else { return [text.answer.first(time)] }
    let after = text.common.duration((to - from) / 1_000_000_000)
    return [text.answer.firstAfterMark(time, after, shown.mark(mark.text))]
  }
}

extension ReportPage {
  func answerBox(into html: inout HTMLWriter) {
    let answer = Answer(self.tally, self.groups, self.facts, self.shown, self.text)
    let name = answer.isHot ? "answer hot" : "answer"
    html.element("section", ["class": name, "aria-labelledby": "answer"]) { html in
      html.element("h2", ["id": "answer"], self.text.answer.heading)
      html.element("p", ["class": "said"], answer.sentence)
      for remark in answer.remarks { html.element("p", remark) }
      html.element("ul", ["class": "numbers"]) { html in
        let hosts = ReportText.number(self.tally.hosts.count) + (self.tally.hostsAreMore ? "+" : "")
        let numbers = [
          (ReportText.number(self.tally.flows), self.text.answer.statFlows),
          (hosts, self.text.answer.statHosts),
          (ReportText.number(self.tally.countries.count), self.text.answer.statCountries),
          (ReportText.number(self.tally.findings), self.text.answer.statFindings),
          (ReportText.number(self.tally.undecrypted), self.text.answer.statUndecrypted),
        ]
        for (number, label) in numbers {
          html.element("li") { html in
            html.element("b", number)
            html.element("span", label)
          }
        }
      }
    }
  }
}
