import TidePolicy
import Testing

@testable import TideConfig

@Suite struct YAMLReaderTests {
  private func read(_ yaml: String) -> (value: YAMLValue?, problems: [String]) {
    let problems = ProblemList()
    let value = YAMLReader.read(yaml, path: "t.yaml", problems)
    return (value, problems.failure?.problems.map(\.description) ?? [])
  }

  @Test("A scalar keeps its text, and only an unquoted null is null")
  func scalars() throws {
    let (value, problems) = self.read("[0123, NO, 1e5, null, 'null', \"\", 2026-11-22]")
    #expect(problems.isEmpty)
    guard case .list(let items) = value?.content else {
      Issue.record("not a list")
      return
    }
    #expect(items.map(\.brief) == ["0123", "NO", "1e5", "null", "null", "", "2026-11-22"])
    #expect(items.map(\.isNull) == [false, false, false, true, false, false, false])
  }

  @Test("Every value knows its line and column, counted in characters")
  func places() {
    let (value, _) = self.read("é: 1\nkey:\n  - ü: x\n")
    guard case .mapping(let entries) = value?.content, entries.count == 2,
      case .list(let items) = entries[1].value.content,
      case .mapping(let inner) = items.first?.content, inner.count == 1
    else {
      Issue.record("not as written")
      return
    }
    #expect(entries[0].value.location == SourceLocation(file: "t.yaml", line: 1, column: 4))
    #expect(inner[0].keyLocation == SourceLocation(file: "t.yaml", line: 3, column: 5))
    #expect(inner[0].value.location == SourceLocation(file: "t.yaml", line: 3, column: 8))
  }

  @Test("An empty document, comments alone and `---` alone are no value and no problem")
  func empty() {
    for yaml in ["", "# nothing\n", "---\n", "null", "\u{FEFF}"] {
      let (value, problems) = self.read(yaml)
      #expect(value == nil && problems.isEmpty)
    }
  }

  @Test("Each repeated key is reported where it is repeated, and the rest is still read")
  func repeatedKeys() {
    let yaml = "a: 1\nb: { x: 1, y: 2, x: 3 }\n\"a\": 2\nc: *d\na: 3\n"
    #expect(
      self.read(yaml).problems == [
        "t.yaml:2:18: key \"x\" is written twice, first in line 2",
        "t.yaml:3:1: key \"a\" is written twice, first in line 1",
        """
        t.yaml:4:4: "*d" begins with *, which YAML takes for an alias: put it in quotes
        """,
        "t.yaml:5:1: key \"a\" is written twice, first in line 1",
      ]
    )
  }

  @Test("A repeated key that cannot be hidden is reported where it is first")
  func repeatedEscapedKey() {
    #expect(
      self.read("\"\\x61\": 1\na: 2\n").problems == [
        "t.yaml:1:1: key \"a\", written here first, is written again in the same mapping"
      ]
    )
  }

  @Test("More repeated keys than are looked for end in a problem, not in a long wait")
  func manyRepeatedKeys() {
    let problems = self.read(String(repeating: "a: 1\n", count: 5_000)).problems
    #expect(problems.count == 1)
    #expect(problems.first?.contains("is written again") == true)
  }

  @Test("Aliases never grow: a laugh of a billion is refused at once, also as a key")
  func billionLaughs() {
    var yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1...12 {
      let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
      yaml += "a\(level): &a\(level) [\(aliases)]\n"
    }
    let problems = self.read(yaml + "? *a12\n: 1\n").problems
    #expect(problems.contains("t.yaml:1:5: anchors are not supported: &a0"))
    #expect(problems.contains { $0.hasPrefix("t.yaml:14:3: \"*a12\" begins with *") })
  }

  @Test("A star inside a scalar, in quotes or in a comment is what it is")
  func stars() {
    let (value, problems) = self.read("[\"*.a\", '*b', c*d, 2 * 3] # *e\n")
    #expect(problems.isEmpty)
    guard case .list(let items) = value?.content else {
      Issue.record("not a list")
      return
    }
    #expect(items.map(\.brief) == ["*.a", "*b", "c*d", "2 * 3"])
  }

  @Test("Tags, complex keys and a second document are refused at their place")
  func refusals() {
    #expect(
      self.read("a: !!int 3\nb: !x [1]\n? [k]\n: v\n").problems == [
        "t.yaml:1:4: tags are not supported: \"tag:yaml.org,2002:int\"",
        "t.yaml:2:4: tags are not supported: \"!x\"",
        "t.yaml:3:3: expected a key, found a list",
      ]
    )
    #expect(
      self.read("a: 1\n---\nb: 2\n").problems == [
        "t.yaml:2:1: not valid YAML: a second document; a file holds one"
      ]
    )
  }

  @Test("What is not YAML is reported with the parser's own words and place")
  func syntax() {
    #expect(
      self.read("a: 1\n\tb: 2\n").problems == [
        "t.yaml:2:1: a tab cannot indent YAML; use spaces"
      ]
    )
    #expect(
      self.read("a: [1, 2\nb: 3\n").problems == [
        "t.yaml:2:2: not valid YAML: did not find expected ',' or ']' "
          + "(while parsing a flow sequence from line 1)"
      ]
    )
    #expect(
      self.read("a: 1\nb: \u{1}\n").problems == [
        "t.yaml:2:4: a control character that YAML does not allow"
      ]
    )
  }

  @Test("Size and depth are bounded")
  func bounds() {
    #expect(
      self.read(String(repeating: "#", count: YAMLReader.maxBytes + 1)).problems == [
        "t.yaml:1:1: the file is larger than 1 MiB"
      ]
    )
    let deep = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
    #expect(self.read(deep).problems == ["t.yaml:1:33: nested more than 32 levels deep"])
    for unit in ["[", "{", "- ", "? ", "{a: ", "[? "] {
      #expect(!self.read(String(repeating: unit, count: 100_000)).problems.isEmpty)
    }
  }

  @Test("Of very many problems the first hundred are told and the others counted")
  func manyProblems() {
    let problems = self.read(String(repeating: "- &a x\n", count: 150)).problems
    #expect(problems.count == ProblemList.limit + 1)
    #expect(problems.last == "and 50 more problems")
  }

  @Test("A document that uses private characters keeps them")
  func privateCharacters() {
    #expect(self.read("\u{E000}*\u{F8FF}").value?.brief == "\u{E000}*\u{F8FF}")
  }
}
