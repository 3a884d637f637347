import Testing
import TideCore

@testable import TideReport

@Suite struct VisibleTests {
  @Test("Characters that nobody sees, or that turn a line around, are shown by their numbers")
  func hidden() {
    #expect(Visible.text("a\u{202E}b\u{200B}c\u{0007}") == "a⟨U+202E⟩b⟨U+200B⟩c⟨U+0007⟩")
    #expect(Visible.text("\u{FEFF}\u{2066}x\u{00A0}") == "⟨U+FEFF⟩⟨U+2066⟩x⟨U+00A0⟩")
    #expect(Visible.text("臺灣 é 😀") == "臺灣 é 😀")
  }

  @Test("A pile of combining marks is cut down to what does not cover other lines")
  func piles() {
    let pile = "a" + String(repeating: "\u{0301}", count: 6)
    #expect(Visible.text(pile).contains("⟨U+0301⟩"))
    #expect(Visible.text("a\u{0301}") == "a\u{0301}")
  }

  @Test("A long text is cut, and shows that it was")
  func limit() {
    #expect(Visible.text(String(repeating: "x", count: 500), limit: 10) == "xxxxxxxxxx…")
  }

  @Test("Bytes that are no text are shown as numbers, line ends and tabs as signs")
  func bytes() {
    #expect(Visible.text(of: Bytes([0x61, 0xFF, 0x62, 0x0D, 0x0A, 0x09])) == "a⟨FF⟩b⏎⇥")
    // Overlong, a surrogate, and a character cut short (RFC 3629 §3).
    #expect(Visible.text(of: Bytes([0xC0, 0x80])) == "⟨C0⟩⟨80⟩")
    #expect(Visible.text(of: Bytes([0xED, 0xA0, 0x80])) == "⟨ED⟩⟨A0⟩⟨80⟩")
    #expect(Visible.text(of: Bytes([0xE8, 0x87])) == "⟨E8⟩⟨87⟩")
    #expect(Visible.isText("plain text"))
    #expect(!Visible.isText(Bytes([0x00, 0x01, 0x02, 0x61])))
  }

  @Test("Text and attributes become no markup, whatever they hold")
  func escaping() {
    var html = HTMLWriter()
    html.element("p", ["title": "\"><script>"], "<b>&'\u{202E}")
    #expect(
      String(decoding: html.bytes, as: UTF8.self)
        == "<p title=\"&quot;&gt;&lt;script&gt;\">&lt;b&gt;&amp;&#39;\u{FFFD}</p>"
    )
  }

  @Test("A case's name cannot end the string in the style sheet that prints it")
  func style() {
    let sheet = Style.sheet(head: "a\"}</style><b>", foot: "", page: "Page")
    #expect(sheet.contains("a\\22 \\7d \\3c \\2f style\\3e \\3c b\\3e "))
    #expect(!sheet.contains("</style>"))
  }

  @Test("A word goes to the shell as one word")
  func shell() {
    #expect(ReportPage.quoted("./2026-11-22-a") == "./2026-11-22-a")
    #expect(ReportPage.quoted("./a b'; rm -rf $HOME") == "'./a b'\\''; rm -rf $HOME'")
  }
}
