import TideCore

/// What each failure means to whoever holds the device, and what helps.
struct BlockText {
  /// What happened.
  let cause: Phrase
  /// What helps.
  let remedy: Phrase

  private init(_ cause: Phrase, _ remedy: Phrase) {
    self.cause = cause
    self.remedy = remedy
  }

  private static let tellVendor = Phrase(
    "Nothing on your side is wrong. The record of the case has what was sent.",
    "您這邊沒有問題。送出的內容請見案件紀錄。"
  )
  private static let tryLater = Phrase(
    "Try again in a while. If other sites work, the fault is the server's.",
    "請稍後再試。若其他網站正常，問題在該伺服器。"
  )
  private static let changeRule = Phrase(
    "Nothing reached the destination that the rule forbids. If it should pass, the operator can add "
      + "an exception to the rule (unless), or choose the mode record.",
    "規則禁止的內容沒有送達目的地。若應放行，操作者可在規則中加入例外（unless），或改用 record 模式。"
  )
  private static let readLog = Phrase(
    "The operator finds the reason in the log of Tidewaiter.",
    "操作者可在 Tidewaiter 的記錄檔中找到原因。"
  )

  /// The sentences for `code`.
  init(_ code: FlowFailure.Code) {
    switch code {
    case .blockedByRule, .refusedByRule:
      self.init(
        Phrase(
          "A rule of this audit blocked what the device wanted to send or fetch.",
          "本次稽核的一條規則阻擋了裝置要傳送或取得的內容。"
        ),
        Self.changeRule
      )
    case .notRedactable:
      self.init(
        Phrase(
          "A rule wants identifiers replaced here, and that could not be done soundly.",
          "規則要求替換這裡的識別資訊，但無法穩妥地替換。"
        ),
        Self.changeRule
      )
    case .opaque:
      self.init(
        Phrase(
          "What cannot be read does not go to a region that a rule names.",
          "無法讀取的內容不會送往規則所指的地區。"
        ),
        Self.changeRule
      )
    case .fronting, .misdirected:
      self.init(
        Phrase(
          "The request names another host than the connection was opened for.",
          "請求所指的主機與建立連線時不同。"
        ),
        Phrase(
          "Apps that hide their destination do this. It is in the record.",
          "隱藏目的地的 App 會這麼做。紀錄中已有記載。"
        )
      )
    case .authenticationRequired:
      self.init(
        Phrase(
          "This proxy serves only devices that say who they are.",
          "這個代理伺服器只服務表明身分的裝置。"
        ),
        Phrase(
          "Enter the user name and the password, or the token, in the proxy settings of the Wi-Fi. "
            + "Whoever runs the audit has them.",
          "請在 Wi-Fi 的代理伺服器設定中輸入使用者名稱與密碼，或權杖。請向執行稽核的人索取。"
        )
      )
    case .specialUse:
      self.init(
        Phrase(
          "The destination is an address inside this network or machine.",
          "目的地是這個網路或這部主機內部的位址。"
        ),
        Phrase(
          "If the device needs it, the operator can list it under upstream.allow_special_use.",
          "若裝置需要它，操作者可將它列入 upstream.allow_special_use。"
        )
      )
    case .loop:
      self.init(
        Phrase("The destination is this proxy itself.", "目的地就是這個代理伺服器本身。"),
        Phrase(
          "For the set-up page open http://tidewaiter.internal/ instead.",
          "要看設定頁面，請改開 http://tidewaiter.internal/。"
        )
      )
    case .nameNotFound:
      self.init(
        Phrase("The name has no address.", "這個名稱沒有位址。"),
        Phrase("Check the spelling of the name.", "請檢查名稱拼寫。")
      )
    case .resolverFailed:
      self.init(
        Phrase("The name could not be looked up.", "無法查詢這個名稱。"),
        Phrase(
          "Check the network and the resolver of the machine that runs Tidewaiter.",
          "請檢查執行 Tidewaiter 的主機的網路與 DNS。"
        )
      )
    case .connectionRefused:
      self.init(
        Phrase("The server refused the connection.", "伺服器拒絕連線。"),
        Self.tryLater
      )
    case .connectTimeout, .responseTimeout:
      self.init(Phrase("The server did not answer in time.", "伺服器沒有及時回應。"), Self.tryLater)
    case .idleTimeout:
      self.init(Phrase("Nothing came for too long.", "太久沒有任何資料。"), Self.tryLater)
    case .truncated:
      self.init(
        Phrase("The connection was cut before its end.", "連線在結束前中斷。"),
        Self.tryLater
      )
    case .wrongPeer:
      self.init(
        Phrase(
          "The connection led to another address than was decided on.",
          "連線到的位址與判定的位址不同。"
        ),
        Self.readLog
      )
    case .untrustedUpstream:
      self.init(
        Phrase("The server's certificate cannot be trusted.", "伺服器的憑證無法信任。"),
        Phrase(
          "Do not go on: someone may be in between. For a laboratory server set tls.upstream_roots.",
          "請勿繼續：中間可能有人。若是實驗室伺服器，請設定 tls.upstream_roots。"
        )
      )
    case .upstreamHandshake:
      self.init(
        Phrase("No secure connection to the server came about.", "無法與伺服器建立安全連線。"),
        Self.tellVendor
      )
    case .clientHandshake, .badHello:
      self.init(
        Phrase("The device broke off the secure connection.", "裝置中斷了安全連線。"),
        Phrase(
          "Check on http://tidewaiter.internal/ that the certificate is trusted.",
          "請在 http://tidewaiter.internal/ 確認憑證已受信任。"
        )
      )
    case .malformedMessage, .ambiguousFraming, .malformedTarget:
      self.init(
        Phrase(
          "The message breaks the rules of HTTP and could be read in two ways.",
          "訊息違反 HTTP 規則，可能有兩種解讀。"
        ),
        Self.tellVendor
      )
    case .headTooLarge:
      self.init(
        Phrase("The header fields are larger than allowed.", "標頭欄位超過允許的大小。"),
        Phrase("Deleting the cookies of the site may help.", "刪除該網站的 Cookie 可能有幫助。")
      )
    case .overLimit:
      self.init(Phrase("A limit of Tidewaiter was reached.", "達到 Tidewaiter 的上限。"), Self.readLog)
    case .shutdown:
      self.init(
        Phrase("Tidewaiter is stopping.", "Tidewaiter 正在停止。"),
        Phrase(
          "If the test is over, take the proxy out of the network settings.",
          "若測試已結束，請從網路設定移除代理伺服器。"
        )
      )
    case .internalError:
      self.init(Phrase("Tidewaiter made a mistake.", "Tidewaiter 發生錯誤。"), Self.readLog)
    }
  }
}
