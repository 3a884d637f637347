import TideCore

/// The frame of every page of ours: one file, no asset from elsewhere, readable on a ten-year-old phone.
struct PageTemplate {
  /// The language of the page.
  let language: PageLanguage
  /// The title, not escaped.
  let title: String
  /// The script of the page; empty if it needs none.
  var script = ""
  /// Addresses that an image may come from, for the script's probes.
  var imageSources: [String] = []

  /// Makes the response around `main`, which is HTML whose values are escaped already.
  ///
  /// The nonce is made for each response, so that markup which slipped through an escape would still
  /// not run. Browsers older than CSP 2 do not know nonces and take `'unsafe-inline'`; newer ones
  /// ignore that word where there is a nonce.
  func response(status: Int, main: String, extra: [(String, String)] = []) -> PageResponse {
    let nonce = ASCII.hex((0..<16).map { _ in UInt8.random(in: .min ... .max) })
    let policy =
      "default-src 'none'; style-src 'nonce-\(nonce)' 'unsafe-inline'; "
      + "script-src 'nonce-\(nonce)' 'unsafe-inline'; connect-src 'self'; "
      + "img-src \((["data:"] + self.imageSources).joined(separator: " ")); "
      + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    let script = self.script.isEmpty ? "" : "<script nonce=\"\(nonce)\">\(self.script)</script>\n"
    let html = """
      <!doctype html>
      <html lang="\(self.language.rawValue)">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="robots" content="noindex">
      <link rel="icon" href="data:,">
      <title>\(Self.escape(self.title))</title>
      <style nonce="\(nonce)">\(Self.style)</style>
      </head>
      <body>
      <main>
      \(main)
      </main>
      \(script)</body>
      </html>

      """
    return PageResponse(
      status: status,
      type: "text/html; charset=utf-8",
      body: Bytes(html),
      extra: [
        ("Content-Language", self.language.rawValue), ("Content-Security-Policy", policy),
      ] + extra
    )
  }

  /// `text` as it may stand in an element or a quoted attribute.
  static func escape(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  private static let style = """

    :root{color-scheme:light dark}
    body{margin:0;padding:1em;background:#fff;color:#16191d;
    font:17px/1.5 -apple-system,system-ui,Roboto,"Noto Sans TC","PingFang TC",sans-serif}
    main{max-width:40em;margin:0 auto}
    h1{font-size:1.5em;line-height:1.25;margin:.5em 0}h2{font-size:1.15em;margin:1.6em 0 .4em}
    a{color:#0550ae}code,input{font:1em ui-monospace,Menlo,Consolas,monospace}
    code{word-break:break-all}dt{font-weight:600}dd{margin:0 0 .6em;word-break:break-word}
    .top{text-align:right;margin:0}.top a,.again{display:inline-block;padding:12px 8px}
    .note{border-left:4px solid #9a6700;background:#fff8c5;padding:.6em .8em}
    ol.check{list-style:none;padding:0}
    ol.check li{border:2px solid #8c959f;border-radius:8px;padding:.6em .8em;margin:.5em 0}
    ol.check li.yes{border-color:#1a7f37;background:#dafbe1}
    ol.check b{display:block}
    a.button,button{display:block;box-sizing:border-box;width:100%;min-height:48px;padding:12px;margin:.5em 0;
    border:0;border-radius:8px;background:#0550ae;color:#fff;font:inherit;text-align:center;
    text-decoration:none}
    input{box-sizing:border-box;width:100%;min-height:48px;padding:8px;border:1px solid #8c959f;
    border-radius:8px;background:inherit;color:inherit}
    details{border-top:1px solid #8c959f;padding:.3em 0}summary{min-height:44px;line-height:44px;
    font-weight:600;cursor:pointer}
    @media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}a{color:#79c0ff}
    a.button,button{background:#1f6feb;color:#fff}.note{background:#2d2208;border-color:#d29922}
    ol.check li.yes{background:#0f2a18;border-color:#3fb950}}

    """
}
