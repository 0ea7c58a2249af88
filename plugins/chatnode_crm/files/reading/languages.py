"""Which letters languages write beside a to z, the most frequent first where they are many.

By these the encoding of a text is recognized.
"""

from __future__ import annotations

WESTERN = {
    "French": "éèêëàâçîïôùûüœæ",
    "German": "äöüß",
    "Spanish": "áéíóúñü",
    "Italian": "àèéìòù",
    "Portuguese": "áâãàçéêíóôõú",
    "Dutch": "éëïöüè",
    "Swedish": "åäöé",
    "Danish": "æøåé",
    "Icelandic": "áíúóéöæðþý",
    "Catalan": "àçèéíïòóúü",
}
CENTRAL = {
    "Polish": "ąćęłńóśźż",
    "Czech": "áčďéěíňóřšťúůýž",
    "Slovak": "áäčďéíĺľňóôŕšťúýž",
    "Hungarian": "áéíóöőúüű",
    "Croatian": "čćđšž",
    "Romanian": "ăâîşţ",
    "German": "äöüß",
}
TURKISH = {"Turkish": "ışğüöçâî"}
BALTIC = {"Lithuanian": "ąčęėįšųūž", "Latvian": "āčēģīķļņšūž", "Estonian": "äõöüšž"}
RUSSIAN = {"Russian": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё"}
CYRILLIC = {
    **RUSSIAN,
    "Ukrainian": "оаинтівреслкмудпьязбгчйхжшцющїєфґ",
    "Bulgarian": "аиоентрсвлкдпмзяъбугчцжйщхфшюь",
    "Serbian": "аиоентрсвјкдпмзбугљчцжњхфшћђџ",
    "Belarusian": "анеіотрскліўмпдябыугзьчцйхжшюэфё",
}
GREEK = {"Greek": "αοιετσάνόίέρήπκμλςύώυηωδγχθφβξζψϊϋΐΰ"}
HEBREW = {"Hebrew": "יוהלאתרבשמנעדםקחפטגכסזצןךףץ"}
ARABIC = {"Arabic": "ايلمنروتبةعدسفهكقأحجشطصىخإذزثضغءئآظؤ"}
THAI = {"Thai": "านร่กเง้มยลวัดีทสตอะิปบคหื์แจุพชข็ูใไโผฉซถธณศภฟญฐฏฎฑฒฌฆฝฮฬๆ"}

ENCODINGS: tuple[tuple[str, dict[str, str]], ...] = (
    ("cp1252", WESTERN),
    ("cp1250", CENTRAL),
    ("cp1251", CYRILLIC),
    ("koi8_u", CYRILLIC),
    ("iso8859_2", CENTRAL),
    ("cp1254", TURKISH),
    ("cp1253", GREEK),
    ("iso8859_7", GREEK),
    ("iso8859_15", WESTERN),
    ("mac_roman", WESTERN),
    ("cp850", WESTERN),
    ("cp852", CENTRAL),
    ("mac_latin2", CENTRAL),
    ("cp866", RUSSIAN),
    ("iso8859_5", CYRILLIC),
    ("mac_cyrillic", CYRILLIC),
    ("cp1257", BALTIC),
    ("cp1255", HEBREW),
    ("cp1256", ARABIC),
    ("cp874", THAI),
)
"""Encodings of one byte a character, the likeliest first, with the languages that are written in them."""

WIDE: tuple[tuple[str, str, tuple[int, int]], ...] = (
    ("cp949", "euc_kr", (0xB0, 0xC8)),
    ("gb18030", "gb2312", (0xB0, 0xD7)),
    ("cp932", "shift_jis", (0x88, 0x97)),
    ("big5hkscs", "big5", (0xA4, 0xC6)),
    ("euc_jp", "euc_jp", (0xB0, 0xCF)),
)
"""Encodings of several bytes a character; the first byte that the common characters have in the basic one."""
