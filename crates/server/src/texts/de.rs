//! German.

use super::{
    AccountTexts, CommonTexts, ConsentTexts, DemandTexts, DeviceTexts, ErrorTexts, LoginTexts,
    MessageTexts, PasskeyTexts, PasswordTexts, Said, ScopeTexts, SecondFactorTexts, SetupTexts,
    SignOutTexts, Texts, around, scopes::PhraseTexts,
};

pub(super) const TEXTS: Texts = Texts {
    tag: "de",
    common: CommonTexts {
        cancel: "Abbrechen",
        sign_in: "Anmelden",
        username_or_email: "Benutzername oder E-Mail-Adresse",
        password: "Passwort",
        show_password: "Passwort anzeigen",
        opens_new_tab: " (öffnet einen neuen Tab)",
        continue_: "Weiter",
        to_account: "Zu Ihrem Konto",
        detail: "Einzelheiten",
        reference: "Kennung (bitte angeben, wenn Sie um Hilfe bitten)",
        app_on_device: "einer App auf diesem Gerät",
        throttled: |seconds| format!("Zu viele Versuche. Versuchen Sie es in {seconds} s wieder."),
        months: [
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ],
        date: |day, month, year| format!("{day}. {month} {year}"),
    },
    login: LoginTexts {
        title: "Anmelden",
        failed: "Anmeldung fehlgeschlagen",
        to_app: around("und weiter zu ", ""),
        to_site: around("bei ", ""),
        forgot: "Passwort vergessen?",
        with_passkey: "Mit einem Passkey anmelden",
        passkey_failed: "Der Passkey konnte nicht verwendet werden. Versuchen Sie es noch einmal, oder melden Sie sich anders an.",
    },
    second_factor: SecondFactorTexts {
        title: "Anmeldung bestätigen",
        recovery_instead: "Stattdessen einen Wiederherstellungscode verwenden",
        with_passkey: "Einen Passkey verwenden",
        needs_script: "Ein Passkey braucht JavaScript, das dieser Browser nicht ausführt. Erlauben Sie es für diese Website, oder bestätigen Sie auf andere Weise.",
        confirm: "Bestätigen",
        unusable: Said {
            title: "Sie können sich nicht anmelden",
            text: "Ihr Konto verlangt einen zweiten Faktor, und nichts, was Sie dafür eingerichtet \
                   haben, lässt sich noch verwenden. Bitten Sie Ihre Administration, ihn \
                   zurückzusetzen.",
        },
    },
    consent: ConsentTexts {
        title: around("", " zulassen?"),
        wants_identity: around("", " möchte wissen, wer Sie sind"),
        wants_access: around("", " möchte auf Ihr Konto zugreifen"),
        signed_in_as: "Angemeldet als",
        not_you: "Das bin ich nicht",
        identity_only: "Die App sieht nur, wer Sie sind, und erhält keinen weiteren Zugriff.",
        reads: "Die App wird lesen können",
        writes: "Die App wird ändern können",
        administers: "Die App wird diesen Server verwalten können",
        administers_warning: "Erlauben Sie das nur, wenn Sie der App so sehr vertrauen wie einer \
                              weiteren Person in der Administration.",
        scopes: "Scopes, für Entwickler",
        device_code: around(
            "Fahren Sie nur fort, wenn Ihr Gerät den Code ",
            " zeigt und Sie selbst damit begonnen haben.",
        ),
        never_asked: around("Niemand von ", " wird Sie je danach fragen."),
        device_continues: "Ihr Gerät fährt von selbst fort.",
        sent_to: around("In beiden Fällen gelangen Sie zu ", "."),
        revocable: "Sie können den Zugriff jederzeit in Ihrem Konto widerrufen.",
        allow: "Erlauben",
        deny: "Ablehnen",
    },
    scopes: SCOPES,
    setup: SetupTexts {
        title: "Das erste Administrationskonto anlegen",
        lede: "Dieses Konto kann hier alles verwalten: Personen, Apps und Schlüssel.",
        username: "Benutzername",
        create: "Konto anlegen",
        spent: "Dieser Link wurde schon verwendet oder ist abgelaufen. Starten Sie den Server neu, um \
                einen neuen zu erhalten.",
        crowd: around(
            "Es gibt schon Personen, und der Link ist nur für einen Server ohne Administration. Führen \
             Sie auf dem Server ",
            " aus, oder nehmen Sie eine vorhandene Person in die Gruppe „administrators“ auf.",
        ),
        bad_name: "Ein Benutzername hat 1 bis 128 Buchstaben, Ziffern, Punkte, Binde- und Unterstriche.",
        taken: "Dieser Benutzername ist schon vergeben.",
        done: "Sie verwalten diesen Server",
        done_text: "Sie sind angemeldet. Die nächsten Schritte:",
        steps: [
            "Verbinden Sie eine App, die eine Datei beschreibt: ",
            "Legen Sie Personen an, und sagen Sie über ihre Gruppen, was sie dürfen: ",
            "Stellen Sie den Server vor Ihre API, und sehen Sie, welche Scopes ihre Felder verlangen: ",
        ],
    },
    password: PasswordTexts {
        title: "Neues Passwort festlegen",
        lede: "Sie werden überall abgemeldet.",
        new: "Neues Passwort",
        repeat: "Passwort wiederholen",
        repeat_new: "Neues Passwort wiederholen",
        hint: |characters| {
            format!(
                "Mindestens {characters} Zeichen. Ein paar Wörter hintereinander eignen sich gut."
            )
        },
        set: "Passwort festlegen",
        is_set: Said {
            title: "Ihr Passwort ist festgelegt",
            text: "Sie wurden überall abgemeldet. Melden Sie sich mit dem neuen Passwort an.",
        },
        differ: "Die Passwörter stimmen nicht überein.",
        blank: "Das Passwort darf nicht leer sein. Wählen Sie ein anderes.",
        short: |characters| {
            format!(
                "Das Passwort muss mindestens {characters} Zeichen haben. Wählen Sie ein anderes."
            )
        },
        hash: "Das ist ein Hash. Wählen Sie ein Passwort.",
        rules: "Das Passwort muss enthalten: ",
        present: "Das neue Passwort ist das bisherige. Wählen Sie ein anderes.",
        reused: "Dieses Passwort hatten Sie schon einmal. Wählen Sie ein anderes.",
        demands: DemandTexts {
            at_least: "mindestens",
            at_most: "höchstens",
            nouns: [
                ("Zeichen", "Zeichen"),
                ("Kleinbuchstaben", "Kleinbuchstaben"),
                ("Großbuchstaben", "Großbuchstaben"),
                ("Ziffer", "Ziffern"),
                ("Sonderzeichen", "Sonderzeichen"),
                ("verschiedenes Zeichen", "verschiedene Zeichen"),
                ("aufeinanderfolgendes Zeichen", "aufeinanderfolgende Zeichen"),
            ],
        },
        link_spent: Said {
            title: "Dieser Link ist nicht gültig",
            text: "Dieser Link ist nicht mehr gültig. Fordern Sie einen neuen an.",
        },
        ask_again: "Neuen Link anfordern",
        forgot: Said {
            title: "Passwort vergessen?",
            text: "Wir senden Ihnen einen Link, mit dem Sie ein neues festlegen.",
        },
        enter_name: "Geben Sie Ihren Benutzernamen oder Ihre E-Mail-Adresse ein.",
        send_link: "Link senden",
        link_sent_title: "Sehen Sie in Ihr Postfach",
        link_sent: |minutes| {
            format!(
                "Wenn wir Sie unter diesem Namen kennen und Ihre E-Mail-Adresse haben, ist ein Link zu \
                 Ihnen unterwegs. Er gilt {minutes} Minuten. Wenn nichts ankommt, sehen Sie im \
                 Spam-Ordner nach, oder fragen Sie Ihre Administration."
            )
        },
        no_mail: Said {
            title: "Es werden keine Links versandt",
            text: "Dieser Server versendet keine E-Mails. Bitten Sie Ihre Administration um ein neues \
                   Passwort.",
        },
    },
    account: AccountTexts {
        title: "Ihr Konto",
        sign_out: "Abmelden",
        sessions: "Wo Sie angemeldet sind",
        this_browser: "Dieser Browser",
        another_browser: "Ein anderer Browser",
        used: |since, used| format!("Seit {since}, zuletzt benutzt am {used}"),
        signed_in_to: around("Angemeldet bei ", ""),
        there: " dort",
        sign_out_others: "Überall sonst abmelden",
        apps: "Verbundene Apps",
        no_apps: "Noch hat keine App Zugriff auf Ihr Konto. Apps, die Sie zulassen, stehen hier.",
        since: |day| format!("Seit {day}"),
        identity_only: "Sieht, wer Sie sind, sonst nichts",
        permissions: "Berechtigungen",
        revoke: "Zugriff widerrufen",
        revoke_of: around(" von ", ""),
        password: "Passwort",
        current_password: "Bisheriges Passwort",
        new_password: "Neues Passwort",
        password_hint: |characters| {
            format!("Mindestens {characters} Zeichen. Sie werden überall sonst abgemeldet.")
        },
        change_password: "Passwort ändern",
        wrong_password: "Das bisherige Passwort ist falsch.",
        password_changed: Said {
            title: "Ihr Passwort ist geändert",
            text: "Hier bleiben Sie angemeldet; überall sonst wurden Sie abgemeldet.",
        },
    },
    passkeys: PasskeyTexts {
        title: "Passkeys",
        text: "Melden Sie sich ohne Passwort an: Ihr Gerät, oder was Ihre Passwörter aufbewahrt, weist nach, dass Sie es sind.",
        name: "Name des Passkeys",
        add: "Passkey hinzufügen",
        remove: "Entfernen",
        remove_of: around(": ", ""),
        new: Said {
            title: "Passkey erstellen",
            text: "Ihr Browser fragt nach Ihrem Fingerabdruck, Ihrem Gesicht oder der PIN Ihres Geräts. Nichts davon verlässt es.",
        },
        create: "Passkey erstellen",
        failed: "Der Passkey wurde nicht erstellt. Versuchen Sie es noch einmal.",
        bad_name_or_too_many: "Ein Passkey braucht einen Namen von 1 bis 30 Zeichen, und Sie können höchstens 16 haben.",
        last_factor: "Ihre Anmeldung fragt nach einem Passkey, und dieser ist der letzte. Fügen Sie zuerst einen anderen hinzu.",
        needs_script: "Ein Passkey braucht JavaScript, das dieser Browser nicht ausführt.",
    },
    device: DeviceTexts {
        title: "Ein Gerät verbinden",
        lede: "Geben Sie den Code ein, den Ihr Gerät zeigt.",
        code: "Code",
        not_recognised: "Code nicht erkannt",
        no_device: "Kein Gerät wartet auf diesen Code. Prüfen Sie ihn, oder beginnen Sie am Gerät von \
                    vorn.",
        shows: around("Zeigt Ihr Gerät ", "?"),
        connected: Said {
            title: "Ihr Gerät ist verbunden",
            text: "Sie können dort weitermachen und dieses Fenster schließen.",
        },
        denied: Said {
            title: "Zugriff verweigert",
            text: "Ihr Gerät hat keinen Zugriff erhalten. Sie können dieses Fenster schließen.",
        },
        another_code: "Anderen Code eingeben",
    },
    sign_out: SignOutTexts {
        title: "Abmelden",
        question: "Möchten Sie sich abmelden?",
        signed_in_as: around("Sie sind angemeldet als ", "."),
        stay: "Angemeldet bleiben",
        signed_out: "Sie sind abgemeldet",
        signed_out_title: "Abgemeldet",
        close: "Sie können dieses Fenster schließen.",
        apps_too: "Sie werden auch bei Ihren Apps abgemeldet.",
        continue_to: around("Weiter zu ", ""),
        again: "Wieder anmelden",
    },
    errors: ErrorTexts {
        not_found: Said {
            title: "Nicht gefunden",
            text: "Unter dieser Adresse gibt es keine Seite.",
        },
        refused: "Diese Anfrage wurde abgelehnt",
        expired: Said {
            title: "Diese Anmeldung ist abgelaufen",
            text: "Sie wurde vor zu langer Zeit oder in einem anderen Browser begonnen, oder sie ist \
                   schon abgeschlossen. Gehen Sie zurück zur App, und beginnen Sie von vorn.",
        },
        invalid: Said {
            title: "Diese Anfrage ist ungültig",
            text: "Die App, die Sie hierher geschickt hat, hat eine ungültige Anfrage gestellt. Ihr \
                   wurde nichts mitgeteilt. Bitte melden Sie das denen, die sie entwickeln.",
        },
        too_many_sign_ins: "Zu viele Anmeldungen",
        too_many_sign_ins_text: |seconds| {
            format!(
                "Aus Ihrem Netz wurden zu viele Anmeldungen begonnen. Versuchen Sie es in {seconds} s \
                 wieder."
            )
        },
        too_many_attempts: "Zu viele Versuche",
        server: "Auf dem Server ist etwas schiefgegangen. Versuchen Sie es noch einmal.",
        broken: Said {
            title: "Etwas ist schiefgegangen",
            text: "Diese Seite konnte nicht angezeigt werden. Versuchen Sie es noch einmal.",
        },
        withheld_title: "Nicht angemeldet",
        withheld: "Sie sind nicht angemeldet",
        withheld_text: around(
            "Eine App bei ",
            " hat Sie hierher geschickt; ihre Anfrage wird nicht weitergeführt. Ihr wurde nichts \
             mitgeteilt. Diese App hat sich selbst registriert; kehren Sie nur zu ihr zurück, wenn Sie \
             sie kennen.",
        ),
        return_to: around("Zurück zu ", ""),
    },
    messages: MessageTexts {
        code_subject: |site| format!("Ihr Code für {site}"),
        code_intro: |site| {
            format!(
                "Geben Sie diesen Code bei {site} ein, um zu bestätigen, dass diese Adresse Ihre ist:"
            )
        },
        code_short: |site, code, minutes| {
            format!(
                "{site}: Ihr Code ist {code}. Er gilt {minutes} Minuten. Geben Sie ihn nicht weiter."
            )
        },
        code_valid: |minutes| {
            format!("Der Code gilt {minutes} Minuten und lässt sich einmal verwenden.")
        },
        code_secret: "Geben Sie ihn niemandem weiter. Wenn Sie ihn nicht angefordert haben, beachten \
                      Sie diese Nachricht nicht.",
        reset_subject: |site| format!("Neues Passwort für {site} festlegen"),
        reset_intro: |site| {
            format!("Jemand möchte für Ihr Konto bei {site} ein neues Passwort festlegen.")
        },
        reset_short: |site, link| format!("{site}: neues Passwort festlegen unter {link}"),
        reset_label: "Neues Passwort festlegen",
        reset_valid: |minutes| {
            format!("Der Link gilt {minutes} Minuten und lässt sich einmal verwenden.")
        },
        reset_ignore: "Wenn Sie das nicht waren, beachten Sie diese Nachricht nicht; Ihr Passwort \
                       bleibt, wie es ist.",
        activation_subject: |site| format!("Ihr Konto bei {site} aktivieren"),
        activation_intro: |site| {
            format!(
                "Bei {site} wurde ein Konto für Sie eingerichtet. Legen Sie ein Passwort fest, um es \
                 zu aktivieren."
            )
        },
        activation_short: |site, link| format!("{site}: Konto aktivieren unter {link}"),
        activation_label: "Passwort festlegen",
        activation_valid: |hours| {
            format!("Der Link gilt {hours} Stunden und lässt sich einmal verwenden.")
        },
        activation_ignore: "Wenn Sie nicht wissen, worum es geht, beachten Sie diese Nachricht nicht.",
        trial_subject: |site| format!("Testnachricht von {site}"),
        trial_intro: |site| {
            format!("Dies ist eine Testnachricht von {site}. Der Versand von E-Mails funktioniert.")
        },
        trial_ignore: "Sie brauchen nichts zu tun.",
        trial_short: |site| format!("Testnachricht von {site}."),
    },
};

