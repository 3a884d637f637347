/// The names by which leaves are known, without separators and in lower case.
enum LeafNames {
  /// What a name of this hash is about; most names are about nothing here, and one bit says so.
  static func topics(_ hash: UInt64) -> LeafTopics {
    let bit = Int(truncatingIfNeeded: hash >> 20) & 4_095
    guard self.filter[bit >> 6] & 1 << UInt64(bit & 63) != 0 else { return [] }
    return self.table[hash] ?? []
  }

  private static let table: [UInt64: LeafTopics] = {
    var table: [UInt64: LeafTopics] = [:]
    for (topic, names) in Self.names {
      for name in names.split(whereSeparator: \.isWhitespace) {
        table[NameHash.of(name.utf8), default: []].formUnion(topic)
      }
    }
    return table
  }()

  private static let filter: [UInt64] = {
    var words = [UInt64](repeating: 0, count: 64)
    for hash in Self.table.keys {
      let bit = Int(truncatingIfNeeded: hash >> 20) & 4_095
      words[bit >> 6] |= 1 << UInt64(bit & 63)
    }
    return words
  }()

  private static let names: [(LeafTopics, String)] = [
    (
      .phone,
      """
      phone phones phonenumber phonenumbers phonenum phoneno phonelist tel tels telephone
      telephonenumber telno telnum mobile mobiles mobilephone mobilenumber mobileno mobilenum cell
      cellphone cellnumber msisdn msisdns contactnumber contactphone contactno contacttel callnumber
      calleenumber callernumber callednumber callingnumber dialednumber peernumber peerphone smsnumber
      smsaddress smscsender fromnumber tonumber destinationnumber sendernumber recipientnumber
      line1number line1 ownnumber simnumber mynumber selfnumber handphone celular telefon telefono
      """
    ),
    (
      .own,
      "own self my mine msisdn msisdns line1 line1number ownnumber simnumber mynumber selfnumber sim"
    ),
    (
      .partner,
      """
      peer peers caller callee sender recipient recipients receiver contact contacts dialed dialled
      called calling callfrom callto smsfrom smsto from to counterpart correspondent
      """
    ),
    (
      .service,
      """
      hotline hotlines fax support service services customer customerservice help helpline helpdesk
      emergency feedback complaint complaints shop store stores merchant vendor company office
      business order invoice tracking carrierservice tollfree
      """
    ),
    (.generic, "number num no value val v data text content item"),
    (
      .personName,
      """
      name displayname contactname fullname realname nick nickname firstname lastname givenname
      familyname fn personname contact
      """
    ),
    (
      .packages,
      """
      apps applist packages packagelist pkgs pkglist packagenames installed installedapps
      installedpackages installedapplist installedapplications runningapps applications appnames
      """
    ),
    (
      .visited,
      """
      visited visitedurl visitedurls visits visit history browsinghistory browserhistory urlhistory
      pageurl pageurls currenturl weburl tabs taburl bookmarks bookmark browsing browsed searchhistory
      """
    ),
    (.url, "url urls uri link href page address u"),
    (.password, "password passwd pwd passphrase userpassword loginpassword pass"),
    (.latitude, "lat latitude glat weidu latitudee7 latitudee6 late"),
    (.longitude, "lng lon long longitude glng jingdu longitudee7 longitudee6 lnge lone"),
    (
      .imei,
      "imei imeis imeisv imeilist deviceimei imeinumber imeino phoneimei slotimei"
    ),
    (.meid, "meid meids devicemeid"),
    (.imsi, "imsi imsis subscriberid simimsi imsinumber"),
    (
      .gaid,
      """
      gaid advertisingid googleadid googleadvertisingid adid gpsadid aaid idfa androidadid advertiserid
      googleaid
      """
    ),
    (.oaid, "oaid oaids openanonymousid"),
    (.androidID, "androidid ssaid androiddeviceid secureandroidid"),
    (
      .serial,
      "serial serialnumber serialno serialnum deviceserial hwserial hardwareserial buildserial sn"
    ),
    (.account, "accountid miid xiaomiid huaweiid oppoid vivoid miaccount miaccountid"),
    (.ssid, "ssid wifissid wifiname connectedssid networkssid apname"),
    (
      .radio,
      "rssi signal signalstrength level dbm freq frequency channel bssid bssids wifichannel signallevel"
    ),
    (
      .wifiMAC,
      "mac macs macaddr macaddress wifimac wlanmac wifimacaddress wlanaddr hwaddr lladdr devicemac"
    ),
    (.bluetoothMAC, "btmac btaddr bluetoothmac bluetoothaddress btaddress blemac btmacaddress"),
    (.bssid, "bssid bssids apmac routermac gatewaymac"),
    (
      .token,
      """
      signature sig sign sigs token tokens accesstoken refreshtoken idtoken sessiontoken csrf csrftoken
      authorization publickey pubkey cert certificate key assertion attestation ticket nonce hmac
      """
    ),
  ]
}
