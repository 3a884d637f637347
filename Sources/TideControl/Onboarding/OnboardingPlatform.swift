/// What kind of device asks, as far as its steps differ.
enum OnboardingPlatform: CaseIterable, Sendable {
  case apple
  case android
  case other

  /// Reads the platform from a `User-Agent`; iPads that call themselves Macs count as `other`.
  init(userAgent: String) {
    let isApple = ["iPhone", "iPad", "iPod"].contains { userAgent.contains($0) }
    // Windows Phone claimed to be both.
    if userAgent.contains("Windows Phone") {
      self = .other
    } else if isApple {
      self = .apple
    } else if userAgent.contains("Android") || userAgent.contains("HarmonyOS") {
      self = .android
    } else {
      self = .other
    }
  }

  /// What its owner calls it.
  var name: Phrase {
    switch self {
    case .apple: Phrase("iPhone, iPad", "iPhone、iPad")
    case .android: Phrase("Android", "Android")
    case .other: Phrase("Another device", "其他裝置")
    }
  }

  /// How to send its traffic through the proxy.
  var proxySteps: [Phrase] {
    switch self {
    case .apple:
      [
        Phrase(
          "Settings → Wi-Fi → ⓘ beside the network → Configure Proxy → Manual.",
          "「設定」→「Wi-Fi」→ 網路旁的 ⓘ →「設定代理伺服器」→「手動」。"
        ),
        Phrase(
          "Enter the server and the port above, no authentication, then Save.",
          "填入上面的伺服器與埠號，不需認證，然後「儲存」。"
        ),
      ]
    case .android:
      [
        Phrase(
          "Settings → Network &amp; internet → Wi-Fi → the network → Edit (pencil) → Advanced options.",
          "「設定」→「網路和網際網路」→「Wi-Fi」→ 目前的網路 → 編輯（鉛筆）→「進階選項」。"
        ),
        Phrase(
          "Proxy: Manual. Enter the server and the port above, then Save.",
          "Proxy：「手動」。填入上面的伺服器與埠號，然後「儲存」。"
        ),
      ]
    case .other:
      [
        Phrase(
          "In the network settings set an HTTP proxy, for HTTP and HTTPS, to the server and port above.",
          "在網路設定中，把 HTTP 與 HTTPS 的代理伺服器設為上面的伺服器與埠號。"
        )
      ]
    }
  }

  /// How to install the certificate and trust it.
  var certificateSteps: [Phrase] {
    switch self {
    case .apple:
      [
        Phrase(
          "<a class=\"button\" href=\"/tidewaiter.mobileconfig\">Download the profile</a>"
            + "Open this page in Safari for that.",
          "<a class=\"button\" href=\"/tidewaiter.mobileconfig\">下載描述檔</a>請用 Safari 開啟本頁。"
        ),
        Phrase(
          "Settings → General → VPN &amp; Device Management → Tidewaiter CA → Install.",
          "「設定」→「一般」→「VPN 與裝置管理」→ Tidewaiter CA →「安裝」。"
        ),
        Phrase(
          "Settings → General → About → Certificate Trust Settings → switch Tidewaiter on.",
          "「設定」→「一般」→「關於本機」→「憑證信任設定」→ 開啟 Tidewaiter。"
        ),
      ]
    case .android:
      [
        Phrase(
          "<a class=\"button\" href=\"/ca.crt\">Download the certificate</a>",
          "<a class=\"button\" href=\"/ca.crt\">下載憑證</a>"
        ),
        Phrase(
          "Settings → Security → Encryption &amp; credentials → Install a certificate → CA certificate "
            + "→ Install anyway → tidewaiter.crt.",
          "「設定」→「安全性」→「加密與憑證」→「安裝憑證」→「CA 憑證」→「仍要安裝」→ tidewaiter.crt。"
        ),
      ]
    case .other:
      [
        Phrase(
          "<a class=\"button\" href=\"/ca.crt\">Certificate (DER)</a>"
            + "<a class=\"button\" href=\"/ca.pem\">Certificate (PEM)</a>",
          "<a class=\"button\" href=\"/ca.crt\">憑證（DER）</a>"
            + "<a class=\"button\" href=\"/ca.pem\">憑證（PEM）</a>"
        ),
        Phrase(
          "Add it to the system's or the browser's trusted root certificates, for websites.",
          "把它加入系統或瀏覽器的受信任根憑證，用途為網站。"
        ),
      ]
    }
  }

  /// How to leave the device as it was.
  var undoSteps: [Phrase] {
    switch self {
    case .apple:
      [
        Phrase(
          "Settings → Wi-Fi → ⓘ → Configure Proxy → Off.",
          "「設定」→「Wi-Fi」→ ⓘ →「設定代理伺服器」→「關閉」。"
        ),
        Phrase(
          "Settings → General → VPN &amp; Device Management → Tidewaiter CA → Remove Profile.",
          "「設定」→「一般」→「VPN 與裝置管理」→ Tidewaiter CA →「移除描述檔」。"
        ),
      ]
    case .android:
      [
        Phrase(
          "The network's Advanced options → Proxy: None.",
          "網路的「進階選項」→ Proxy：「無」。"
        ),
        Phrase(
          "Settings → Security → Encryption &amp; credentials → User credentials → Tidewaiter → Remove.",
          "「設定」→「安全性」→「加密與憑證」→「使用者憑證」→ Tidewaiter →「移除」。"
        ),
      ]
    case .other:
      [
        Phrase(
          "Remove the proxy from the network settings and the certificate from the trusted roots.",
          "從網路設定移除代理伺服器，並從受信任的根憑證中移除這張憑證。"
        )
      ]
    }
  }
}
