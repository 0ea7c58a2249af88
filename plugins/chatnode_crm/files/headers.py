"""Names that columns have in files of contacts, and the fields that they mean.

Facts: the words of people and programs in many languages, and the columns of the exports of Google, Outlook, Mailchimp,
HubSpot, Listmonk and the like.
"""

from __future__ import annotations

import re
from functools import cache

from chatnode_crm.contacts.values.text import words_only

FULL_NAME = "full_name"
TAGS = "tags"
LISTS = "lists"
IGNORE = "ignore"
ERROR_COLUMNS = ("_row", "_line", "_field", "_code", "_message")
"""Columns of a file of errors that say what is wrong; a file with them is read without them."""

_NAMES: dict[str, str] = {
    "email": """
        email|e-mail|mail|emails|email address|e-mail address|mail address|email addresses|primary email|work email
        |home email|personal email|business email|contact email|email 1|email 1 - value|e-mail 1 - value|email1
        |e-mail 1 value|subscriber email|user email|login email|email id|emailadresse|e-mail-adresse|mailadresse
        |e-mailadresse|adresse e-mail|adresse email|adresse mail|adresse électronique|courriel|adresse courriel|mél
        |correo|correo electrónico|dirección de correo|dirección de correo electrónico|email principal
        |posta elettronica|indirizzo e-mail|indirizzo email|indirizzo di posta elettronica|endereço de e-mail
        |endereço de email|correio eletrónico|correio eletrônico|e-mailadres|emailadres|adres e-mail|adres email
        |adres mailowy|poczta elektroniczna|электронная почта|почта|эл. почта|эл почта|адрес электронной почты
        |емейл|имейл|e-mail адрес|е-мейл|электронный адрес|邮箱|电子邮箱|电子邮件|邮件|邮箱地址|电子邮件地址
        |電子郵件|電郵|信箱|メール|メールアドレス|eメール|이메일|이메일 주소|메일
        |e-posta|eposta|e-post|epost|e-postadress|sähköposti
        |електронна пошта|ηλεκτρονικό ταχυδρομείο|البريد الإلكتروني|דוא"ל|אימייל
    """,
    "external_id": """
        external id|external_id|externalid|ext id|id|uid|uuid|guid|contact id|customer id|client id|record id|user id
        |subscriber id|leid|euid|reference|ref|customer number|customer no|kundennummer|kunden-nr|kundennr|kunden nr
        |kunden-id|externe id|referenz|numéro client|n° client|no client|identifiant|identifiant externe|id externe
        |référence|número de cliente|nº cliente|id externo|identificador|referencia|codice cliente|id esterno
        |numero cliente|riferimento|código do cliente|número do cliente|klantnummer|extern id|referentie|numer klienta
        |identyfikator|id klienta|номер клиента|идентификатор|внешний id|客户编号|编号|客户id|外部id|外部編號|顧客番号
        |record id - contact
    """,
    "first_name": """
        first name|firstname|first|fname|given name|given names|givenname|forename|christian name|name - first|merge1
        |vorname|rufname|vornamen|prénom|prenom|prénoms|nombre|nombre de pila|primer nombre|nombres|nome|primo nome
        |nome proprio|nome próprio|primeiro nome|voornaam|roepnaam|imię|imie|имя|имя контакта|名|名字|given|名前(名)
        |이름|ad|fornavn|förnamn|etunimi|ім'я|όνομα|الاسم الأول|שם פרטי|jméno|křestní jméno|keresztnév|utónév|prenume
    """,
    "last_name": """
        last name|lastname|last|lname|surname|family name|familyname|second name|name - last|merge2|nachname
        |familienname|zuname|nom|nom de famille|nom famille|apellido|apellidos|primer apellido|cognome|sobrenome|apelido
        |último nome|achternaam|familienaam|nazwisko|фамилия|姓|姓氏|surnames|family|성|soyad|soyadı|etternavn|efternavn
        |efternamn|sukunimi|прізвище|επώνυμο|اسم العائلة|שם משפחה|příjmení|vezetéknév|családnév|nume|nume de familie
    """,
    FULL_NAME: """
        name|full name|fullname|display name|displayname|contact name|contact|customer name|client name|person
        |your name|subscriber name|formatted name|fn|vollständiger name|anzeigename|vor- und nachname|kontakt
        |kundenname|ansprechpartner|nom complet|nom et prénom|prénom et nom|nom prénom|nombre completo
        |nombre y apellidos|nombre y apellido|nome completo|nome e cognome|nome e sobrenome|nominativo|volledige naam
        |naam|imię i nazwisko|pełna nazwa|полное имя|фио|ф. и. о.|имя и фамилия|контактное лицо|姓名|全名
        |联系人|联系人姓名|聯絡人|氏名|お名前|名前|성명|고객명|ad soyad|navn|namn|fullt navn|nimi|піб
    """,
    "company": """
        company|company name|organization|organisation|organization name|organisation name|organization 1 - name
        |account|account name|employer|business|business name|firm|workplace|org|associated company|firma|firmenname
        |unternehmen|unternehmensname|gesellschaft|société|societe|entreprise|nom de l'entreprise|raison sociale
        |nom de la société|organisme|empresa|compañía|nombre de la empresa|nombre de empresa|organización|razón social
        |azienda|società|ditta|ragione sociale|nome azienda|organizzazione|companhia|organização|nome da empresa
        |bedrijf|bedrijfsnaam|organisatie|nazwa firmy|przedsiębiorstwo|organizacja|компания|организация
        |название компании|фирма|наименование организации|公司|公司名称|单位|企业|企业名称|公司名稱|会社|会社名|組織
        |회사|회사명|şirket|firma adı|företag|yritys|компанія|εταιρεία|الشركة|חברה
    """,
    "phone": """
        phone|phone number|telephone|telephone number|tel|tel.|tel no|phone no|mobile|mobile phone|mobile number|cell
        |cell phone|cellphone|cell number|primary phone|home phone|work phone|business phone|office phone|main phone
        |phone 1 - value|phone 1|phone1|contact number|contact phone|whatsapp|whatsapp number|msisdn|sms|gsm|sms phone
        |telefon|telefonnummer|telefon-nr|telefonnr|rufnummer|handy|handynummer|mobil|mobiltelefon|mobilnummer|festnetz
        |telefon geschäftlich|telefon privat|téléphone|telephone|numéro de téléphone|n° de téléphone|no de téléphone
        |portable|téléphone portable|téléphone mobile|téléphone fixe|mobile 1|teléfono|telefono|número de teléfono
        |móvil|teléfono móvil|celular|teléfono celular|cellulare|numero di telefono|telefono cellulare|numero telefono
        |telefone|número de telefone|telemóvel|fone|telefoon|telefoonnummer|mobiel|mobiele telefoon|mobiel nummer
        |numer telefonu|telefon komórkowy|komórka|nr telefonu|телефон|номер телефона|мобильный телефон|мобильный
        |тел|тел.|сотовый|рабочий телефон|电话|电话号码|手机|手机号|手机号码|联系电话|電話|電話號碼|手機|行動電話
        |電話番号|携帯電話|携帯
        |전화|전화번호|휴대폰|휴대전화|telefon numarası|cep telefonu|puhelin|telefonszám|τηλέφωνο|الهاتف|טלפון
    """,
    "country": """
        country|country name|country/region|country or region|country code|nation|address country|home country
        |business country|address 1 - country|mailing country|home country/region|business country/region
        |country of residence|land|land/region|staat|pays|pays/région|pays de résidence|país|pais|país/región
        |país o región|paese|nazione|stato|país/região|kraj|państwo|kraj/region|страна|страна/регион|国家|国家/地区|國家
        |国|国/地域|국가|나라|ülke|maa|країна|χώρα|البلد|מדינה|země|ország|țară
    """,
    "city": """
        city|town|city/town|town/city|locality|municipality|address city|home city|business city|address 1 - city
        |mailing city|location city|stadt|ort|wohnort|ort/stadt|ville|commune|localité|ciudad|localidad|población
        |municipio|città|citta|comune|località|cidade|município|stad|plaats|woonplaats|gemeente|miasto|miejscowość|город
        |населенный пункт|населённый пункт|城市|市|城鎮|都市|市区町村|市町村|도시|시|şehir|il|stad/ort|by|kaupunki
        |місто|πόλη|المدينة|עיר|město|város|oraș|poststed
    """,
    "description": """
        description|notes|note|comment|comments|remarks|remark|memo|about|bio|background|beschreibung|notiz|notizen
        |bemerkung|bemerkungen|kommentar|anmerkung|anmerkungen|remarques|remarque|commentaire|commentaires|descripción
        |notas|nota|comentario|comentarios|observaciones|descrizione|commenti|commento|descrição|comentários
        |observações|omschrijving|notitie|notities|opmerking|opmerkingen|beschrijving|opis|notatka|notatki|uwagi
        |komentarz|описание|заметки|заметка|примечание|примечания|комментарий|комментарии|描述|备注|说明|备注信息|備註|メモ
        |備考|説明|메모|비고|설명|açıklama|not|notlar|beskrivelse|beskrivning|kuvaus
    """,
    TAGS: """
        tags|tag|labels|label|categories|category|keywords|schlagworte|schlagwörter|kategorien|kategorie|étiquettes
        |étiquette|catégories|catégorie|mots-clés|etiquetas|etiqueta|categorías|categoría|etichette|etichetta|categorie
        |categoria|marcadores|categorias|labels/tags|trefwoorden|etykiety|etykieta|tagi|znaczniki|теги|тег|метки|метка
        |категории|категория|标签|標籤|分类|タグ|ラベル|カテゴリ|태그|etiketler
    """,
    LISTS: """
        lists|list|group membership|groups|group|mailing lists|mailing list|audience|segments|newsletters|listen|liste
        |gruppen|gruppe|verteiler|verteilerliste|listes|groupes|groupe|listas|lista|grupos|grupo|elenchi|gruppi|gruppo
        |lijsten|lijst|groepen|listy|grupy|списки|список|группы|группа|列表|群组|分组|名单|群組|リスト|グループ|목록|그룹
    """,
    IGNORE: """
        created at|updated at|created|modified|last modified|optin time|optin ip|confirm time|confirm ip|last changed
        |latitude|longitude|gmtoff|dstoff|timezone|cc|region|member rating|attributes|photo|status|e-mail 1 - label
        |email 1 - label|phone 1 - label|e-mail 1 - type|phone 1 - type|_row|_line|_field|_code|_message|create date
        |source|chatnode id
    """,
}
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def fold(text: str) -> str:
    """A name without case, accents and punctuation: "E-Mail_Adresse:" is "e mail adresse"."""
    return words_only(_CAMEL.sub(" ", text))


@cache
def known_names() -> dict[str, str]:
    """The field for each folded name. The first field has a name that several have."""
    found: dict[str, str] = {}
    for field, names in _NAMES.items():
        for name in names.replace("\n", "").split("|"):
            for spelling in (fold(name), fold(name).replace(" ", "")):
                found.setdefault(spelling, field)
    return found


def field_of(header: str) -> str | None:
    """The field that a header names, exactly."""
    folded = fold(header)
    return known_names().get(folded) or known_names().get(folded.replace(" ", ""))
