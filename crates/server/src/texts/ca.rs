//! Catalan.

use super::{
    AccountTexts, CommonTexts, ConsentTexts, DemandTexts, DeviceTexts, ErrorTexts, LoginTexts,
    MessageTexts, PasskeyTexts, PasswordTexts, Said, ScopeTexts, SecondFactorTexts, SetupTexts,
    SignOutTexts, Texts, around, scopes::PhraseTexts,
};

pub(super) const TEXTS: Texts = Texts {
    tag: "ca",
    common: CommonTexts {
        cancel: "Cancel·la",
        sign_in: "Inicia la sessió",
        username_or_email: "Nom d’usuari o correu electrònic",
        password: "Contrasenya",
        show_password: "Mostra la contrasenya",
        opens_new_tab: " (s’obre en una pestanya nova)",
        continue_: "Continua",
        to_account: "Ves al teu compte",
        detail: "Detall",
        reference: "Referència (indica-la quan demanis ajuda)",
        app_on_device: "una aplicació d’aquest dispositiu",
        throttled: |seconds| format!("Massa intents. Torna-ho a provar d’aquí a {seconds} s."),
        months: [
            "de gener",
            "de febrer",
            "de març",
            "d’abril",
            "de maig",
            "de juny",
            "de juliol",
            "d’agost",
            "de setembre",
            "d’octubre",
            "de novembre",
            "de desembre",
        ],
        date: |day, month, year| format!("{day} {month} de {year}"),
    },
    login: LoginTexts {
        title: "Inicia la sessió",
        failed: "No s’ha pogut iniciar la sessió",
        to_app: around("per continuar a ", ""),
        to_site: around("a ", ""),
        forgot: "Has oblidat la contrasenya?",
        with_passkey: "Inicia la sessió amb una clau d’accés",
        passkey_failed: "La clau d’accés no s’ha pogut fer servir. Torna-ho a provar o inicia la sessió d’una altra manera.",
    },
    second_factor: SecondFactorTexts {
        title: "Confirma que ets tu",
        recovery_instead: "Fes servir un codi de recuperació",
        with_passkey: "Fes servir una clau d’accés",
        needs_script: "Una clau d’accés necessita JavaScript, que aquest navegador no executa. Permet-lo per a aquest lloc o confirma-ho d’una altra manera.",
        confirm: "Confirma",
        unusable: Said {
            title: "No pots iniciar la sessió",
            text: "El teu compte fa servir un segon factor, i ja no es pot utilitzar res del que vas \
                   registrar per a això. Demana a qui administra el servidor que ho restableixi.",
        },
    },
    consent: ConsentTexts {
        title: around("Permetre ", "?"),
        wants_identity: around("", " vol saber qui ets"),
        wants_access: around("", " vol accedir al teu compte"),
        signed_in_as: "Has iniciat la sessió com a",
        not_you: "No ets tu?",
        identity_only: "Només veurà qui ets i no tindrà cap altre accés.",
        reads: "Podrà llegir",
        writes: "Podrà canviar",
        administers: "Podrà administrar aquest servidor",
        administers_warning: "Permet-ho només si confies en l’aplicació tant com en una altra persona \
                              que administri el servidor.",
        scopes: "Àmbits (scopes), per a desenvolupadors",
        device_code: around(
            "Continua només si el teu dispositiu mostra el codi ",
            " i has estat tu qui ha començat.",
        ),
        never_asked: around("Ningú de ", " no te’l demanarà mai."),
        device_continues: "El teu dispositiu continuarà tot sol.",
        sent_to: around("En tots dos casos aniràs a ", "."),
        revocable: "Pots retirar l’accés al teu compte en qualsevol moment.",
        allow: "Permet",
        deny: "Denega",
    },
    scopes: SCOPES,
    setup: SetupTexts {
        title: "Crea el primer compte d’administració",
        lede: "Aquest compte pot gestionar tot el que hi ha en aquest lloc: persones, aplicacions i \
               claus.",
        username: "Nom d’usuari",
        create: "Crea el compte",
        spent: "Aquest enllaç ja s’ha fet servir o ha caducat. Reinicia el servidor per obtenir-ne un \
                altre.",
        crowd: around(
            "Ja hi ha persones, i l’enllaç és només per a un servidor sense administradors. Al \
             servidor, executa ",
            " o afegeix el grup «administrators» a una persona que ja existeixi.",
        ),
        bad_name: "Un nom d’usuari ha de tenir d’1 a 128 lletres, xifres, punts, guions i guions \
                   baixos.",
        taken: "Aquest nom d’usuari ja existeix.",
        done: "Administres aquest servidor",
        done_text: "Has iniciat la sessió. Què pots fer ara:",
        steps: [
            "Connecta una aplicació, descrita en un fitxer: ",
            "Afegeix persones i digues què poden fer segons els seus grups: ",
            "Posa el servidor davant de la teva API i mira quins àmbits requereixen els seus camps: ",
        ],
    },
    password: PasswordTexts {
        title: "Tria una contrasenya nova",
        lede: "Es tancaran totes les teves sessions.",
        new: "Contrasenya nova",
        repeat: "Repeteix la contrasenya",
        repeat_new: "Repeteix la contrasenya nova",
        hint: |characters| {
            format!("Almenys {characters} caràcters. Unes quantes paraules seguides van bé.")
        },
        set: "Desa la contrasenya",
        is_set: Said {
            title: "La contrasenya s’ha desat",
            text: "S’han tancat totes les teves sessions. Inicia la sessió amb la contrasenya nova.",
        },
        differ: "Les contrasenyes no coincideixen.",
        blank: "La contrasenya no pot ser buida ni en blanc. Tria’n una altra.",
        short: |characters| {
            format!("La contrasenya ha de tenir almenys {characters} caràcters. Tria’n una altra.")
        },
        hash: "Això és un resum criptogràfic (hash). Tria una contrasenya.",
        rules: "La contrasenya ha de tenir ",
        present: "La contrasenya nova és l’actual. Tria’n una altra.",
        reused: "Ja has tingut aquesta contrasenya. Tria’n una altra.",
        demands: DemandTexts {
            at_least: "almenys",
            at_most: "com a màxim",
            nouns: [
                ("caràcter", "caràcters"),
                ("lletra minúscula", "lletres minúscules"),
                ("lletra majúscula", "lletres majúscules"),
                ("xifra", "xifres"),
                ("caràcter especial", "caràcters especials"),
                ("caràcter diferent", "caràcters diferents"),
                ("caràcter consecutiu", "caràcters consecutius"),
            ],
        },
        link_spent: Said {
            title: "Aquest enllaç no és vàlid",
            text: "Aquest enllaç ja no és vàlid. Demana’n un altre.",
        },
        ask_again: "Demana un altre enllaç",
        forgot: Said {
            title: "Has oblidat la contrasenya?",
            text: "T’enviarem un enllaç per triar-ne una de nova.",
        },
        enter_name: "Escriu el teu nom d’usuari o correu electrònic.",
        send_link: "Envia l’enllaç",
        link_sent_title: "Mira la bústia",
        link_sent: |minutes| {
            format!(
                "Si et coneixem per aquest nom i tenim el teu correu electrònic, un enllaç és de camí. \
                 És vàlid durant {minutes} minuts. Si no arriba res, mira la carpeta de correu brossa \
                 o pregunta a qui administra el servidor."
            )
        },
        no_mail: Said {
            title: "No s’envien enllaços",
            text: "Aquest servidor no envia correu. Demana una contrasenya nova a qui l’administra.",
        },
    },
    account: AccountTexts {
        title: "El teu compte",
        sign_out: "Tanca la sessió",
        sessions: "On has iniciat la sessió",
        this_browser: "Aquest navegador",
        another_browser: "Un altre navegador",
        used: |since, used| format!("Des del {since}, fet servir per última vegada el {used}"),
        signed_in_to: around("Amb accés a ", ""),
        there: " allà",
        sign_out_others: "Tanca la sessió en tots els altres",
        apps: "Aplicacions connectades",
        no_apps: "Encara cap aplicació no té accés al teu compte. Les que permetis apareixeran aquí.",
        since: |day| format!("Des del {day}"),
        identity_only: "Pot veure qui ets, res més",
        permissions: "Permisos",
        revoke: "Retira l’accés",
        revoke_of: around(" de ", ""),
        password: "Contrasenya",
        current_password: "Contrasenya actual",
        new_password: "Contrasenya nova",
        password_hint: |characters| {
            format!(
                "Almenys {characters} caràcters. Es tancaran les teves sessions als altres navegadors."
            )
        },
        change_password: "Canvia la contrasenya",
        wrong_password: "La contrasenya actual no és correcta.",
        password_changed: Said {
            title: "La contrasenya ha canviat",
            text: "Aquí continues amb la sessió iniciada; als altres navegadors s’ha tancat.",
        },
    },
    passkeys: PasskeyTexts {
        title: "Claus d’accés",
        text: "Inicia la sessió sense contrasenya: el teu dispositiu, o el que guarda les teves contrasenyes, demostra que ets tu.",
        name: "Nom de la clau d’accés",
        add: "Afegeix una clau d’accés",
        remove: "Elimina",
        remove_of: around(" ", ""),
        new: Said {
            title: "Crea una clau d’accés",
            text: "El navegador et demana l’empremta, la cara o el PIN del dispositiu. No en surten.",
        },
        create: "Crea la clau d’accés",
        failed: "La clau d’accés no s’ha creat. Torna-ho a provar.",
        bad_name_or_too_many: "Una clau d’accés necessita un nom d’1 a 30 caràcters, i en pots tenir 16 com a màxim.",
        last_factor: "El teu inici de sessió demana una clau d’accés, i aquesta és l’última. Abans, afegeix-ne una altra.",
        needs_script: "Una clau d’accés necessita JavaScript, que aquest navegador no executa.",
    },
    device: DeviceTexts {
        title: "Connecta un dispositiu",
        lede: "Escriu el codi que mostra el teu dispositiu.",
        code: "Codi",
        not_recognised: "Codi no reconegut",
        no_device: "Cap dispositiu no espera aquest codi. Revisa’l o torna a començar al dispositiu.",
        shows: around("El teu dispositiu mostra ", "?"),
        connected: Said {
            title: "El teu dispositiu està connectat",
            text: "Hi pots tornar i tancar aquesta finestra.",
        },
        denied: Said {
            title: "Accés denegat",
            text: "No s’ha donat accés al teu dispositiu. Pots tancar aquesta finestra.",
        },
        another_code: "Escriu un altre codi",
    },
    sign_out: SignOutTexts {
        title: "Tanca la sessió",
        question: "Vols tancar la sessió?",
        signed_in_as: around("Has iniciat la sessió com a ", "."),
        stay: "Mantén la sessió",
        signed_out: "Has tancat la sessió",
        signed_out_title: "Sessió tancada",
        close: "Pots tancar aquesta finestra.",
        apps_too: "També s’està tancant la sessió a les teves aplicacions.",
        continue_to: around("Continua a ", ""),
        again: "Torna a iniciar la sessió",
    },
    errors: ErrorTexts {
        not_found: Said {
            title: "No s’ha trobat", text: "No hi ha cap pàgina en aquesta adreça."
        },
        refused: "S’ha rebutjat aquesta petició",
        expired: Said {
            title: "Aquest inici de sessió ha caducat",
            text: "Va començar fa massa temps o en un altre navegador, o ja s’ha completat. Torna a \
                   l’aplicació i comença de nou.",
        },
        invalid: Said {
            title: "Aquesta petició no és vàlida",
            text: "L’aplicació que t’ha portat aquí ha fet una petició no vàlida. No s’hi ha compartit \
                   res. Avisa’n els qui la desenvolupen.",
        },
        too_many_sign_ins: "Massa inicis de sessió",
        too_many_sign_ins_text: |seconds| {
            format!(
                "S’han començat massa inicis de sessió des de la teva xarxa. Torna-ho a provar d’aquí \
                 a {seconds} s."
            )
        },
        too_many_attempts: "Massa intents",
        server: "Alguna cosa ha fallat al servidor. Torna-ho a provar.",
        broken: Said {
            title: "Alguna cosa ha fallat",
            text: "No s’ha pogut mostrar aquesta pàgina. Torna-ho a provar.",
        },
        withheld_title: "Sessió no iniciada",
        withheld: "No has iniciat la sessió",
        withheld_text: around(
            "Una aplicació de ",
            " t’ha portat aquí, i la seva petició no va més enllà. No s’hi ha compartit res. Aquesta \
             aplicació es va registrar ella mateixa; torna-hi només si la coneixes.",
        ),
        return_to: around("Torna a ", ""),
    },
    messages: MessageTexts {
        code_subject: |site| format!("El teu codi per a {site}"),
        code_intro: |site| {
            format!("Escriu aquest codi a {site} per confirmar que aquesta adreça és teva:")
        },
        code_short: |site, code, minutes| {
            format!(
                "{site}: el teu codi és {code}. És vàlid durant {minutes} minuts. No el comparteixis."
            )
        },
        code_valid: |minutes| {
            format!("El codi és vàlid durant {minutes} minuts i es pot fer servir una vegada.")
        },
        code_secret: "No el comparteixis amb ningú. Si no l’has demanat, ignora aquest missatge.",
        reset_subject: |site| format!("Tria una contrasenya nova per a {site}"),
        reset_intro: |site| {
            format!("Algú ha demanat una contrasenya nova per al teu compte de {site}.")
        },
        reset_short: |site, link| format!("{site}: tria una contrasenya nova a {link}"),
        reset_label: "Tria una contrasenya nova",
        reset_valid: |minutes| {
            format!("L’enllaç és vàlid durant {minutes} minuts i es pot fer servir una vegada.")
        },
        reset_ignore: "Si no ho has demanat, ignora aquest missatge; la contrasenya no canvia.",
        activation_subject: |site| format!("Activa el teu compte de {site}"),
        activation_intro: |site| {
            format!("S’ha creat un compte per a tu a {site}. Tria una contrasenya per activar-lo.")
        },
        activation_short: |site, link| format!("{site}: activa el teu compte a {link}"),
        activation_label: "Tria una contrasenya",
        activation_valid: |hours| {
            format!("L’enllaç és vàlid durant {hours} hores i es pot fer servir una vegada.")
        },
        activation_ignore: "Si no saps de què es tracta, ignora aquest missatge.",
        trial_subject: |site| format!("Missatge de prova de {site}"),
        trial_intro: |site| {
            format!("Això és un missatge de prova de {site}. L’enviament de correu funciona.")
        },
        trial_ignore: "No has de fer res.",
        trial_short: |site| format!("Missatge de prova de {site}."),
    },
};

