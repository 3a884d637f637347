/// The rules that hold when the default rule file is not there: the text of `rules/default.yaml`.
public enum DefaultRules {
  /// The text, to be read by `RuleDocument` and written by who wants to start from it.
  public static let yaml = """
    # Tidewaiter's default rules. In record mode they only mark what they match; they are enforced in redact and
    # block mode. `watched` means the regions under `regions.watch` in tidewaiter.yaml.
    # Check a change with: tidewaiter rules check rules/default.yaml
    version: 1
    rules:
      - id: identifiers-to-watched-regions
        description: Hardware and subscriber identifiers bound for a watched region
        when:
          region: [watched]
          direction: request
          finding: [imei, meid, imsi, iccid, msisdn, contact_phone, contact_name, sms_text, serial, android_id, wifi_mac]
        then: redact
        otherwise: block
        severity: high

      - id: uploads
        description: Large uploads to a watched region
        when: { region: [watched], method: [POST, PUT], size: ">=256KiB" }
        then: block

      - id: home-rolled-crypto
        description: Bodies that nothing can read, bound for a watched region
        when: { region: [watched], finding: [opaque] }
        then: redact
        otherwise: block          # there is nothing to replace in it

    """
}