const SCOPES: ScopeTexts = ScopeTexts {
    openid: "Sehen, wer Sie sind",
    profile: "Ihr Profil sehen, zum Beispiel Ihren Namen und Ihr Bild",
    profile_with_email: "Ihren Namen und Ihre E-Mail-Adresse sehen",
    email: "Ihre E-Mail-Adresse sehen",
    address: "Ihre Postanschrift sehen",
    phone: "Ihre Telefonnummer sehen",
    groups: "Sehen, in welchen Gruppen Sie sind",
    roles: "Sehen, welche Rollen Sie haben",
    user: "In Ihrem Namen handeln",
    offline_access: "Zugriff behalten, während Sie die App nicht benutzen",
    api_read: "Alles lesen, was die API Sie lesen lässt",
    api_write: "Alles ändern, was die API Sie ändern lässt",
    read_everything: "Alles lesen, was Sie lesen können",
    change_everything: "Alles ändern, was Sie ändern können",
    everything: "Alles lesen und ändern, was Sie können",
    test_policies: "Zugriffsrichtlinien ausprobieren",
    administer: "Diesen Server verwalten: alles darin lesen und ändern",
    read_every: |kind| format!("Alle Ressourcen „{kind}“ dieses Servers lesen"),
    read_with: |scope| format!("Mit dem Scope {scope} lesen"),
    use_scope: |scope| format!("Den Scope {scope} verwenden"),
    claims: [
        "Ihren Namen sehen",
        "Ihren Vornamen sehen",
        "Ihren Nachnamen sehen",
        "Ihren zweiten Vornamen sehen",
        "Ihren Spitznamen sehen",
        "Ihren Benutzernamen sehen",
        "Die Adresse Ihrer Profilseite sehen",
        "Ihr Bild sehen",
        "Die Adresse Ihrer Website sehen",
        "Ihr Geschlecht sehen",
        "Ihr Geburtsdatum sehen",
        "Ihre Zeitzone sehen",
        "Ihre Sprache sehen",
        "Sehen, wann Ihr Profil zuletzt geändert wurde",
        "Ihre E-Mail-Adresse sehen",
        "Sehen, ob Ihre E-Mail-Adresse bestätigt ist",
        "Ihre Postanschrift sehen",
        "Ihre Telefonnummer sehen",
        "Sehen, ob Ihre Telefonnummer bestätigt ist",
        "Sehen, in welchen Gruppen Sie sind",
        "Sehen, welche Rollen Sie haben",
    ],
    other_claim: |claim| format!("Die Angabe {claim} sehen"),
    phrases: PhraseTexts {
        read: "lesen",
        follow: "verfolgen",
        create: "anlegen",
        change: "ändern",
        delete: "löschen",
        call: "verwenden",
        any_way: "auf jede Weise ändern",
        anything: "alles",
        and: " und ",
        plural: |words| format!("„{words}“"),
        quoted: |words| format!("„{words}“"),
        done_to: |verbs, nouns| format!("{nouns} {verbs}"),
        and_more: |kinds| match kinds {
            1 => "; und dasselbe mit einer weiteren Art von Daten".to_owned(),
            _ => format!("; und dasselbe mit {kinds} weiteren Arten von Daten"),
        },
    },
};
