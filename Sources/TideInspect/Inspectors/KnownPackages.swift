import TideCore

/// Packages that many phones have, by their names in the public stores: three of them are what somebody
/// has installed, and no part of an app that talks.
enum KnownPackages {
  /// Whether a name is one of them.
  static func contain(_ name: Bytes) -> Bool { self.all.contains(name) }

  private static let all = Set(
    Self.names.split(whereSeparator: \.isWhitespace).map { Bytes(Array($0.utf8)) }
  )

  private static let names = """
    ch.protonmail.android ch.protonvpn.android ch.threema.app cn.wps.moffice_eng co.hinge.app
    com.UCMobile com.UCMobile.intl com.activision.callofduty.shooter com.adobe.lrmobile
    com.adobe.reader com.airbnb.android com.alibaba.aliexpresshd com.alibaba.android.rimet
    com.amazon.avod.thirdpartyclient com.amazon.kindle com.amazon.mShopping.android.shopping
    com.android.chrome com.autonavi.minimap com.azure.authenticator com.badoo.mobile
    com.baidu.BaiduMap com.baidu.input com.baidu.netdisk com.baidu.searchbox com.bbm
    com.binance.dev com.bolt.client com.booking com.brave.browser com.bumble.app
    com.canva.editor com.cisco.webex.meetings com.coinbase.android com.coupang.mobile
    com.deepseek.chat com.dianping.v1 com.discord com.disney.disneyplus com.dropbox.android
    com.dts.freefireth com.duckduckgo.mobile.android com.duolingo com.ebay.mobile
    com.eg.android.AlipayGphone com.einnovation.temu com.evernote com.expressvpn.vpn
    com.facebook.katana com.facebook.lite com.facebook.mlite com.facebook.orca
    com.fitbit.FitbitMobile com.flipkart.android com.garmin.android.apps.connectmobile
    com.gojek.app com.google.android.apps.authenticator2 com.google.android.apps.bard
    com.google.android.apps.docs com.google.android.apps.fitness com.google.android.apps.maps
    com.google.android.apps.messaging com.google.android.apps.nbu.paisa.user
    com.google.android.apps.photos com.google.android.apps.tachyon
    com.google.android.apps.translate com.google.android.apps.walletnfcrel
    com.google.android.apps.youtube.music com.google.android.calendar com.google.android.gm
    com.google.android.googlequicksearchbox com.google.android.keep com.google.android.youtube
    com.grabtaxi.passenger com.grindrapp.android com.hbo.hbonow com.here.app.maps
    com.huawei.appmarket com.huawei.health com.iflytek.inputmethod com.imo.android.imoim
    com.instagram.android com.instagram.barcelona com.instagram.lite com.jingdong.app.mall
    com.kakao.talk com.king.candycrushsaga com.kingsoft.moffice_eng com.kuaishou.nebula
    com.lastpass.lpandroid com.lazada.android com.lemon.lvoverseas com.linecorp.linelite
    com.linkedin.android com.medium.reader com.mercadolibre com.mi.globalbrowser
    com.miHoYo.GenshinImpact com.microsoft.emmx com.microsoft.launcher
    com.microsoft.office.excel com.microsoft.office.outlook com.microsoft.office.word
    com.microsoft.skydrive com.microsoft.teams com.microsoft.todos com.mojang.minecraftpe
    com.mxtech.videoplayer.ad com.myntra.android com.netease.cloudmusic com.netease.mail
    com.netflix.mediaclient com.nhn.android.nmap com.nhn.android.search
    com.nianticlabs.pokemongo com.nordvpn.android com.okcupid.okcupid com.openai.chatgpt
    com.opera.browser com.opera.mini.native com.paypal.android.p2pmobile com.phonepe.app
    com.picsart.studio com.pinterest com.protonmail.android com.qiyi.video com.quora.android
    com.reddit.frontpage com.revolut.revolut com.roblox.client com.samsung.android.messaging
    com.sankuai.meituan com.sankuai.meituan.takeoutnew com.sdu.didi.psnger
    com.sec.android.app.sbrowser com.shazam.android com.shopee.br com.shopee.id com.shopee.my
    com.shopee.ph com.shopee.sg com.shopee.th com.shopee.tw com.shopee.vn com.sina.weibo
    com.skype.raider com.slack com.smile.gifmaker com.snapchat.android
    com.sohu.inputmethod.sogou com.soundcloud.android com.spotify.music com.squareup.cash
    com.ss.android.article.news com.ss.android.ugc.aweme com.ss.android.ugc.trill com.strava
    com.supercell.brawlstars com.supercell.clashofclans com.taobao.idlefish com.taobao.taobao
    com.tencent.ig com.tencent.mm com.tencent.mobileqq com.tencent.mobileqqi com.tencent.mtt
    com.tencent.news com.tencent.qqlive com.tencent.qqmusic com.tencent.tim
    com.tencent.tmgp.sgame com.tencent.wework com.tinder com.tmall.wireless
    com.touchtype.swiftkey com.transferwise.android com.tripadvisor.tripadvisor com.truecaller
    com.tumblr com.twitter.android com.ubercab com.ubercab.eats com.vanced.android.youtube
    com.venmo com.viber.voip com.vivaldi.browser com.vkontakte.android com.waze
    com.weico.international com.whatsapp com.whatsapp.w4b com.wire com.x8bit.bitwarden
    com.xiaomi.hm.health com.xiaomi.mipicks com.xiaomi.smarthome com.xingin.xhs
    com.xunmeng.pinduoduo com.yandex.browser com.youku.phone com.zhihu.android
    com.zhiliaoapp.musically com.zing.zalo com.zzkko ctrip.android.view de.number26.android
    deezer.android.app ee.mtakso.client im.vector.app in.amazon.mShopping.android.shopping
    jp.naver.line.android kik.android me.ele net.mullvad.mullvadvpn net.one97.paytm
    network.loki.messenger notion.id org.briarproject.briar.android org.joinmastodon.android
    org.mozilla.firefox org.mozilla.focus org.mozilla.klar org.telegram.messenger
    org.telegram.messenger.web org.thoughtcrime.securesms org.thunderdog.challegram
    org.torproject.android org.torproject.torbrowser org.videolan.vlc org.wikipedia
    ru.mail.mailapp ru.ok.android ru.sberbankmobile ru.yandex.searchplugin ru.yandex.taxi
    ru.yandex.yandexmaps tv.danmaku.bili tv.twitch.android.app us.zoom.videomeetings
    """
}
