internal import TideCrypto

/// The look of a report: for a screen of any width, and for A4.
enum Style {
  /// The style sheet; `head` and `foot` stand on each printed page.
  static func sheet(head: String, foot: String, page: String) -> String {
    self.screen
      + """
      @page{size:A4;margin:20mm 17mm 21mm;
      @top-left{content:"\(self.quoted(head))";font:7.5pt var(--sans);color:#555c66}
      @bottom-left{content:"\(self.quoted(foot))";font:6.8pt var(--mono);color:#555c66}
      @bottom-right{content:"\(self.quoted(page)) " counter(page) " / " counter(pages);font:7.5pt var(--sans);color:#555c66}}

      """ + self.print
  }

  /// The source that a policy names a style sheet by (CSP 3 §2.3.1).
  static func source(of sheet: String) -> String {
    "sha256-" + Base64.standard.encode(Digest.sha256.hash(Array(sheet.utf8)))
  }

  /// A CSS string's content (CSS Syntax 3 §4.3.5); whatever could end it is written as its number.
  private static func quoted(_ text: String) -> String {
    Visible.text(text, limit: 200).unicodeScalars.map { scalar in
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", " ", "-", "_", ".", ":", ",", "·": String(scalar)
      default: "\\" + String(scalar.value, radix: 16) + " "
      }
    }.joined()
  }

  private static let screen = """
    :root{--ink:#16191d;--soft:#555c66;--line:#cfd4da;--pale:#f4f6f8;--tide:#0b4a63;--alarm:#9c1c1c;--box:#fff4d6;
    --sans:system-ui,-apple-system,"Segoe UI","Noto Sans","Helvetica Neue",Arial,"PingFang TC","Microsoft JhengHei","Noto Sans CJK TC","Noto Sans TC",sans-serif;
    --serif:Charter,"Bitstream Charter","Iowan Old Style",Georgia,"Noto Serif","Liberation Serif","DejaVu Serif",serif;
    --mono:ui-monospace,"SFMono-Regular",Menlo,Consolas,"Noto Sans Mono","DejaVu Sans Mono","Noto Sans CJK TC",monospace}
    *{box-sizing:border-box}
    html{-webkit-text-size-adjust:100%;color-scheme:light}
    body{margin:0;background:#fff;color:var(--ink);font:16px/1.55 var(--sans);overflow-wrap:break-word}
    main,header,footer{max-width:62rem;margin:0 auto;padding:0 1.5rem}
    header{padding-top:2.5rem}
    header p{margin:.2rem 0;color:var(--soft)}
    .brand{font-weight:600;letter-spacing:.04em;color:var(--tide)}
    h1{font:600 2rem/1.25 var(--serif);margin:.4rem 0 .6rem}
    h2{font:600 1.45rem/1.3 var(--serif);margin:3.2rem 0 .8rem;padding-top:.9rem;border-top:2px solid var(--ink)}
    h3{font:600 1.08rem/1.4 var(--sans);margin:1.8rem 0 .6rem}
    p{margin:.5rem 0 .9rem}
    a{color:var(--tide)}
    a:focus-visible{outline:3px solid #e0a100;outline-offset:2px}
    small{display:block;color:var(--soft);font-size:.8rem}
    code,.c,pre{font-family:var(--mono);font-size:.86em}
    .v{unicode-bidi:isolate}
    .c{overflow-wrap:anywhere}
    .lead{color:var(--soft)}
    .answer{margin:1.6rem 0 1rem;padding:1.5rem 1.7rem;border:1px solid var(--line);border-left:6px solid var(--tide);background:var(--pale)}
    .answer.hot{border-left-color:var(--alarm)}
    .answer h2{font:600 .85rem/1.3 var(--sans);letter-spacing:.05em;color:var(--soft);margin:0 0 .5rem;padding:0;border:0}
    .answer .said{font:600 1.6rem/1.42 var(--serif);margin:0 0 .8rem}
    .answer p{margin:.35rem 0;max-width:52rem}
    .numbers{display:flex;flex-wrap:wrap;gap:.6rem 2.2rem;margin:1rem 0 0;padding:0;list-style:none}
    .numbers b{display:block;font:600 1.5rem/1.2 var(--serif);font-variant-numeric:tabular-nums}
    .numbers span{color:var(--soft);font-size:.86rem}
    .notice{border:1px solid var(--alarm);border-left-width:6px;padding:.8rem 1.1rem;margin:1.2rem 0}
    .safe{border-color:var(--tide)}
    nav ol{columns:2;column-gap:2.5rem;margin:.4rem 0 0;padding-left:1.6rem}
    nav li{break-inside:avoid;padding:.12rem 0}
    .facts{margin:0;display:block}
    .facts>div{display:grid;grid-template-columns:13rem minmax(0,1fr);gap:1rem;padding:.42rem 0;border-bottom:1px solid var(--line)}
    dt{color:var(--soft)}
    dd{margin:0}
    dd>span{display:block}
    table{border-collapse:collapse;width:100%;margin:1rem 0 1.6rem;font-size:.92rem}
    caption{text-align:left;color:var(--soft);font-size:.86rem;padding-bottom:.4rem}
    caption.hidden{position:absolute;left:0;width:1px;height:1px;padding:0;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
    thead th{border-bottom:1.5px solid var(--ink);vertical-align:bottom}
    th,td{text-align:left;vertical-align:top;padding:.45rem .9rem .45rem 0;font-weight:400}
    thead th{font-weight:600;font-size:.84rem}
    tbody th{font-weight:600;min-width:10.5em}
    tbody tr{border-bottom:1px solid var(--line)}
    th.n,td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
    td.a .v{color:var(--alarm);font-weight:600}
    td .v,th .v{display:inline-block;max-width:100%}
    td.s{white-space:nowrap}
    .line{display:block;padding-left:1em;text-indent:-1em}
    .exhibit{margin:1.6rem 0 2.2rem;padding:1.1rem 1.3rem 1.2rem;border:1px solid var(--line);border-top:3px solid var(--tide)}
    .exhibit.hot{border-top-color:var(--alarm)}
    .exhibit h3{margin:0 0 .8rem;font:600 1.12rem/1.4 var(--serif)}
    .exhibit h4{font:600 .86rem/1.4 var(--sans);color:var(--soft);margin:1.1rem 0 .4rem}
    .exhibit .facts{font-size:.88rem;line-height:1.45}
    .exhibit .facts{display:grid;grid-template-columns:1fr 1fr;column-gap:2rem}
    .exhibit .facts>div{grid-template-columns:8.6rem minmax(0,1fr);gap:.7rem;padding:.2rem 0;border-bottom-style:dotted}
    .exhibit .facts>.wide{grid-column:1/-1}
    .request{margin:0 0 .7rem;padding:.55rem .8rem;background:var(--pale);font-family:var(--mono);font-size:.84rem;overflow-wrap:anywhere}
    .bytes{margin:0;padding:.85rem .95rem;border:1px solid var(--line);font:.84rem/1.85 var(--mono);overflow-wrap:anywhere;white-space:pre-wrap;color:#3f4650}
    .bytes mark{background:var(--box);color:#000;font-weight:700;border:2px solid var(--alarm);padding:.1rem .3rem;-webkit-box-decoration-break:clone;box-decoration-break:clone}
    .bytes i{font-style:normal;color:#6b727c}
    .basis{font-size:.84rem;color:var(--soft);margin:.4rem 0 0}
    .chain{display:flex;flex-wrap:wrap;gap:.45rem 0;margin:.3rem 0 0;padding:0;list-style:none}
    .chain li{display:flex;align-items:center;max-width:100%}
    .chain li>span{border:1px solid #8b95a1;border-radius:.3rem;padding:.22rem .6rem;font-size:.84rem;background:#fff;min-width:0;overflow-wrap:anywhere}
    .chain li>span code{margin-left:.35rem;color:var(--tide)}
    .chain li:not(:last-child)::after{content:"→";padding:0 .45rem;color:var(--soft);flex:none}
    .chain li:last-child>span{background:var(--box);border:2px solid var(--alarm);font-weight:700}
    .shell{margin:.4rem 0 1rem;padding:.7rem .9rem;background:#16191d;color:#f3f5f7;white-space:pre-wrap;overflow-wrap:anywhere;border-radius:.25rem;line-height:1.5}
    .expect{margin:-.6rem 0 1.1rem;font-size:.84rem;color:var(--soft)}
    .lanes{margin:1rem 0 0}
    .lane{display:grid;grid-template-columns:11.5rem minmax(0,1fr) 4.2rem;gap:.8rem;align-items:center;border-bottom:1px solid var(--line);font-size:.86rem}
    .lane svg{display:block;width:100%;height:26px}
    .lane.tall svg{height:64px}
    .lane.axis,.lane.flags{border:0;color:var(--soft)}
    .lane.flags svg{height:22px}
    .lane .ends{display:flex;justify-content:space-between;gap:1rem;font-variant-numeric:tabular-nums}
    .lane .sum{text-align:right;font-variant-numeric:tabular-nums}
    .key{display:flex;flex-wrap:wrap;gap:.3rem 1.4rem;margin:.7rem 0 1.4rem;padding:0;list-style:none;font-size:.84rem;color:var(--soft)}
    .key svg{width:14px;height:14px;vertical-align:-2px;margin-right:.4rem}
    .map{margin:1rem 0}
    .map svg{display:block;width:100%;height:auto;border:1px solid var(--line);background:#f7fafb}
    .land{fill:#dde3e8;stroke:#fff;stroke-width:1.2}
    .to{fill:#7fb0c6}
    .hotland{fill:#dd9a92}
    .spot{fill:#0b4a63;fill-opacity:.78;stroke:#fff;stroke-width:2}
    .hotspot{fill:#9c1c1c;fill-opacity:.82;stroke:#fff;stroke-width:2}
    .tag{font:600 25px var(--sans);fill:#16191d;paint-order:stroke;stroke:#fff;stroke-width:6px}
    .flow{fill:#b9c2cb}.found{fill:#0b4a63}.dot{fill:#0b4a63}.hotdot{fill:#9c1c1c}
    .rule{stroke:#6b727c;stroke-width:1;stroke-dasharray:3 3}
    .flag{fill:#16191d}.flagtext{fill:#fff;font:600 11px var(--sans)}
    ul.plain{margin:.4rem 0 1rem;padding-left:1.2rem}
    ul.plain li{padding:.15rem 0}
    footer{margin-top:3rem;padding-top:1rem;padding-bottom:3rem;color:var(--soft);font-size:.84rem}
    footer p{border-top:1px solid var(--line);padding-top:.8rem}
    :lang(zh){line-break:strict}
    html:lang(zh){--sans:system-ui,-apple-system,"Segoe UI","PingFang TC","Microsoft JhengHei","Noto Sans CJK TC","Noto Sans TC",sans-serif;
    --serif:"Songti TC","PMingLiU","Noto Serif CJK TC","Noto Serif TC",serif}
    html:lang(zh) body{line-height:1.7}
    @media screen and (min-width:44rem) and (max-width:62rem){
    table{font-size:.84rem}
    tbody th{min-width:7em}
    th,td{padding-right:.6rem}
    td.s{white-space:normal}
    td.c{min-width:16.5em}
    }
    @media (max-width:44rem){
    body{font-size:15.5px}
    main,header,footer{padding-left:1rem;padding-right:1rem}
    header{padding-top:1.4rem}
    h1{font-size:1.6rem}
    .answer{padding:1.1rem 1.1rem}
    .answer .said{font-size:1.28rem}
    nav ol{columns:1}
    .facts>div,.exhibit .facts>div{grid-template-columns:minmax(0,1fr);gap:.1rem}
    .exhibit .facts{display:block}
    .cards td.s{white-space:normal}
    .cards tbody th{min-width:0}
    .exhibit{padding:.9rem .9rem 1rem}
    .lane{grid-template-columns:minmax(0,1fr) 4rem;gap:.1rem .6rem;padding:.3rem 0}
    .lane>:first-child{grid-column:1}
    .lane>svg,.lane>.ends{grid-column:1/-1;grid-row:2}
    .lane>.sum{grid-column:2;grid-row:1}
    .lane.flags,.lane.axis{display:block}
    .tag{display:none}
    .cards,.cards tbody,.cards tr,.cards td,.cards th,.cards caption{display:block;width:100%}
    .cards thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
    .cards tbody tr{padding:.6rem 0}
    .cards tbody th{font-size:1rem;padding:.1rem 0}
    .cards td,.cards td.n{display:grid;grid-template-columns:7.2rem minmax(0,1fr);gap:.7rem;padding:.14rem 0;text-align:left;white-space:normal}
    .cards td::before{content:attr(data-label);color:var(--soft);font-size:.84rem}
    }

    """

  private static let print = """
    @media print{
    html{font-size:9.4pt}
    body{font-size:9.4pt;line-height:1.45;-webkit-print-color-adjust:exact;print-color-adjust:exact}
    main,header,footer{max-width:none;padding:0}
    header{padding-top:0}
    h1{font-size:19pt}
    h2{margin-top:1.9rem;break-after:avoid;font-size:14pt}
    h3,h4,caption,.lead{break-after:avoid}
    .lead{break-inside:avoid}
    thead{display:table-header-group;break-after:avoid}
    tbody tr:first-child{break-before:avoid}
    tr,li,.facts>div,.answer,.bytes,.chain,.lane,.map,.shell,.notice,.exhibit header{break-inside:avoid}
    .exhibit{break-inside:avoid;margin:.7rem 0 1rem;padding:.7rem .9rem .6rem}
    .exhibit h3{font-size:11pt;margin-bottom:.4rem}
    .exhibit h4{margin:.55rem 0 .2rem;font-size:8.4pt}
    .exhibit .facts{font-size:8.2pt;line-height:1.35}
    .exhibit .facts>div{padding:.08rem 0}
    .request,.bytes,.shell{font-size:8pt;line-height:1.5;padding:.4rem .6rem;margin:.2rem 0 .4rem}
    .chain li>span,.basis{font-size:8.2pt}
    .basis{margin:.2rem 0 0}
    p{orphans:3;widows:3}
    a{color:inherit;text-decoration:none}
    .shell{background:#fff;color:#000;border:1px solid #8b95a1}
    .expect{margin:.1rem 0 .6rem}
    .answer .said{font-size:15.5pt}
    table{font-size:8.6pt}
    footer{padding-bottom:0;margin-top:1.5rem}
    .lanes,.lane{break-inside:avoid}
    }
    """
}
