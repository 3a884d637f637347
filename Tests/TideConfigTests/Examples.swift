/// The YAML of PRODUCT.md sections 5, 6 and 8, as operators read it there.
enum Examples {
  static let configuration = """
    version: 1
    mode: record
    listen:
      proxy: ["0.0.0.0:8080"]              # CONNECT, absolute-form, origin-form (the onboarding page)
      allow: [loopback, private]           # client CIDRs; never an open proxy
      auth: none                           # none | { basic: FILE } (htpasswd, bcrypt) | { tokens: FILE }; the user is the device
    ui: { listen: "127.0.0.1:8081" }
    ca: { dir: certs, key: p256, lifetime: 90d }      # p256 | rsa2048; ca.crt and ca.key (PEM, 0600, folder 0700): a pair that is there is used
    #     permit: [], passphrase_file: null, pkcs11: null, per_case: false. lifetime is the CA's (notBefore a day back); leaves <= 90d and <= its end;
    #     `run` warns 14 days before the end and refuses an expired CA, naming `ca rotate`
    tls:
      upstream_roots: system               # system | FILE.pem
      upstream_verify: strict              # strict: refuse | mirror: an equally untrusted leaf | off: warned, recorded
      revocation: staple                   # staple: stapled answers and `crls` | fetch: CRL and OCSP fetched, soft on failure, hard on revoked | off
      crls: []                             # files
      client_certs: []                     # { host, cert, key }
      fronting: refuse                     # SNI other than the CONNECT name: unrecognized_name; Host/:authority other than the leaf's name: 421. | judge
      passthrough: ["captive.apple.com", "connectivitycheck.gstatic.com"]   # must match CONNECT name and SNI
      learn_passthrough: { after: 3, for: 1h }         # see section 3 for the enforcing modes
    upstream:
      resolver: system                     # or ["9.9.9.9:53"]
      hosts: {}                            # NAME: ADDRESS or [ADDRESS, ...], before any look-up
      allow_special_use: []                # loopback, private, link-local, metadata are refused unless listed (CIDR)
    regions:
      databases: [/usr/share/tor/geoip, /usr/share/tor/geoip6]   # also *.mmdb (country, ASN); several allowed; disagreement is shown
      watch: [CN]
      sets:                                # named regions; a set entry overrides the databases for its addresses; `host` entries only add
        lab-cn: { country: CN, cidr: ["127.66.0.0/16"], asn: [], host: [] }
    devices: devices/                      # one YAML per device
    rules: [rules/default.yaml]
    inspect:
      window: 64KiB
      hold_limit: 1MiB
      decoded_limit: 8MiB                  # per flow and direction; with depth, ratio and time: beyond it the rule's `otherwise`, in record a note
      depth: 8
      ratio: 100
      time: 250ms
      inspectors: all                      # or a list of names; `doctor` lists them
      icap: []                             # { name, url, mode: reqmod | respmod, timeout: 5s, on_error: block | bypass }
      processes: []                        # { name, command: [...], timeout: 5s, on_error: block | bypass }; on_error defaults to block in enforcing modes
    case: { dir: cases, name: auto, max_size: 20GiB, max_age: null, evidence: required, fsync: 1s, wire: true, encrypt_key: null, tsa: null }
    #       evidence required: back-pressure | best-effort: drop and count. wire: keep the device leg's TLS records and keys for pcapng
    timeouts: { dns: 5s, connect: 10s, handshake: 10s, header: 15s, response: 60s, idle: 5m }
    loops: auto                            # event loops; a number pins it
    log: { level: info, format: text }     # text | json; never payload, credentials or keys

    """

  static let rules = """
    version: 1
    rules:
      - id: identifiers-to-watched-regions
        description: Hardware and subscriber identifiers bound for a watched region
        when:                               # keys are AND, lists are OR
          region: [watched]                 # country codes, set names, watched, local, unknown
          direction: request
          finding: [imei, meid, imsi, iccid, msisdn, contact_phone, contact_name, sms_text, serial, android_id, wifi_mac]
          unless: { host: ["*.updates.example"] }
        then: redact
        otherwise: block
        severity: high
      - id: uploads
        when: { region: [watched], method: [POST, PUT], size: ">=256KiB" }
        then: block
      - id: home-rolled-crypto
        when: { region: [watched], finding: [opaque] }
        then: redact
        otherwise: block                    # nothing to replace in it: blocked in redact and block mode, recorded in record

    """

  static let device = """
    name: redmi
    match: { ip: "192.168.1.23" }           # or mac, proxy user
    identifiers:
      imei: ["490154203237518"]
      imsi: ["466920123456789"]
      iccid: ["8988692000000000001"]
      msisdn: ["+886912345678"]             # national and international spellings are derived
      android_id: ["9774d56d682e549c"]      # also meid serial gaid oaid wifi_mac bt_mac bssid ssid email account_id gps carrier
                                            # contact_name contact_phone sms_text app_list browsing_url clipboard: each a list of strings
    canary: { contact: [{ name: "Tide Waiter QX7", phone: "+886955555501" }], sms: ["TW-CANARY-7F3K"] }
    sdk_keys: []                            # { name: vendor-sdk, alg: AES-128-ECB-PKCS7, key_hex: "…" }: for payloads encrypted inside TLS

    """
}
