/// The sentences of the onboarding page that are the same for every platform; HTML, ours alone.
enum OnboardingText {
  static let title = Phrase("Set this device up for Tidewaiter", "為 Tidewaiter 設定這部裝置")
  static let recorded = Phrase("This device is being recorded.", "這部裝置正在被記錄。")
  static let recordedObserve = Phrase(
    "Where it connects and which identifiers it sends are kept, its content is not (mode observe);",
    "會保存它連到哪裡、送出哪些識別資訊，不保存內容（observe 模式）；"
  )
  static let recordedRecord = Phrase(
    "All that passes through the proxy is kept, content included (mode record);",
    "經過代理伺服器的一切，包括內容，都會保存（record 模式）；"
  )
  static let recordedRedact = Phrase(
    "All that passes through the proxy is kept, and identifiers are replaced on their way (mode redact);",
    "經過代理伺服器的一切都會保存，識別資訊會在途中被替換（redact 模式）；"
  )
  static let recordedBlock = Phrase(
    "All that passes through the proxy is kept, and some of it is blocked (mode block);",
    "經過代理伺服器的一切都會保存，其中一部分會被阻擋（block 模式）；"
  )
  static let caseLabel = Phrase("case", "案件")
  static let consent = Phrase(
    ". Go on only with a device that you own, or with its owner's written consent.",
    "。只有在裝置屬於您，或持有物主書面同意時，才可繼續。"
  )

  static let checks = Phrase("Where you are", "目前進度")
  static let yes = Phrase("✓ yes", "✓ 是")
  static let notYet = Phrase("not yet", "尚未")
  static let step1 = Phrase("This device reaches Tidewaiter", "這部裝置連得到 Tidewaiter")
  static let step1Help = Phrase("You are reading this page.", "您正在看這個網頁。")
  static let step2 = Phrase("Its traffic passes through it", "它的流量經過 Tidewaiter")
  static let step2Help = Phrase(
    "Set the proxy as below; this turns to yes by itself.",
    "照下面設定代理伺服器，這裡會自動更新。"
  )
  static let step3 = Phrase("It trusts the certificate", "它信任憑證")
  static let step3Help = Phrase(
    "Install the certificate as below; this turns to yes by itself.",
    "照下面安裝憑證，這裡會自動更新。"
  )
  static let rejected = Phrase(
    "Times that this device, or an app on it, turned our certificate down:",
    "這部裝置或其中的 App 拒絕我們憑證的次數："
  )
  static let again = Phrase("Check again", "重新檢查")

  static let proxyHeading = Phrase("Set the proxy", "設定代理伺服器")
  static let server = Phrase("Server", "伺服器")
  static let port = Phrase("Port", "埠號")
  static let copy = Phrase("Copy", "複製")
  static let copied = Phrase("Copied", "已複製")
  static let autoconfiguration = Phrase(
    "Or set automatic configuration to the address",
    "或將自動設定的網址設為"
  )

  static let certificateHeading = Phrase("Install the certificate", "安裝憑證")
  static let fingerprint = Phrase(
    "Compare before you trust it. SHA-256 fingerprint:",
    "信任之前請先核對。SHA-256 指紋："
  )

  static let limitsHeading = Phrase("What will not work", "哪些做不到")
  static let limits = [
    Phrase(
      "Apps on Android 7 and later trust certificates that a user installs only if they say so. "
        + "Most do not: their connections fail, or are counted as not decrypted.",
      "Android 7 以後，App 只有在自己聲明時才信任使用者安裝的憑證。多數沒有：它們的連線會失敗，或計為未解密。"
    ),
    Phrase(
      "Apps that pin their certificates refuse ours, on any system. They are named in the record.",
      "綁定憑證（pinning）的 App 在任何系統上都會拒絕我們的憑證。紀錄中會列出它們。"
    ),
    Phrase(
      "This page does not check what slips past: QUIC and other UDP, a VPN or private relay, "
        + "private DNS, and mobile data do not go through a Wi-Fi proxy. Switch them off for the test.",
      "本頁不檢查繞過代理的流量：QUIC 等 UDP、VPN 或私密轉送、私人 DNS 與行動數據都不經過 Wi-Fi 代理。"
        + "測試時請將它們關閉。"
    ),
  ]

  static let undoHeading = Phrase("When you are done", "測試結束後")
}
