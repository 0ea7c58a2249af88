"""What mails say, in the languages that there are."""

from __future__ import annotations

from chatnode.api import record


@record(frozen=True)
class MailWords:
    """The words of one language. Pairs are for one and for several; `{n}`, `{site}` and `{code}` are filled in."""

    language: str
    notifications: tuple[str, str]
    digest: tuple[str, str]
    more_messages: tuple[str, str]
    more_notifications: tuple[str, str]
    intro: str
    open: str
    footer: str
    unsubscribe: str
    code_subject: str
    code_text: str
    notice_subject: str
    notice_text: str
    test_subject: str
    test_text: str
    page_title: str
    page_question: str
    page_button: str
    page_done: str

    def count(self, pair: tuple[str, str], n: int) -> str:
        """`3 new notifications`."""
        return pair[n != 1].format(n=n)


ENGLISH = MailWords(
    language="en",
    notifications=("{n} new notification", "{n} new notifications"),
    digest=("Digest: {n} unread notification", "Digest: {n} unread notifications"),
    more_messages=("+{n} more message", "+{n} more messages"),
    more_notifications=("and {n} more", "and {n} more"),
    intro="While you were away from {site}:",
    open="Open",
    footer="You receive these emails because your account at {site} is set to send them. Replies are not read.",
    unsubscribe="Unsubscribe",
    code_subject="{code} is your code for {site}",
    code_text=(
        "Enter this code at {site} to receive emails at this address:\n\n    {code}\n\nIt is valid for 15 minutes. If "
        "you did not ask for it, ignore this email. You will not get any others."
    ),
    notice_subject="Another email address was added at {site}",
    notice_text=(
        "Another email address was added to your account at {site}. Once it is confirmed, emails will go there and no "
        "longer to this address.\n\nIf this was not you, change your password and sign out your other devices."
    ),
    test_subject="Test email from {site}",
    test_text="This is a test. {site} can send email.",
    page_title="Unsubscribe",
    page_question="Do you want {site} to stop sending you these emails?",
    page_button="Unsubscribe",
    page_done="You will not get any more of these emails from {site}. You can turn them on again in its settings.",
)

_GERMAN = MailWords(
    language="de",
    notifications=("{n} neue Benachrichtigung", "{n} neue Benachrichtigungen"),
    digest=(
        "Zusammenfassung: {n} ungelesene Benachrichtigung",
        "Zusammenfassung: {n} ungelesene Benachrichtigungen",
    ),
    more_messages=("+{n} weitere Nachricht", "+{n} weitere Nachrichten"),
    more_notifications=("und {n} weitere", "und {n} weitere"),
    intro="Während Sie nicht bei {site} waren:",
    open="Öffnen",
    footer="{site} sendet diese E-Mails, weil Ihr Konto dort so eingestellt ist. Antworten werden nicht gelesen.",
    unsubscribe="Diese E-Mails abbestellen",
    code_subject="{code} ist Ihr Code für {site}",
    code_text=(
        "Geben Sie diesen Code bei {site} ein, um E-Mails an diese Adresse zu erhalten:\n\n    {code}\n\nEr gilt 15 "
        "Minuten. Wenn Sie ihn nicht angefordert haben, ignorieren Sie diese E-Mail; es folgen keine weiteren."
    ),
    notice_subject="Bei {site} wurde eine andere E-Mail-Adresse hinzugefügt",
    notice_text=(
        "Zu Ihrem Konto bei {site} wurde eine andere E-Mail-Adresse hinzugefügt. Sobald sie bestätigt ist, gehen "
        "E-Mails dorthin und nicht mehr an diese Adresse.\n\nWenn Sie das nicht waren, ändern Sie Ihr Passwort und "
        "melden Sie Ihre anderen Geräte ab."
    ),
    test_subject="Test-E-Mail von {site}",
    test_text="Das ist ein Test: {site} kann E-Mails senden.",
    page_title="E-Mails abbestellen",
    page_question="Soll {site} Ihnen diese E-Mails nicht mehr senden?",
    page_button="Diese E-Mails abbestellen",
    page_done="Sie erhalten diese E-Mails von {site} nicht mehr. Sie können sie dort wieder einschalten.",
)

