"""The encoding of a text is found in its bytes, and no byte of it is lost."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .reading import read, refused

NAMES = {
    "French": "François Élodie Gérard Thérèse Noël Hélène Besançon Orléans Léa Gaëlle Benoît",
    "German": "Müller Schäfer Köhler Größe Straße Jürgen Jörg Düsseldorf München Köln Weiß",
    "Spanish": "Muñoz García José Martínez Rodríguez Peña Núñez Málaga Córdoba Ángel",
    "Danish": "Søren Jørgensen Kærgaard Østergaard Århus København Møller Bjørn Ærø",
    "Polish": "Wałęsa Wiśniewski Wójcik Kamiński Zieliński Szymański Woźniak Łukasz Małgorzata Łódź",
    "Czech": "Dvořák Novák Svobodová Černý Němec Růžička Kučera Šťastný Jiří Ondřej Plzeň",
    "Hungarian": "Kovács Tóth Szabó Horváth Győr Pécs Székesfehérvár Gergő Erzsébet Sándor Bősze Fűzfa",
    "Russian": "Иванов Пётр Сидоров Москва Алексей Наталья Кузнецов Новосибирск Щукин Ольга",
    "Ukrainian": "Шевченко Київ Тарас Їжак Ігор Одеса Харків Олексій Євген",
    "Greek": "Παπαδόπουλος Γεώργιος Αθήνα Θεσσαλονίκη Ελένη Κωνσταντίνος Ιωάννης",
    "Turkish": "Yılmaz Şahin Öztürk Çelik İstanbul Ağrı Gökçe Ümit Kılıç Doğan",
    "Japanese": "山田 太郎 佐藤 花子 鈴木 東京都 大阪市 株式会社 タナカ さくら 高橋 健一",
    "Chinese": "王小明 李娜 北京 上海 张伟 刘洋 有限公司 广州 陈静 深圳 赵敏",
    "Taiwanese": "王小明 李淑芬 台北市 陳怡君 高雄 股份有限公司 林志玲",
    "Korean": "김민수 이영희 서울 부산 박지성 최수진 주식회사 정우성",
    "Hebrew": "כהן לוי ירושלים תל אביב משה",
    "Arabic": "محمد أحمد القاهرة علي حسن الرياض",
}
ENCODED = [
    *[(language, "cp1252") for language in ("French", "German", "Spanish", "Danish")],
    *[(language, "mac_roman") for language in ("French", "German", "Spanish")],
    *[(language, "cp850") for language in ("French", "German")],
    *[(language, encoding) for language in ("Polish", "Czech", "Hungarian") for encoding in ("cp1250", "iso8859_2")],
    *[("Russian", encoding) for encoding in ("cp1251", "koi8_r", "cp866", "iso8859_5")],
    ("Ukrainian", "cp1251"), ("Ukrainian", "koi8_u"), ("Greek", "cp1253"), ("Greek", "iso8859_7"),
    ("Turkish", "cp1254"), ("Japanese", "cp932"), ("Japanese", "euc_jp"), ("Japanese", "iso2022_jp"),
    ("Chinese", "gb18030"), ("Taiwanese", "big5"), ("Korean", "cp949"), ("Hebrew", "cp1255"), ("Arabic", "cp1256"),
]  # fmt: skip
UNICODE = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]


def table(language: str, rows: int, seed: int = 0) -> str:
    """A table of contacts with names of a language."""
    words, chosen = NAMES[language].split(), random.Random(seed)
    lines = ["First Name,Last Name,E-mail,Phone,City"]
    for number in range(rows):
        first, last, city = chosen.sample(words, 3) if len(words) > 2 else words * 3
        lines.append(f"{first},{last},user{number}@example.com,+3361234{number:04},{city}")
    return "\r\n".join(lines) + "\r\n"


@pytest.mark.parametrize(("language", "encoding"), ENCODED)
@pytest.mark.parametrize("rows", [6, 60])
def test_the_encodings_of_countries(language: str, encoding: str, rows: int, tmp_path: Path) -> None:
    text = table(language, rows, seed=1)
    found = read(tmp_path, text.encode(encoding))
    assert [",".join(values) for values in found.values] == text.split("\r\n")[1:-1]
    assert found.codes == []


@pytest.mark.parametrize("language", NAMES)
@pytest.mark.parametrize("encoding", UNICODE)
def test_unicode_with_and_without_a_mark(language: str, encoding: str, tmp_path: Path) -> None:
    text = table(language, 5)
    name = "utf-32-be" if encoding == "utf-32-be" else encoding
    content = text.encode(name) if encoding != "utf-32-be" else "\ufeff".encode(name) + text.encode(name)
    found = read(tmp_path, content)
    assert found.columns == ["First Name", "Last Name", "E-mail", "Phone", "City"]
    assert [",".join(values) for values in found.values] == text.split("\r\n")[1:-1]


def test_one_letter_late_in_a_long_file(tmp_path: Path) -> None:
    content = b"email,name\n" + b"a@example.com,Ann\n" * 20_000 + "z@example.com,José\n".encode("cp1252")
    assert read(tmp_path, content).values[-1] == ["z@example.com", "José"]


def test_a_few_bytes_of_another_encoding_are_read_and_said(tmp_path: Path) -> None:
    content = "email,name\na@example.com,Zoë\n".encode() * 3 + "b@example.com,José\n".encode("cp1252")
    found = read(tmp_path, content)
    assert found.values[-1] == ["b@example.com", "José"]
    assert [(code, found.rows[number - 1].faults[0].warning) for number, code in found.codes] == [("encoding", True)]
    assert found.table.notes == ("some bytes are not utf-8; they are read as cp1252",)


def test_a_file_that_only_says_it_is_utf_8(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf" + "email,name\na@b.de,José\n".encode("cp1252")).values == [["a@b.de", "José"]]


def test_the_encoding_can_be_chosen(tmp_path: Path) -> None:
    content = "email,name\na@b.de,Ћ\n".encode("cp1251")
    assert read(tmp_path, content, encoding="windows-1251").values == [["a@b.de", "Ћ"]]


def test_a_wrong_choice_is_a_fault_of_the_rows_where_it_matters(tmp_path: Path) -> None:
    content = "email,name\na@b.de,Ann\nb@b.de,José\n".encode("cp1252")
    found = read(tmp_path, content, encoding="utf-8")
    assert found.values == [["a@b.de", "Ann"], ["b@b.de", "Jos\ufffd"]]
    assert found.codes == [(2, "encoding")]
    assert not found.rows[1].faults[0].warning


@pytest.mark.parametrize("name", ["nonsense", "idna", "rot13", "base64", "zlib", "utf-7", "undefined", ""])
def test_a_choice_that_is_no_encoding(name: str, tmp_path: Path) -> None:
    assert refused(tmp_path, b"email\na@b.de\n", encoding=name).code == "bad_option"


def test_utf_16_that_is_cut_says_so(tmp_path: Path) -> None:
    error = refused(tmp_path, "email,name\na@b.de,José\n".encode("utf-16")[:-1])
    assert error.code == "encoding"


def test_nuls_in_a_text_do_not_make_it_utf_16(tmp_path: Path) -> None:
    found = read(tmp_path, b"email,name\na@b.de,A\0nn\nb@b.de,Bob\0\n")
    assert found.values == [["a@b.de", "A\0nn"], ["b@b.de", "Bob\0"]]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"O\x92Brien", "O’Brien"), (b"\x93Big\x94 Pat", "“Big” Pat"), (b"Pat \x96 or Patricia", "Pat – or Patricia"),
        (b"1\xbd or \xb13", "1½ or ±3"), (b"120 m\xb2", "120 m²"), (b"3 \xd7 5 km\xb2", "3 × 5 km²"),
        (b"Pawe\xb3", "Paweł"), (b"du\xbf\xb1", "dużą"),  # of Poland
        (b"pays 50 \x80", "pays 50 €"), (b"owes \xa3500", "owes £500"), (b"Pat\xae", "Pat®"),
        (b"B\x84r", "Bär"),  # of DOS: nobody writes a quote there
    ],
)  # fmt: skip
def test_quotes_and_currencies_of_windows(content: bytes, name: str, tmp_path: Path) -> None:
    found = read(tmp_path, b"first name,last name,email\n" + content + b",Lee,pat@example.com\n")
    assert found.values == [[name, "Lee", "pat@example.com"]]


def test_a_few_words_in_capitals(tmp_path: Path) -> None:
    """Each two of their letters are also a Chinese sign."""
    found = read(tmp_path, "last name,email\nИВАНОВ,a@example.com\nКУЗНЕЦОВ,b@example.com\n".encode("cp1251"))
    assert [values[0] for values in found.values] == ["ИВАНОВ", "КУЗНЕЦОВ"]


def test_a_long_line_without_other_letters_takes_no_longer_than_others(tmp_path: Path) -> None:
    note = b"x" * 90_000
    content = b"email,name,notes\nann@example.com,Ann," + note + b"\nbob@example.com,Jos\xe9,\n"
    found = read(tmp_path, content)
    assert [values[1] for values in found.values] == ["Ann", "José"]


def test_the_mark_at_the_end_of_files_of_dos_is_no_row(tmp_path: Path) -> None:
    assert len(read(tmp_path, b"email,name\r\nann@example.com,Ann\r\n\x1a").rows) == 1
