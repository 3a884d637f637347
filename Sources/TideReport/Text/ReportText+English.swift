// Long because it is all that a report says in one language, in the order of `ReportText`.

extension ReportText {
  /// English.
  static let english: ReportText = ReportText(
    language: .english,
    common: Common(
      title: "Report on what a device sent",
      tagline: "Made by Tidewaiter from a case that anyone can check",
      page: "Page",
      contents: "Contents",
      none: "none",
      unknown: "not known",
      yes: "yes",
      no: "no",
      times: { "\(number($0)) \($0 == 1 ? "time" : "times")" },
      hosts: { "\(number($0)) \($0 == 1 ? "host" : "hosts")" },
      flows: { "\(number($0)) \($0 == 1 ? "flow" : "flows")" },
      findings: { "\(number($0)) \($0 == 1 ? "finding" : "findings")" },
      bytes: { "\(number($0)) \($0 == 1 ? "byte" : "bytes")" },
      duration: { seconds in
        func part(_ count: Int64, _ unit: String) -> String {
          "\(number(count)) \(unit)\(count == 1 ? "" : "s")"
        }
        if seconds < 120 { return part(max(seconds, 1), "second") }
        let minutes = (seconds + 30) / 60
        if minutes < 120 { return part(minutes, "minute") }
        let hours = minutes / 60
        let rest = minutes % 60
        if hours >= 72 { return part((hours + 12) / 24, "day") }
        return part(hours, "hour") + (rest > 0 ? " \(part(rest, "minute"))" : "")
      },
      list: { items in
        guard items.count > 1, let last = items.last else { return items.first ?? "" }
        return items.dropLast().joined(separator: ", ") + " and " + last
      },
      comma: ", ",
      semicolon: "; ",
      kinds: [
        "imei": "IMEI", "meid": "MEID", "imsi": "IMSI", "iccid": "SIM card number (ICCID)",
        "msisdn": "Own phone number", "contact_phone": "Contact’s phone number",
        "contact_name": "Contact’s name", "sms_text": "Text message",
        "clipboard": "Clipboard text", "android_id": "Android ID", "gaid": "Advertising ID (GAID)",
        "oaid": "Advertising ID (OAID)", "serial": "Serial number", "wifi_mac": "Wi-Fi MAC address",
        "bt_mac": "Bluetooth MAC address", "bssid": "Wi-Fi access point (BSSID)",
        "ssid": "Wi-Fi name (SSID)", "gps": "Position", "email": "E-mail address",
        "account_id": "Account ID", "app_list": "Installed app",
        "browsing_url": "Visited address", "carrier": "Mobile operator’s name",
        "opaque": "Undecodable content",
      ],
      local: "Local network",
      unknownRegion: "Unknown region",
      zone: nil,
      device: { "Device \($0)" },
      client: { "address \($0)" },
      mark: { "Mark \($0)" },
      shareSafe:
        "Share-safe edition: values, the bytes around them, paths inside messages, the words of marks and the devices’ names and addresses are left out. Numbers of records and digests of the case are those of the original.",
      altered: {
        "The case did not verify when this report was made: \($0). What follows is what its index says; do not rely on it before the cause is known."
      },
      intact: "INTACT",
      alteredAt: { line, what in
        (line.map { "ALTERED at line \(number($0))" } ?? "ALTERED") + " (\(what))"
      },
      incompleteFrom: { "INCOMPLETE from line \(number($0))" },
      certain: "certain",
      likely: "likely",
      possible: "possible",
      allow: "passed",
      log: "passed, recorded",
      redact: "replaced",
      block: "blocked",
      more: { "\(number($0)) more rows are left out here. All of them: \($1)" }
    ),
    answer: Answer(
      heading: "Answer",
      owned: [
        "imei": "its IMEI", "meid": "its MEID", "imsi": "its IMSI",
        "iccid": "its SIM card’s number (ICCID)", "msisdn": "its own phone number",
        "contact_phone": "phone numbers of contacts", "contact_name": "names of contacts",
        "sms_text": "the text of messages", "clipboard": "text from its clipboard",
        "android_id": "its Android ID", "gaid": "its advertising ID (GAID)",
        "oaid": "its advertising ID (OAID)", "serial": "its serial number",
        "wifi_mac": "its Wi-Fi MAC address", "bt_mac": "its Bluetooth MAC address",
        "bssid": "the address of a Wi-Fi access point (BSSID)",
        "ssid": "the name of a Wi-Fi network",
        "gps": "its position", "email": "an e-mail address", "account_id": "an account ID",
        "app_list": "names of installed apps", "browsing_url": "visited addresses",
        "carrier": "its mobile operator’s name", "opaque": "undecodable content",
      ],
      others: { "values of \(number($0)) other \($0 == 1 ? "kind" : "kinds")" },
      sent: { duration, before, device, items, place in
        let parts = items.map { item in
          "\(item.kind) \(english.common.times(item.times)) to \(english.common.hosts(item.hosts))"
        }
        let phase = before.map { " before the mark “\($0)”," } ?? ""
        return "In \(duration),\(phase) \(device) sent \(english.common.list(parts)) in \(place)."
      },
      withheld: { duration, device, items, place, stopped, replaced in
        let parts = items.map { item in
          "\(item.kind) \(english.common.times(item.times)) for \(english.common.hosts(item.hosts))"
        }
        let done = [
          stopped > 0 ? "\(number(stopped)) \(stopped == 1 ? "was" : "were") blocked" : nil,
          replaced > 0
            ? "\(number(replaced)) \(replaced == 1 ? "was" : "were") replaced by pseudonyms" : nil,
        ].compactMap { $0 }
        return
          "In \(duration), messages of \(device) held \(english.common.list(parts)) in \(place); none of these left: \(english.common.list(done))."
      },
      elsewhere: { duration, device, items, places, watched in
        let parts = items.map { item in
          "\(item.kind) \(english.common.times(item.times)) to \(english.common.hosts(item.hosts))"
        }
        let rest = watched.isEmpty ? "" : "; nothing recognised went to \(watched)"
        return "In \(duration), \(device) sent \(english.common.list(parts)) in \(places)\(rest)."
      },
      nothing: { duration, flows in
        "In \(duration) and \(english.common.flows(flows)), no identifier was recognised in what was sent."
      },
      empty: "The case has no flows.",
      thisDevice: { "the device “\($0)”" },
      devices: { "\(number($0)) devices" },
      alsoWithheld: { stopped, replaced in
        let parts = [
          stopped > 0 ? "\(number(stopped)) more \(stopped == 1 ? "was" : "were") blocked" : nil,
          replaced > 0
            ? "\(number(replaced)) more \(replaced == 1 ? "was" : "were") replaced by pseudonyms"
            : nil,
        ].compactMap { $0 }
        return "Not counted in it: \(english.common.list(parts)) before they left."
      },
      afterConsent: {
        "After the mark “\($1)”, the same kinds were sent there \(number($0)) more \($0 == 1 ? "time" : "times")."
      },
      firstAfterMark: { "The first was sent at \($0), \($1) after the mark “\($2)”." },
      first: { "The first was sent at \($0)." },
      possibleToo: {
        "Certain and likely findings are counted; \(english.common.findings($0)) by pattern alone (possible) \($0 == 1 ? "is" : "are") in the table only."
      },
      undecrypted: {
        "\(english.common.flows($0)) to \(english.common.hosts($1)) \($0 == 1 ? "was" : "were") not decrypted: what \($0 == 1 ? "it" : "they") carried is not known (section on coverage)."
      },
      allDecrypted: "No flow was passed on undecrypted.",
      notIntercepted: {
        "On \(number($0)) \($0 == 1 ? "connection" : "connections") the device refused to be intercepted: what it would have sent there is not known."
      },
      outOfSight:
        "SMS, calls, mobile data and whatever went around the proxy were out of sight.",
      statFlows: "flows",
      statHosts: "hosts",
      statCountries: "countries",
      statFindings: "findings",
      statUndecrypted: "not decrypted"
    ),
    particulars: Particulars(
      heading: "Who, what, when",
      case: "Case",
      operatorName: "Operator",
      notSaid: "not stated in the case",
      devices: "Devices under test",
      mode: "Mode",
      modes: [
        "observe": "observe: metadata and findings, no content; nothing was changed",
        "record": "record: everything was recorded, nothing was changed",
        "redact": "redact: what the rules name was replaced before it left",
        "block": "block: what the rules name was stopped",
      ],
      tool: "Recorded by",
      made: "Report made",
      from: "Recording began",
      to: "Recording ended",
      stillOpen: "no end is recorded; last event",
      times: "Time zone",
      timesAre: "All times are UTC",
      clock: "Clock",
      anchored: {
        "anchored at \($0) on the system’s clock to \($1) ns of a monotonic clock that no clock setting moves"
      },
      noClock: "no clock anchor is recorded: times are those of the system’s clock as it was",
      clockSteps: {
        "\(number($0)) \($0 == 1 ? "step" : "steps") of the system’s clock recorded, the largest \($1) s"
      },
      sessions: "Sessions",
      watched: "Watched regions",
      files: "Files that decided what was recorded and how it was judged",
      configuration: "Configuration",
      rules: "Rules",
      regions: "Region database",
      role: "What",
      name: "Name",
      date: "Date",
      digest: "SHA-256",
      integrity: "Integrity",
      check: "Check",
      checked: {
        "checked when this report was made: \($0), \(number($1)) \($1 == 1 ? "line" : "lines") of the log"
      },
      unchecked: "not checked when this report was made",
      lastHash: "Hash of the last line",
      treeHead: "Last tree head (RFC 9162)",
      treeHeadIs: {
        "\($0)\nover lines 1 to \(number($1)), \($2 ? "signed (Ed25519)" : "not signed")"
      },
      seal: "Seal",
      sealed: { "sealed at \($0)" },
      unsealed:
        "not sealed: that lines are missing at the end would not be noticed. `tidewaiter evidence seal` seals it.",
      signer: "SHA-256 of the signer’s public key",
      manifest: "SHA-256 of manifest.json",
      timestamp: "Time stamp",
      timestamped: { "RFC 3161 token in manifest.tsr, SHA-256\n\($0)" },
      notTimestamped: "none: the time rests on the recorder’s own clock",
      caseDigest: "SHA-256 of case.json"
    ),
    findings: Findings(
      heading: "What was found, where it went",
      intro:
        "Each row is one kind of value, one host and one region. Counted is each place in which a value stood in a message, as it was sent or wrapped in other encodings.",
      none: "Nothing was found.",
      caption: "Findings by kind, host and region",
      kind: "Kind",
      host: "Host",
      region: "Region",
      device: "Device",
      count: "Count",
      firstLast: "First – last (UTC)",
      certainty: "Certainty",
      applied: "Outcome",
      received: "received from",
      watched: "watched",
      sent: { "sent \(number($0))" },
      replaced: { "replaced \(number($0))" },
      stopped: { "blocked \(number($0))" },
      exhibit: { "Exhibit \($0)" }
    ),
    exhibits: Exhibits(
      heading: "Exhibits",
      intro:
        "For each kind and host the first occurrence, as recorded. The value is boxed in the bytes around it. ⏎ stands for the end of a line, ⟨U+202E⟩ for a character that cannot be seen, ⟨FF⟩ for a byte that is no text.",
      title: { "Exhibit \($0): \($1) to \($2)" },
      request: "Request",
      when: "Time",
      flow: "Flow",
      address: "Address",
      notDialled: "nothing was dialled",
      region: "Region",
      signal: { "\($0) according to \($1)" },
      asn: { "AS\($0)" },
      verdict: "Verdict",
      verdictIs: { decided, applied, rule in
        let by = rule.map { " by rule \($0)" } ?? ""
        return "decided: \(decided)\(by); applied: \(applied)"
      },
      record: "What is recorded of it",
      records: "Lines of the log",
      decisions: ["allow": "let pass", "log": "record", "redact": "replace", "block": "block"],
      digestToo:
        "The bytes are a digest of the value: whoever has the value can compute it and compare.",
      line: { "\($0) \($1)" },
      body: "SHA-256 of the content",
      transport: "TLS with the device",
      path: "Decode path",
      recorded: { "As it stands in the message: \($1) bytes from byte \($0) of the decoded part" },
      opened: "Inside, after every step of the decode path",
      omitted: { "\(number($0)) more" },
      locations: [
        "path": "request path", "query": "query string", "header": "header field",
        "cookie": "cookie", "body": "body", "trailer": "trailer field",
        "websocket": "WebSocket message",
      ],
      layers: [
        "base32": "Base32", "base64": "Base64", "base64url": "Base64url", "bcd": "BCD",
        "bytes": "raw bytes", "cbor": "CBOR", "cipher": "cipher", "cookie": "cookie",
        "delimited": "delimited text", "entities": "character references", "form": "form field",
        "grpc": "gRPC", "gzip": "gzip", "hex": "hexadecimal", "joined": "joined with others",
        "json": "JSON", "jwt": "JWT", "md5": "MD5", "messagepack": "MessagePack",
        "msgpack": "MessagePack", "multipart": "multipart", "path": "path",
        "percent": "percent-encoding", "plist": "plist", "protobuf": "Protobuf", "query": "field",
        "reversed": "reversed text", "sha1": "SHA-1", "sha256": "SHA-256", "url": "URL",
        "utf16": "UTF-16", "utf16be": "UTF-16BE", "utf16le": "UTF-16LE", "xml": "XML",
        "xor": "XOR",
      ],
      cut: { "first \($0) characters" },
      basisElement:
        "Boxed is the element that the record names. Where in it the value stands is not recorded; it is not guessed.",
      basisShape:
        "Boxed is the one run in this element that has the length of the digest. Whoever has the value can compute it.",
      basisRecorded: "Boxed are the bytes that the record names by offset and length.",
      basisChecked:
        "Checked: the boxed bytes are a spelling of the value whose HMAC under the case’s secret is recorded with the finding.",
      notKept: "No content is kept in this mode; the record of the finding stands alone.",
      unreadable: "The content is not in the case any more, or does not read.",
      notFound:
        "The recorded place could not be found again in the recorded bytes; nothing is shown rather than something guessed.",
      instead: "Sent in its place",
      get: "To get the bytes",
      boxed: "value",
      others: {
        "\(number($0)) further pairs of kind and host have no exhibit here. All findings: \($1)"
      },
      target: { "[\($0), \(number($1)) bytes]" },
      pathWord: "path",
      queryWord: "query",
      chain: "From the message to the value"
    ),
    timeline: Timeline(
      heading: "Timeline",
      intro:
        "From the beginning of the recording on the left to its end on the right. Upright lines are the operator’s marks, numbered as in the table below.",
      alternative: {
        "Timeline of \(english.common.flows($0)), \(english.common.findings($1)) and \(number($2)) marks; the same in numbers in the tables."
      },
      flows: "Flows",
      withFindings: "Flows with findings",
      toWatched: "to a watched region",
      elsewhere: "elsewhere",
      phases: "What was found in each phase",
      phase: "Phase",
      window: "From – to (UTC)",
      beforeMarks: "before the first mark",
      noMarks: "The operator set no marks (`tidewaiter mark`): the recording is one phase.",
      found: "Found",
      otherKinds: { "and \(number($0)) more" }
    ),
    checklist: Checklist(
      heading: "First-boot procedure",
      intro:
        "The steps of the test of a new telephone that F-Secure published in August 2014, told by the operator’s marks. A step lasts from its mark to the next one. What was sent then was sent at that time; that it was sent because of the step does not follow.",
      step: "Step",
      window: "From – to (UTC)",
      whatSent: "What was sent, and to whom",
      notMarked: "not marked",
      nothingSent: "nothing recognised",
      steps: [
        .powerOn: "Power on", .simInserted: "SIM inserted", .wifiJoined: "Wi-Fi joined",
        .locationAllowed: "Location allowed", .consent: "Consent screen",
        .contactAdded: "Contact added", .smsSent: "SMS sent", .smsReceived: "SMS received",
        .mmsSent: "MMS sent", .mmsReceived: "MMS received", .callMade: "Call made",
        .callReceived: "Call received", .accountOn: "Cloud account on",
      ],
      sent: { "\($0) \(english.common.times($1)) to \($2), \($3)" },
      withheld: { "\($0) \(english.common.times($1)) for \($2), \($3): withheld" },
      otherMarks: "Other marks",
      more: { "and \(number($0)) more" }
    ),
    places: Places(
      heading: "Where it went",
      intro:
        "Flows by the country of the address that was dialled, as the region databases and sets say. A circle’s area stands for the number of flows.",
      alternative: {
        "World map of destinations: \($0.joined(separator: "; ")). The same in numbers in the table."
      },
      caption: "Destinations by country",
      country: "Country",
      flows: "Flows",
      hosts: "Hosts",
      findings: "Findings",
      watched: "watched",
      notOnMap: { "Not on the map: \($0)." },
      none: "No destination has a known country.",
      more: { "\(number($0)) further countries" }
    ),
    limits: Limits(
      heading: "Coverage and limits",
      intro: "What this report cannot tell, counted and named.",
      decrypted: {
        "\(number($0)) of \(english.common.flows($1)) were decrypted, or in the clear, and searched."
      },
      undecrypted: "Hosts whose traffic was not decrypted",
      host: "Host",
      region: "Region",
      flows: "Flows",
      bytes: "Bytes",
      why: "Treatment",
      treatments: [
        "intercepted": "no TLS or HTTP recognised", "passthrough": "relayed undecrypted",
        "sinkhole": "answered by Tidewaiter", "refused": "refused",
      ],
      observed: "What was not seen, or kept from getting out of sight",
      what: "What",
      connections: "Connections",
      example: "First case",
      coverage: [
        "alternative-service": "HTTP/3 was advertised; left out, so that nothing escapes to QUIC",
        "upgrade-dropped": "an upgrade to something other than WebSocket was not passed on",
        "byte-stream": "decrypted bytes that are not HTTP, relayed and recorded as a stream",
        "undecrypted": "encrypted bytes relayed without being seen",
        "unknown-extension": "a WebSocket extension made its messages unreadable",
        "untrusted-ca": "the device accepted none of the proxy’s certificates",
        "pinned": "the app accepts its own certificate alone for this host",
        "client-clock": "the device found the certificate outside its time",
        "client-cipher": "the device has no TLS version or cipher in common with the proxy",
        "client-closed": "the device ended the handshake without saying why",
        "learned-passthrough":
          "relayed undecrypted, because the device refuses interception of the host",
        "outside-permit": "the host is outside what the proxy’s certificate authority may sign",
        "private-root": "the server’s chain ends in a root that is not public",
        "client-certificate": "the server asked for a client certificate",
        "unverified":
          "the server’s certificate did not verify and was let through by configuration",
        "accepts-untrusted": "the device sent data under a certificate that it should not trust",
      ],
      noCoverage: "Nothing of the kind was recorded.",
      gaps: "Gaps in the record",
      gap: { time, events, pieces, cause in
        "\(time): \(number(events)) events and \(number(pieces)) pieces of content dropped\(cause.isEmpty ? "" : " (\(cause))")"
      },
      noGaps: "No gap is recorded: nothing was dropped for want of space or speed.",
      recovered: {
        "The recorder was cut off and the case continued \(english.common.times($0)); what was cut off is recorded."
      },
      open: { "\(english.common.flows($0)) had no recorded end." },
      failed: {
        "\(english.common.flows($0)) ended with an error; sizes and findings are those so far."
      },
      refused: { "\(english.common.flows($0)) were refused before a request was read." },
      purged: {
        "Retention removed \(number($0)) contents of \(english.common.bytes($1)); the removal is recorded, the lines that name them remain."
      },
      observeMode: "In observe mode no content is kept: findings cannot be looked at again.",
      ungrouped: {
        "\(english.common.findings($0)) of further kinds and hosts are counted in the total only."
      },
      noted: {
        "\(english.common.flows($0)) \($0 == 1 ? "has" : "have") notes of the recorder’s, such as a limit that kept a layer closed. Of one flow: \($1)"
      },
      always: [
        "The proxy sees what the device sends through it over Wi-Fi: not SMS, calls or mobile data, and not what an app sends around the proxy (QUIC, a VPN, its own DNS).",
        "A value that is transformed in a way that is neither listed nor in the device’s profile is not recognised. That nothing was found does not prove that nothing was sent.",
        "A region is concluded from an address by the databases named above. The place of a server says nothing of who operates it.",
      ]
    ),
    method: Method(
      heading: "Method",
      paragraphs: [
        "The device used Tidewaiter as the proxy of its Wi-Fi. Tidewaiter ended the device’s TLS connections with certificates of its own authority, which the operator had installed on the device, opened TLS connections to the servers itself, verified theirs, and read what passed between. Each name was resolved once; the address that was decided on is the address that was dialled.",
        "Each message was searched in its path, query, fields, cookies, body and trailers, and each WebSocket message: for the values of the device’s own profile in the spellings, encodings and digests in which they are known to travel, and for patterns with check sums. Containers and codings were opened in any nesting up to a stated depth, size and time; where a limit was met, the flow says so.",
        "The case names a value by an HMAC-SHA-256 under the case’s own secret. Who has a value and the secret can tell that it was found; who has neither cannot guess it.",
        "Every event is a line of a log in which each line holds the hash of the one before; contents are stored under their SHA-256. Heads of a Merkle tree over all lines (RFC 9162) are written at intervals. The seal signs a list of all files.",
      ],
      certainties: [
        ("certain", "a value of the device’s profile, as it is, encoded, or as a digest"),
        ("likely", "a pattern with a check sum and a telling context"),
        ("possible", "a pattern alone"),
      ],
      actions:
        "Outcomes: “passed” the message went on as it was; “replaced” a pseudonym of the same shape went on in the value’s place; “blocked” the message was stopped, and no byte of the value left.",
      map:
        "Map: Natural Earth 1:110m (public domain), Equal Earth projection. Outlines are for orientation and state nothing on borders."
    ),
    verification: Verification(
      heading: "Verification",
      intro:
        "Anyone who has the case folder can repeat these checks with tools that are not Tidewaiter’s. Compare the first two values with what the signer published or told you by another way: only then is it known who signed.",
      place: "In the folder that holds the case folder:",
      signer: "The signer’s public key:",
      manifest: "The list of all files:",
      signature: "The signature over that list (OpenSSL 3):",
      files: "Every file on the list (silent if all are right):",
      chain: "The chain of the log, contents, findings and seal, by Tidewaiter:",
      independent:
        "The same by a verifier that shares no code with it (docs/verify/verify.py in the source; Python alone):",
      timestamp: "The time-stamp token (the authority’s certificates in tsa.pem):",
      expect: { "must print \($0)" },
      unsealed:
        "The case is not sealed yet: there is no manifest and no signature to check. After `tidewaiter evidence seal`, make the report again.",
      shareSafe: "These commands need the original case, not this report alone."
    )
  )
}
