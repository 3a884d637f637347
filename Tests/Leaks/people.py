"""A made-up phone and its owner: every value random from the seed, none of a real device."""

import dataclasses
import uuid

# Calling code, trunk prefix, mobile numbers without it (x: any digit), MCC, MNC, a city, operator, names.
COUNTRIES = {
    "TW": ("886", "0", "9xxxxxxxx", "466", "92", (25.0478, 121.5319), "Strait Mobile", "王 李 張 陳 楊 黃 周 吳", "怡君 志明 家豪 淑芬 雅婷 冠宇 詩涵"),
    "CN": ("86", "0", "13xxxxxxxxx", "460", "00", (31.2304, 121.4737), "River Delta Tel", "刘 赵 孙 马 朱 胡 郭", "建国 晓明 丽华 志强 秀英 海燕"),
    "JP": ("81", "0", "90xxxxxxxx", "440", "10", (35.6812, 139.7671), "Tokai Denwa", "佐藤 鈴木 高橋 渡辺 伊藤", "陽菜 蓮 結衣 大翔 さくら"),
    "DE": ("49", "0", "151xxxxxxxx", "262", "01", (52.5200, 13.4050), "Rheinfunk", "Müller Weiß Schröder Vogel Krüger", "Jürgen Annika Björn Käthe Lukas"),
    "EE": ("372", "", "5xxxxxxx", "248", "01", (59.4370, 24.7536), "Läänemere Mobiil", "Tamm Mägi Õunapuu Kask Põder", "Jaan Kristiina Mõtus Ülle Rasmus"),
    "BR": ("55", "", "119xxxxxxxx", "724", "05", (-23.5505, -46.6333), "Ipê Celular", "Gonçalves Araújo Conceição Lima", "João Inês Antônio Letícia Caio"),
    "IN": ("91", "0", "98xxxxxxxx", "404", "45", (12.9716, 77.5946), "Deccan Wireless", "शर्मा पटेल राव गुप्ता", "अनिल प्रिया विजय सुनीता"),
    "UA": ("380", "0", "67xxxxxxx", "255", "03", (50.4501, 30.5234), "Дніпро Зв'язок", "Шевченко Бондар Кравчук", "Олена Тарас Оксана Богдан"),
    "GB": ("44", "0", "7700xxxxxx", "234", "15", (51.5072, -0.1276), "Tideway Cellular", "Ashdown Fairweather Pemberton", "Imogen Rupert Saoirse Callum"),
    "KR": ("82", "0", "10xxxxxxxx", "450", "05", (37.5665, 126.9780), "Hangang Tel", "김 이 박 최 정", "서연 민준 지우 하준 예린"),
}
PACKAGES = ("org.harbour.chat", "com.lantern.wallet", "net.tidebank.mobile", "io.quietpost.mail", "com.kelp.fitness", "org.buoy.vpn",
            "com.gull.dating", "app.mussel.notes", "com.northpier.clinic", "org.saltmarsh.radio", "com.estuary.news", "net.dune.games")
MESSAGES = {
    "cjk": ("下班後在碼頭見，帶上那封信。", "醫生說報告星期四出來，先別告訴爸爸。"),
    "hans": ("周五晚上老地方见，别告诉别人。", "化验结果明天出来，记得带身份证。"),
    "latin": ("Meet me behind the fish market at nine, come alone.", "The locker code is heron-41-quill, burn this."),
}


def luhn_digit(digits):
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if index % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def with_luhn(digits):
    return digits + luhn_digit(digits)


def digits(random, count):
    return "".join(random.choice("0123456789") for _ in range(count))


def hexadecimal(random, count):
    return "".join(random.choice("0123456789abcdef") for _ in range(count))


def mac(random):
    """A universally administered unicast address: what a radio's maker has assigned."""
    first = random.randrange(256) & 0xFC
    return ":".join(f"{octet:02x}" for octet in (first or 0x28, *(random.randrange(1, 255) for _ in range(5))))


