import TideCore

/// The page that a device opens: the checklist, what to set, what to install, what to know.
struct OnboardingPage {
  private let site: OnboardingSite
  private let request: OnboardingRequest
  private let status: OnboardingStatus
  private let language: PageLanguage

  init(_ site: OnboardingSite, _ request: OnboardingRequest, _ status: OnboardingStatus) {
    self.site = site
    self.request = request
    self.status = status
    self.language = PageLanguage(query: request.query, acceptLanguage: request.acceptLanguage)
  }

  /// The whole page.
  func response() -> PageResponse {
    let sections = [
      self.heading, self.checklist, self.settings, self.certificate, self.limits, self.undoing,
    ]
    return PageTemplate(
      language: self.language,
      title: self.text(OnboardingText.title),
      script: OnboardingScript.source,
      imageSources: [
        "http://\(OnboardingSite.host)", "https://\(OnboardingSite.checkHost)",
      ]
    ).response(status: 200, main: sections.joined(separator: "\n"))
  }

  private var heading: String {
    let other = self.language.other
    let recorded =
      switch self.site.mode {
      case .observe: OnboardingText.recordedObserve
      case .record: OnboardingText.recordedRecord
      case .redact: OnboardingText.recordedRedact
      case .block: OnboardingText.recordedBlock
      }
    return """
      <p class="top"><a href="?lang=\(other.rawValue)" lang="\(other.rawValue)">\(other.name)</a></p>
      <h1>\(self.text(OnboardingText.title))</h1>
      <p class="note"><strong>\(self.text(OnboardingText.recorded))</strong>
      \(self.text(recorded)) \(self.text(OnboardingText.caseLabel))
      <code>\(PageTemplate.escape(self.site.caseName))</code>\(self.text(OnboardingText.consent))</p>
      """
  }

  /// The steps and how far the device has come.
  ///
  /// Without a script one image does the probing, and the link shows what it found.
  private var checklist: String {
    let steps: [(String, Phrase, Phrase, Bool)] = [
      ("reached", OnboardingText.step1, OnboardingText.step1Help, true),
      (
        "through_proxy", OnboardingText.step2, OnboardingText.step2Help,
        self.status.progress >= .throughProxy
      ),
      (
        "certificate_trusted", OnboardingText.step3, OnboardingText.step3Help,
        self.status.progress >= .certificateTrusted
      ),
    ]
    let items = steps.enumerated().map { index, step in
      let state = self.text(step.3 ? OnboardingText.yes : OnboardingText.notYet)
      return """
        <li id="\(step.0)"\(step.3 ? " class=\"yes\"" : "")><b>\(index + 1). \
        \(self.text(step.1)): <span class="state">\(state)</span></b> \(self.text(step.2))</li>
        """
    }
    return """
      <h2>\(self.text(OnboardingText.checks))</h2>
      <ol class="check" aria-live="polite" data-yes="\(self.text(OnboardingText.yes))">
      \(items.joined(separator: "\n"))
      </ol>
      <p id="rejected"\(self.status.rejections == 0 ? " hidden" : "")>\
      \(self.text(OnboardingText.rejected)) <span>\(self.status.rejections)</span></p>
      <noscript><p><img src="https://\(OnboardingSite.checkHost)/ok" alt="" width="1" height="1">
      <a class="again" href="?lang=\(self.language.rawValue)">\(self.text(OnboardingText.again))</a></p>
      </noscript>
      """
  }

  private var settings: String {
    let proxy = self.site.proxy(for: self.request)
    return """
      <h2>\(self.text(OnboardingText.proxyHeading))</h2>
      \(self.copyable("server", OnboardingText.server, "\(proxy.host)"))
      \(self.copyable("port", OnboardingText.port, "\(proxy.port)"))
      \(self.steps { $0.proxySteps })
      <p>\(self.text(OnboardingText.autoconfiguration)) <code>http://\(proxy)/proxy.pac</code></p>
      """
  }

