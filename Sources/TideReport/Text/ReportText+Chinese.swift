// Long because it is all that a report says in one language, in the order of `ReportText`.

extension ReportText {
  /// Chinese as written in Taiwan.
  static let traditionalChinese: ReportText = ReportText(
    language: .traditionalChinese,
    common: Common(
      title: "裝置對外傳輸查驗報告",
      tagline: "由 Tidewaiter 依任何人皆可自行查驗之案卷製作",
      page: "頁",
      contents: "目錄",
      none: "無",
      unknown: "不明",
      yes: "是",
      no: "否",
      times: { "\(number($0)) 次" },
      hosts: { "\(number($0)) 個主機" },
      flows: { "\(number($0)) 筆傳輸" },
      findings: { "\(number($0)) 筆發現" },
      bytes: { "\(number($0)) 位元組" },
      duration: { seconds in
        if seconds < 120 { return "\(number(max(seconds, 1))) 秒" }
        let minutes = (seconds + 30) / 60
        if minutes < 120 { return "\(number(minutes)) 分鐘" }
        let hours = minutes / 60
        let rest = minutes % 60
        if hours >= 72 { return "\(number((hours + 12) / 24)) 天" }
        return "\(number(hours)) 小時" + (rest > 0 ? " \(rest) 分鐘" : "")
      },
      list: { items in
        guard items.count > 1, let last = items.last else { return items.first ?? "" }
        return items.dropLast().joined(separator: "、") + "及" + last
      },
      comma: "、",
      semicolon: "；",
      kinds: [
        "imei": "國際行動設備識別碼（IMEI）", "meid": "行動設備識別碼（MEID）",
        "imsi": "國際行動用戶識別碼（IMSI）", "iccid": "SIM 卡卡號（ICCID）",
        "msisdn": "本機電話號碼", "contact_phone": "聯絡人電話號碼",
        "contact_name": "聯絡人姓名", "sms_text": "簡訊內容", "clipboard": "剪貼簿內容",
        "android_id": "Android ID", "gaid": "廣告識別碼（GAID）", "oaid": "廣告識別碼（OAID）",
        "serial": "裝置序號", "wifi_mac": "Wi-Fi MAC 位址", "bt_mac": "藍牙 MAC 位址",
        "bssid": "無線基地臺位址（BSSID）", "ssid": "無線網路名稱（SSID）", "gps": "所在位置",
        "email": "電子郵件地址", "account_id": "帳號識別碼", "app_list": "已安裝應用程式",
        "browsing_url": "瀏覽網址", "carrier": "電信業者名稱", "opaque": "無法解讀之內容",
      ],
      local: "區域網路",
      unknownRegion: "地區不明",
      zone: ("臺北時間", 28_800),
      device: { "裝置 \($0)" },
      client: { "位址 \($0)" },
      mark: { "標記 \($0)" },
      shareSafe:
        "本報告為可供分享版本：識別資料之值、其前後位元組、訊息內部路徑、標記文字，以及裝置之名稱與位址均已略去；紀錄編號及案卷之雜湊值與原案卷相同。",
      altered: {
        "製作本報告時，案卷未能通過查驗：\($0)。以下內容係依其索引所載；原因查明前，請勿引用。"
      },
      intact: "完整無誤（INTACT）",
      alteredAt: { line, _ in
        line.map { "自日誌第 \(number($0)) 行起遭變更（ALTERED）" } ?? "遭變更（ALTERED）"
      },
      incompleteFrom: { "自日誌第 \(number($0)) 行起缺漏（INCOMPLETE）" },
      certain: "確定",
      likely: "很可能",
      possible: "可能",
      allow: "放行",
      log: "放行並記錄",
      redact: "已替換",
      block: "已攔阻",
      more: { "此處略去 \(number($0)) 列；完整內容請執行：\($1)" }
    ),
    answer: Answer(
      heading: "查驗結果",
      owned: [
        "imei": "其 IMEI", "meid": "其 MEID", "imsi": "其 IMSI", "iccid": "其 SIM 卡卡號（ICCID）",
        "msisdn": "本機電話號碼", "contact_phone": "聯絡人電話號碼", "contact_name": "聯絡人姓名",
        "sms_text": "簡訊內容", "clipboard": "剪貼簿內容", "android_id": "其 Android ID",
        "gaid": "其廣告識別碼（GAID）", "oaid": "其廣告識別碼（OAID）", "serial": "其裝置序號",
        "wifi_mac": "其 Wi-Fi MAC 位址", "bt_mac": "其藍牙 MAC 位址",
        "bssid": "無線基地臺位址（BSSID）", "ssid": "無線網路名稱（SSID）", "gps": "其所在位置",
        "email": "電子郵件地址", "account_id": "帳號識別碼", "app_list": "已安裝應用程式之名稱",
        "browsing_url": "瀏覽網址", "carrier": "電信業者名稱", "opaque": "無法解讀之內容",
      ],
      others: { "其他 \(number($0)) 類資料" },
      sent: { duration, before, device, items, place in
        let parts = items.map { item in
          "\(item.kind) \(number(item.times)) 次（\(number(item.hosts)) 個主機）"
        }
        let phase = before.map { "，於標記「\($0)」之前" } ?? ""
        return
          "在 \(duration)內\(phase)，\(device)向位於\(place)之主機傳送\(traditionalChinese.common.list(parts))。"
      },
      withheld: { duration, device, items, place, stopped, replaced in
        let parts = items.map { item in
          "\(item.kind) \(number(item.times)) 次（\(number(item.hosts)) 個主機）"
        }
        let done = [
          stopped > 0 ? "\(number(stopped)) 次已攔阻" : nil,
          replaced > 0 ? "\(number(replaced)) 次已替換為代用值" : nil,
        ].compactMap { $0 }
        return
          "在 \(duration)內，\(device)發往\(place)之訊息含有\(traditionalChinese.common.list(parts))；均未送出：\(done.joined(separator: "，"))。"
      },
      elsewhere: { duration, device, items, places, watched in
        let parts = items.map { item in
          "\(item.kind) \(number(item.times)) 次（\(number(item.hosts)) 個主機）"
        }
        let rest = watched.isEmpty ? "" : "；未發現有可辨識之資料送往\(watched)"
        return
          "在 \(duration)內，\(device)向位於\(places)之主機傳送\(traditionalChinese.common.list(parts))\(rest)。"
      },
      nothing: { duration, flows in
        "在 \(duration)及 \(traditionalChinese.common.flows(flows))中，未於所傳送之內容辨識出任何識別資料。"
      },
      empty: "本案卷無任何傳輸。",
      thisDevice: { "裝置「\($0)」" },
      devices: { "\(number($0)) 部裝置" },
      alsoWithheld: { stopped, replaced in
        let parts = [
          stopped > 0 ? "\(number(stopped)) 次於送出前已攔阻" : nil,
          replaced > 0 ? "\(number(replaced)) 次於送出前已替換為代用值" : nil,
        ].compactMap { $0 }
        return "未計入者：另有 \(parts.joined(separator: "，"))。"
      },
      afterConsent: { "於標記「\($1)」之後，同類資料另傳送至該處 \(number($0)) 次。" },
      firstAfterMark: { "首次傳送時間為 \($0)，在標記「\($2)」之後 \($1)。" },
      first: { "首次傳送時間為 \($0)。" },
      possibleToo: {
        "以上僅計入「確定」及「很可能」之發現；另有僅憑樣式判斷（「可能」）之 \(traditionalChinese.common.findings($0))，僅列於表中。"
      },
      undecrypted: {
        "另有 \(traditionalChinese.common.flows($0))（\(traditionalChinese.common.hosts($1))）未經解密，其內容不明，詳見「涵蓋範圍與限制」。"
      },
      allDecrypted: "無任何傳輸係未經解密即轉送。",
      notIntercepted: { "另有 \(number($0)) 個連線，裝置拒絕接受檢視；其原欲傳送之內容不明。" },
      outOfSight: "簡訊、通話、行動數據及未經代理伺服器之傳輸，均不在檢視範圍內。",
      statFlows: "傳輸筆數",
      statHosts: "主機",
      statCountries: "國家或地區",
      statFindings: "發現筆數",
      statUndecrypted: "未解密"
    ),
    particulars: Particulars(
      heading: "人員、標的與時間",
      case: "案卷",
      operatorName: "操作人員",
      notSaid: "案卷未載明",
      devices: "受測裝置",
      mode: "模式",
      modes: [
        "observe": "觀察（observe）：僅記錄傳輸資訊及發現，不留存內容，亦未變更任何資料",
        "record": "記錄（record）：全部記錄，未變更任何資料",
        "redact": "替換（redact）：規則所指資料於送出前替換",
        "block": "攔阻（block）：規則所指傳輸予以攔阻",
      ],
      tool: "記錄工具",
      made: "報告製作時間",
      from: "記錄開始",
      to: "記錄結束",
      stillOpen: "未載明結束時間；最後事件",
      times: "時區",
      timesAre: "本報告時間均為世界協調時間（UTC）",
      clock: "時鐘",
      anchored: { "以系統時鐘 \($0) 對應單調時鐘 \($1) 奈秒為基準；單調時鐘不受系統時間調整影響" },
      noClock: "案卷未載時鐘基準：時間即當時系統時鐘之時間",
      clockSteps: { "系統時鐘曾調整 \(number($0)) 次，最大幅度 \($1) 秒" },
      sessions: "記錄次數",
      watched: "關注地區",
      files: "決定記錄內容與判定方式之檔案",
      configuration: "組態",
      rules: "規則",
      regions: "地區資料庫",
      role: "項目",
      name: "名稱",
      date: "日期",
      digest: "SHA-256",
      integrity: "完整性",
      check: "查驗",
      checked: { "製作本報告時已查驗：\($0)，日誌共 \(number($1)) 行" },
      unchecked: "製作本報告時未查驗",
      lastHash: "日誌末行雜湊值",
      treeHead: "最近之樹根值（RFC 9162）",
      treeHeadIs: { "\($0)\n涵蓋第 1 行至第 \(number($1)) 行，\($2 ? "已簽章（Ed25519）" : "未簽章")" },
      seal: "封緘",
      sealed: { "已於 \($0) 封緘" },
      unsealed: "尚未封緘：日誌末端如有缺漏將無從察覺。請以 `tidewaiter evidence seal` 封緘。",
      signer: "簽章者公鑰之 SHA-256",
      manifest: "manifest.json 之 SHA-256",
      timestamp: "時間戳記",
      timestamped: { "manifest.tsr 內有 RFC 3161 時間戳記，其 SHA-256\n\($0)" },
      notTimestamped: "無：時間僅以記錄者之時鐘為據",
      caseDigest: "case.json 之 SHA-256"
    ),
    findings: Findings(
      heading: "發現之資料及其去向",
      intro: "每列為一類資料、一個主機及一個地區。凡訊息中含有該值之處，無論以原形或經其他編碼包裝，各計一次。",
      none: "未發現任何識別資料。",
      caption: "依類別、主機及地區彙整之發現",
      kind: "類別",
      host: "主機",
      region: "地區",
      device: "裝置",
      count: "次數",
      firstLast: "首次 – 末次（UTC）",
      certainty: "確定程度",
      applied: "處置結果",
      received: "接收自",
      watched: "關注地區",
      sent: { "已送出 \(number($0))" },
      replaced: { "已替換 \(number($0))" },
      stopped: { "已攔阻 \(number($0))" },
      exhibit: { "證物 \($0)" }
    ),
    exhibits: Exhibits(
      heading: "證物",
      intro: "每類資料與每個主機取其首次出現之紀錄。該值以方框標示於前後位元組之中。⏎ 表示換行，⟨U+202E⟩ 表示肉眼無法辨識之字元，⟨FF⟩ 表示非文字之位元組。",
      title: { "證物 \($0)：\($1)，送往 \($2)" },
      request: "請求",
      when: "時間",
      flow: "傳輸編號",
      address: "位址",
      notDialled: "未建立連線",
      region: "地區",
      signal: { "\($0)，依 \($1)" },
      asn: { "AS\($0)" },
      verdict: "判定",
      verdictIs: { decided, applied, rule in
        "判定：\(decided)\(rule.map { "（規則 \($0)）" } ?? "")；處置：\(applied)"
      },
      record: "相關紀錄",
      records: "日誌行號",
      decisions: ["allow": "放行", "log": "記錄", "redact": "替換", "block": "攔阻"],
      digestToo: "所示位元組為該值之摘要值；持有該值者可自行計算比對。",
      line: { type, number in
        let names = [
          "finding": "發現", "head": "標頭", "body": "內容", "message": "訊息", "trailers": "尾欄",
        ]
        return "\(names[type] ?? type) \(number)"
      },
      body: "內容之 SHA-256",
      transport: "與裝置間之 TLS",
      path: "解碼路徑",
      recorded: { "訊息中之原貌：自解碼後部分第 \($0) 位元組起，共 \($1) 位元組" },
      opened: "依解碼路徑逐層開啟後之內容",
      omitted: { "另 \(number($0))" },
      locations: [
        "path": "請求路徑", "query": "查詢字串", "header": "標頭欄位", "cookie": "Cookie",
        "body": "內容", "trailer": "尾欄", "websocket": "WebSocket 訊息",
      ],
      layers: [
        "base32": "Base32", "base64": "Base64", "base64url": "Base64url", "bcd": "BCD",
        "bytes": "原始位元組", "cbor": "CBOR", "charset": "字元集", "cipher": "加密", "cookie": "Cookie",
        "delimited": "分隔文字", "entities": "字元參照", "form": "表單欄位", "grpc": "gRPC", "gzip": "gzip",
        "hex": "十六進位", "joined": "與其他識別碼串接", "json": "JSON", "jwt": "JWT", "md5": "MD5",
        "messagepack": "MessagePack", "msgpack": "MessagePack", "multipart": "多部分內容（multipart）",
        "path": "路徑", "percent": "百分號編碼", "plist": "plist", "protobuf": "Protobuf", "query": "欄位",
        "reversed": "反轉文字", "sha1": "SHA-1", "sha256": "SHA-256", "url": "URL", "utf16": "UTF-16",
        "utf16be": "UTF-16BE", "utf16le": "UTF-16LE", "xml": "XML", "xor": "XOR",
      ],
      cut: { "取前 \($0) 字元" },
      basisElement: "方框所示為紀錄所指之元素。該值在其中之確切位置未經記錄，本報告不予推測。",
      basisShape: "方框所示為該元素中唯一符合摘要值長度之字串；持有該值者可自行計算比對。",
      basisRecorded: "方框所示為紀錄以位移及長度所指之位元組。",
      basisChecked: "已核對：方框所示位元組為該值之一種寫法；該值以案卷密鑰計算之 HMAC 與紀錄所載者相符。",
      notKept: "此模式不留存內容；僅有發現之紀錄。",
      unreadable: "該內容已不在案卷中，或無法讀取。",
      notFound: "於所記錄之位元組中無法再次尋得該處；為避免推測，不予顯示。",
      instead: "替代送出之值",
      get: "取得原始位元組",
      boxed: "值",
      others: { "另有 \(number($0)) 組類別與主機未列為證物；全部發現請執行：\($1)" },
      target: { "［\($0)，\(number($1)) 位元組］" },
      pathWord: "路徑",
      queryWord: "查詢字串",
      chain: "自訊息至該值"
    ),
    timeline: Timeline(
      heading: "時間軸",
      intro: "左端為記錄開始，右端為記錄結束。直線為操作人員所設標記，編號與下表相同。",
      alternative: {
        "時間軸：\(traditionalChinese.common.flows($0))、\(traditionalChinese.common.findings($1))、\(number($2)) 個標記；數字詳見各表。"
      },
      flows: "傳輸",
      withFindings: "含發現之傳輸",
      toWatched: "送往關注地區",
      elsewhere: "送往其他地區",
      phases: "各階段之發現",
      phase: "階段",
      window: "起 – 迄（UTC）",
      beforeMarks: "第一個標記之前",
      noMarks: "操作人員未設標記（`tidewaiter mark`）：全部記錄視為同一階段。",
      found: "發現",
      otherKinds: { "另有 \(number($0)) 筆" }
    ),
    checklist: Checklist(
      heading: "首次開機程序",
      intro:
        "依 F-Secure 於 2014 年 8 月發表之新機測試步驟，以操作人員所設標記為據。各步驟自其標記起，至下一標記止。所列資料係於該期間傳送；並不表示係因該步驟而傳送。",
      step: "步驟",
      window: "起 – 迄（UTC）",
      whatSent: "傳送之資料及對象",
      notMarked: "未標記",
      nothingSent: "未辨識出識別資料",
      steps: [
        .powerOn: "開機", .simInserted: "插入 SIM 卡", .wifiJoined: "連上 Wi-Fi",
        .locationAllowed: "允許定位", .consent: "同意畫面", .contactAdded: "新增聯絡人",
        .smsSent: "傳送簡訊", .smsReceived: "接收簡訊", .mmsSent: "傳送多媒體簡訊",
        .mmsReceived: "接收多媒體簡訊", .callMade: "撥出電話", .callReceived: "接聽電話",
        .accountOn: "啟用雲端帳號",
      ],
      sent: { "\($0) \(number($1)) 次，送往 \($2)，\($3)" },
      withheld: { "\($0) \(number($1)) 次，原欲送往 \($2)，\($3)：未送出" },
      otherMarks: "其他標記",
      more: { "另有 \(number($0)) 筆" }
    ),
    places: Places(
      heading: "資料去向",
      intro: "依地區資料庫及集合所載，按實際連線位址所屬國家或地區統計。圓形面積代表傳輸筆數。",
      alternative: { "目的地世界地圖：\($0.joined(separator: "；"))。數字詳見下表。" },
      caption: "各國家或地區之目的地",
      country: "國家或地區",
      flows: "傳輸",
      hosts: "主機",
      findings: "發現",
      watched: "關注地區",
      notOnMap: { "未列於地圖者：\($0)。" },
      none: "無任何目的地之國家或地區可知。",
      more: { "另有 \(number($0)) 個國家或地區" }
    ),
    limits: Limits(
      heading: "涵蓋範圍與限制",
      intro: "本報告無從得知之事項，逐項計數列明。",
      decrypted: { "全部 \(traditionalChinese.common.flows($1))中，\(number($0)) 筆為已解密或明文，並經檢視。" },
      undecrypted: "未解密之主機",
      host: "主機",
      region: "地區",
      flows: "傳輸",
      bytes: "位元組",
      why: "處理方式",
      treatments: [
        "intercepted": "未辨識為 TLS 或 HTTP", "passthrough": "未解密即轉送",
        "sinkhole": "由 Tidewaiter 回應", "refused": "拒絕",
      ],
      observed: "未能檢視，或防止其脫離檢視之事項",
      what: "事項",
      connections: "連線數",
      example: "首例",
      coverage: [
        "alternative-service": "伺服器告知可使用 HTTP/3；已移除該告知，以免改走 QUIC",
        "upgrade-dropped": "升級至 WebSocket 以外協定之要求未予轉送",
        "byte-stream": "已解密但非 HTTP 之位元組，以串流轉送並記錄",
        "undecrypted": "加密位元組未經檢視即轉送",
        "unknown-extension": "WebSocket 擴充功能致訊息無法讀取",
        "untrusted-ca": "裝置不接受代理伺服器之任何憑證",
        "pinned": "應用程式對該主機僅接受其自有憑證（憑證綁定）",
        "client-clock": "裝置認為憑證不在有效期間內",
        "client-cipher": "裝置與代理伺服器無共通之 TLS 版本或加密套件",
        "client-closed": "裝置未說明原因即中止交握",
        "learned-passthrough": "裝置拒絕對該主機之攔截，故未解密即轉送",
        "outside-permit": "該主機不在代理伺服器憑證機構可簽發之範圍內",
        "private-root": "伺服器憑證鏈之根憑證非公開信任者",
        "client-certificate": "伺服器要求用戶端憑證",
        "unverified": "伺服器憑證未通過驗證，依組態設定放行",
        "accepts-untrusted": "裝置於不應信任之憑證下仍傳送資料",
      ],
      noCoverage: "無此類紀錄。",
      gaps: "紀錄缺漏",
      gap: { time, events, pieces, cause in
        "\(time)：略去 \(number(events)) 筆事件及 \(number(pieces)) 段內容\(cause.isEmpty ? "" : "（\(cause)）")"
      },
      noGaps: "無缺漏紀錄：未因空間或速度不足而略去任何內容。",
      recovered: { "記錄程式曾中斷後接續 \(number($0)) 次；中斷時截去之部分已記錄在案。" },
      open: { "\(traditionalChinese.common.flows($0))無結束紀錄。" },
      failed: { "\(traditionalChinese.common.flows($0))以錯誤結束；其大小及發現以當時為準。" },
      refused: { "\(traditionalChinese.common.flows($0))於讀取請求前即遭拒絕。" },
      purged: {
        "依保存期限已移除 \(number($0)) 份內容，共 \(traditionalChinese.common.bytes($1))；移除事實已記錄，指涉該內容之日誌行仍保留。"
      },
      observeMode: "觀察模式不留存內容，發現無從再次檢視。",
      ungrouped: { "另有其他類別及主機之 \(traditionalChinese.common.findings($0))，僅計入總數。" },
      noted: {
        "\(traditionalChinese.common.flows($0))載有記錄程式之附註，例如達到限制而未能逐層開啟；查看單筆：\($1)"
      },
      always: [
        "代理伺服器僅能檢視裝置經由 Wi-Fi 通過其傳送之資料；簡訊、通話、行動數據，以及應用程式繞過代理伺服器（QUIC、VPN、自帶 DNS）之傳輸，均不在內。",
        "以未列舉之方式轉換且非裝置設定檔所載之值，無法辨識。未發現並不證明未曾傳送。",
        "地區係由位址依上列資料庫推定；伺服器所在地並不表示其經營者為何人。",
      ]
    ),
    method: Method(
      heading: "方法",
      paragraphs: [
        "受測裝置以 Tidewaiter 為其 Wi-Fi 之代理伺服器。Tidewaiter 以自有憑證機構所簽發之憑證終止裝置之 TLS 連線（該憑證機構由操作人員安裝於裝置），另行與伺服器建立 TLS 連線並驗證其憑證，再讀取往來內容。每一名稱僅解析一次；經判定之位址即為實際連線之位址。",
        "每則訊息均就其路徑、查詢字串、欄位、Cookie、內容及尾欄，以及每則 WebSocket 訊息，搜尋裝置設定檔所載各值之已知寫法、編碼及摘要值，並搜尋具檢查碼之樣式。容器與編碼不論如何巢套，均在所定深度、大小及時間內逐層開啟；達到限制者，於該筆傳輸載明。",
        "案卷以案卷密鑰計算之 HMAC-SHA-256 指稱各值。持有該值及密鑰者可確認其曾被發現；無密鑰者無從猜測。",
        "每一事件為日誌之一行，每行含前一行之雜湊值；內容以其 SHA-256 為名存放。涵蓋全部行之雜湊樹（RFC 9162）樹根值定時寫入。封緘係對全部檔案清單簽章。",
      ],
      certainties: [
        ("確定", "裝置設定檔所載之值，無論原形、經編碼或為摘要值"),
        ("很可能", "符合具檢查碼之樣式，且前後文可資佐證"),
        ("可能", "僅符合樣式"),
      ],
      actions: "處置結果：「放行」指訊息原樣送出；「已替換」指以相同格式之代用值取代後送出；「已攔阻」指訊息遭攔下，該值無任何位元組送出。",
      map: "地圖：Natural Earth 1:110m（公共領域），Equal Earth 投影。輪廓僅供辨識位置，不涉疆界之主張。"
    ),
    verification: Verification(
      heading: "查驗方式",
      intro: "持有案卷資料夾者，均可使用 Tidewaiter 以外之工具自行查驗。請將前兩項數值與簽章者所公布或經其他管道告知者比對，始能確認簽章者身分。",
      place: "於案卷資料夾之上層資料夾執行：",
      signer: "簽章者之公鑰：",
      manifest: "全部檔案之清單：",
      signature: "對該清單之簽章（OpenSSL 3）：",
      files: "清單所列各檔案（全部相符時無輸出）：",
      chain: "以 Tidewaiter 查驗日誌鏈、內容、發現及封緘：",
      independent: "以不含 Tidewaiter 程式碼之查驗程式重複查驗（原始碼之 docs/verify/verify.py，僅需 Python）：",
      timestamp: "時間戳記（時戳機構之憑證置於 tsa.pem）：",
      expect: { "應輸出 \($0)" },
      unsealed: "案卷尚未封緘，無清單及簽章可供查驗。請於 `tidewaiter evidence seal` 後重新製作報告。",
      shareSafe: "上述指令須有原始案卷，僅憑本報告無法執行。"
    )
  )
}