_FRENCH = MailWords(
    language="fr",
    notifications=("{n} nouvelle notification", "{n} nouvelles notifications"),
    digest=("Résumé : {n} notification non lue", "Résumé : {n} notifications non lues"),
    more_messages=("+{n} autre message", "+{n} autres messages"),
    more_notifications=("et {n} de plus", "et {n} de plus"),
    intro="Pendant votre absence de {site} :",
    open="Ouvrir",
    footer="{site} envoie ces e-mails parce que votre compte le demande. Les réponses ne sont pas lues.",
    unsubscribe="Ne plus recevoir ces e-mails",
    code_subject="{code} est votre code pour {site}",
    code_text=(
        "Saisissez ce code sur {site} pour recevoir des e-mails à cette adresse :\n\n    {code}\n\nIl est valable 15 "
        "minutes. Si vous ne l'avez pas demandé, ignorez cet e-mail : vous n'en recevrez pas d'autre."
    ),
    notice_subject="Une autre adresse e-mail a été ajoutée sur {site}",
    notice_text=(
        "Une autre adresse e-mail a été ajoutée à votre compte sur {site}. Dès qu'elle sera confirmée, les e-mails "
        "y seront envoyés au lieu de cette adresse.\n\nSi ce n'était pas vous, changez votre mot de passe et "
        "déconnectez vos autres appareils."
    ),
    test_subject="E-mail de test de {site}",
    test_text="Ceci est un test : {site} peut envoyer des e-mails.",
    page_title="Ne plus recevoir d'e-mails",
    page_question="Voulez-vous que {site} cesse de vous envoyer ces e-mails ?",
    page_button="Ne plus recevoir ces e-mails",
    page_done="Vous ne recevrez plus ces e-mails de {site}. Vous pouvez les réactiver dans vos paramètres.",
)

_SPANISH = MailWords(
    language="es",
    notifications=("{n} notificación nueva", "{n} notificaciones nuevas"),
    digest=("Resumen: {n} notificación sin leer", "Resumen: {n} notificaciones sin leer"),
    more_messages=("+{n} mensaje más", "+{n} mensajes más"),
    more_notifications=("y {n} más", "y {n} más"),
    intro="Mientras no estabas en {site}:",
    open="Abrir",
    footer="{site} envía estos correos porque tu cuenta así lo pide. Las respuestas no se leen.",
    unsubscribe="No recibir más estos correos",
    code_subject="{code} es tu código para {site}",
    code_text=(
        "Escribe este código en {site} para recibir correos en esta dirección:\n\n    {code}\n\nEs válido durante 15 "
        "minutos. Si no lo has pedido, ignora este correo: no recibirás ningún otro."
    ),
    notice_subject="Se ha añadido otra dirección de correo en {site}",
    notice_text=(
        "Se ha añadido otra dirección de correo a tu cuenta en {site}. Cuando se confirme, los correos irán allí y no "
        "a esta dirección.\n\nSi no has sido tú, cambia tu contraseña y cierra la sesión en tus otros dispositivos."
    ),
    test_subject="Correo de prueba de {site}",
    test_text="Esto es una prueba: {site} puede enviar correos.",
    page_title="No recibir más correos",
    page_question="¿Quieres que {site} deje de enviarte estos correos?",
    page_button="No recibir más estos correos",
    page_done="Ya no recibirás estos correos de {site}. Puedes volver a activarlos en tus ajustes.",
)

_ALL = {words.language: words for words in (ENGLISH, _GERMAN, _FRENCH, _SPANISH)}


def words_in(language: str | None) -> MailWords:
    """The words in a language such as `de` or `de-AT`; English if there are none."""
    return _ALL.get((language or "").partition("-")[0].lower(), ENGLISH)