def imei(random):
    return with_luhn("35" + digits(random, 12))


@dataclasses.dataclass(frozen=True)
class Number:
    """A telephone number in its parts."""

    code: str
    trunk: str
    rest: str

    @property
    def e164(self):
        return f"+{self.code}{self.rest}"

    @property
    def national(self):
        return self.trunk + self.rest


def number(random, country):
    code, trunk, shape = COUNTRIES[country][:3]
    return Number(code, trunk, "".join(random.choice("123456789") if letter == "x" else letter for letter in shape))


def person(random):
    """A profile in the public split's layout, and the home country's code."""
    country = random.choice(sorted(COUNTRIES))
    _, _, _, mcc, mnc, (latitude, longitude), carrier, families, givens = COUNTRIES[country]
    contacts = []
    for home in [country] * 6 + random.sample(sorted(COUNTRIES), 4):
        family, given = (random.choice(COUNTRIES[home][index].split()) for index in (7, 8))
        name = family + given if home in ("TW", "CN", "JP", "KR") else f"{given} {family}"
        # two letters of their own, so that no name is another's, nor a word that a text holds by chance
        name += random.choice("ABCDEFGH") + random.choice("jkmnpqrs") if home not in ("TW", "CN", "JP", "KR") else random.choice("岡崙澔璟")
        phone = number(random, home)
        contacts.append({"name": name, "home": home, "phone": {"e164": phone.e164, "national": phone.national}})
    own = number(random, country)
    word = random.choice(("heron", "cormorant", "sandpiper", "kittiwake"))
    script = {"TW": "cjk", "CN": "hans"}.get(country, "latin")
    profile = {
        "country": country,
        "device": {
            "imei": [imei(random), imei(random)], "meid": "A0" + hexadecimal(random, 12).upper(),
            "serial": random.choice(("RF", "K7", "M3")) + hexadecimal(random, 8).upper(), "android_id": hexadecimal(random, 16),
            "gaid": str(uuid.UUID(int=random.getrandbits(128), version=4)), "oaid": hexadecimal(random, 16),
            "wifi_mac": mac(random), "bt_mac": mac(random)},
        "sim": {"imsi": mcc + mnc + digits(random, 15 - len(mcc + mnc)), "carrier": carrier,
                "iccid": with_luhn(f"89{COUNTRIES[country][0]}" + digits(random, 16 - len(COUNTRIES[country][0]))),
                "msisdn": {"e164": own.e164, "national": own.national}},
        "contacts": contacts,
        "sms": [{"peer": contacts[index]["phone"]["e164"], "text": text} for index, text in
                enumerate((MESSAGES[script][0], MESSAGES["latin"][1]))],
        "wifi": {"ssid": f"{word.title()} Nest {digits(random, 3)}", "bssid": mac(random)},
        "location": {"lat": round(latitude + random.uniform(-0.05, 0.05), 6), "lon": round(longitude + random.uniform(-0.05, 0.05), 6)},
        "accounts": {"email": [f"{word}.{hexadecimal(random, 5)}@letterbox.example"], "mi_id": "7" + digits(random, 8)},
        "apps": list(PACKAGES),
        "browsing": [f"https://ward.{word}-clinic.example/results/hiv?case={digits(random, 6)}",
                     f"https://{word}-press.example/2026/whistle/{hexadecimal(random, 6)}"],
        "clipboard": [f"vault {word} {hexadecimal(random, 4)} orchard mast 9!"],
        "sdk_keys": [{"name": f"{alg.lower()}-sdk", "alg": alg, "key_hex": hexadecimal(random, count)} for alg, count in (
            ("AES-128-ECB-PKCS7", 32), ("AES-256-CBC-PKCS7", 64), ("DES-ECB-PKCS7", 16), ("TEA-ECB-PKCS7", 32))],
    }
    return profile