const SCOPES: ScopeTexts = ScopeTexts {
    openid: "Veure qui ets",
    profile: "Veure el teu perfil, com ara el nom i la foto",
    profile_with_email: "Veure el teu nom i el teu correu electrònic",
    email: "Veure el teu correu electrònic",
    address: "Veure la teva adreça postal",
    phone: "Veure el teu número de telèfon",
    groups: "Veure en quins grups ets",
    roles: "Veure quins rols tens",
    user: "Actuar en nom teu",
    offline_access: "Mantenir l’accés mentre no la fas servir",
    api_read: "Llegir tot el que l’API et deixa llegir",
    api_write: "Canviar tot el que l’API et deixa canviar",
    read_everything: "Llegir tot el que tu pots llegir",
    change_everything: "Canviar tot el que tu pots canviar",
    everything: "Llegir i canviar tot el que tu pots",
    test_policies: "Provar polítiques d’accés",
    administer: "Administrar aquest servidor: llegir i canviar tot el que conté",
    read_every: |kind| format!("Llegir tots els recursos «{kind}» d’aquest servidor"),
    read_with: |scope| format!("Llegir amb l’àmbit {scope}"),
    use_scope: |scope| format!("Fer servir l’àmbit {scope}"),
    claims: [
        "Veure el teu nom complet",
        "Veure el teu nom de pila",
        "Veure els teus cognoms",
        "Veure el teu segon nom",
        "Veure el teu sobrenom",
        "Veure el teu nom d’usuari",
        "Veure l’adreça de la teva pàgina de perfil",
        "Veure la teva foto",
        "Veure l’adreça del teu lloc web",
        "Veure el teu gènere",
        "Veure la teva data de naixement",
        "Veure la teva zona horària",
        "Veure el teu idioma",
        "Veure quan va canviar el teu perfil per última vegada",
        "Veure el teu correu electrònic",
        "Veure si el teu correu electrònic està verificat",
        "Veure la teva adreça postal",
        "Veure el teu número de telèfon",
        "Veure si el teu número de telèfon està verificat",
        "Veure en quins grups ets",
        "Veure quins rols tens",
    ],
    other_claim: |claim| format!("Veure la dada {claim}"),
    phrases: PhraseTexts {
        read: "llegir",
        follow: "seguir",
        create: "crear",
        change: "canviar",
        delete: "eliminar",
        call: "fer servir",
        any_way: "canviar de qualsevol manera",
        anything: "qualsevol cosa",
        and: " i ",
        plural: |words| format!("«{words}»"),
        quoted: |words| format!("«{words}»"),
        done_to: |verbs, nouns| format!("{verbs} {nouns}"),
        and_more: |kinds| match kinds {
            1 => "; i el mateix amb un altre tipus de dades".to_owned(),
            _ => format!("; i el mateix amb {kinds} tipus de dades més"),
        },
    },
};