  private var certificate: String {
    """
    <h2>\(self.text(OnboardingText.certificateHeading))</h2>
    \(self.steps { $0.certificateSteps })
    <p>\(self.text(OnboardingText.fingerprint))<br>
    <code>\(self.site.authority.fingerprintText)</code></p>
    """
  }

  private var limits: String {
    """
    <h2>\(self.text(OnboardingText.limitsHeading))</h2>
    \(self.list("ul", OnboardingText.limits))
    """
  }

  private var undoing: String {
    """
    <h2>\(self.text(OnboardingText.undoHeading))</h2>
    \(self.steps { $0.undoSteps })
    """
  }

  private func copyable(_ id: String, _ label: Phrase, _ value: String) -> String {
    """
    <p><label for="\(id)">\(self.text(label))</label>
    <input id="\(id)" readonly value="\(PageTemplate.escape(value))">
    <button type="button" data-copy="\(id)" data-done="\(self.text(OnboardingText.copied))" hidden>\
    \(self.text(OnboardingText.copy))</button></p>
    """
  }

  /// The steps for each platform: open for the one that asks, folded for the others.
  ///
  /// A tablet may call itself a desktop, so none is left out.
  private func steps(_ choose: (OnboardingPlatform) -> [Phrase]) -> String {
    let asking = OnboardingPlatform(userAgent: self.request.userAgent)
    return ([asking] + OnboardingPlatform.allCases.filter { $0 != asking }).map { platform in
      """
      <details\(platform == asking ? " open" : "")><summary>\(self.text(platform.name))</summary>
      \(self.list("ol", choose(platform)))
      </details>
      """
    }.joined(separator: "\n")
  }

  private func list(_ element: String, _ phrases: [Phrase]) -> String {
    let items = phrases.map { "<li>\(self.text($0))</li>" }
    return "<\(element)>\n\(items.joined(separator: "\n"))\n</\(element)>"
  }

  /// A phrase of ours: HTML already.
  private func text(_ phrase: Phrase) -> String { phrase[self.language] }
}

/// The page's script: probes and asks for the status every two seconds until all is well.
///
/// In the language of 2009, for phones that get no updates; the page works without it.
enum OnboardingScript {
  static let source = """

    (function () {
      var trusted = false, names = ['reached', 'through_proxy', 'certificate_trusted'];
      var yes = document.getElementById('reached').parentNode.getAttribute('data-yes');
      function show(status) {
        for (var i = 0; i < names.length; i++) {
          var item = document.getElementById(names[i]);
          if (status[names[i]] && item.className !== 'yes') {
            item.className = 'yes';
            item.getElementsByTagName('span')[0].innerHTML = yes;
          }
        }
        trusted = status.certificate_trusted;
        var rejected = document.getElementById('rejected');
        rejected.hidden = !status.certificate_rejected;
        rejected.getElementsByTagName('span')[0].innerHTML = Number(status.certificate_rejected);
      }
      function ask() {
        if (!trusted) {
          var now = new Date().getTime();
          new Image().src = 'http://\(OnboardingSite.host)/ok?' + now;
          new Image().src = 'https://\(OnboardingSite.checkHost)/ok?' + now;
        }
        var request = new XMLHttpRequest();
        request.onreadystatechange = function () {
          if (request.readyState !== 4) { return; }
          setTimeout(ask, 2000);
          if (request.status === 200) { show(JSON.parse(request.responseText)); }
        };
        request.open('GET', '/status.json?' + new Date().getTime(), true);
        request.send();
      }
      function copy(button) {
        var field = document.getElementById(button.getAttribute('data-copy'));
        button.hidden = false;
        button.onclick = function () {
          field.focus();
          field.setSelectionRange(0, field.value.length);
          if (document.execCommand('copy')) { button.innerHTML = button.getAttribute('data-done'); }
        };
      }
      var buttons = document.getElementsByTagName('button');
      for (var i = 0; i < buttons.length; i++) { copy(buttons[i]); }
      ask();
    })();

    """
}
