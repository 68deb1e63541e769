//! Spanish.

use super::{
    AccountTexts, CommonTexts, ConsentTexts, DemandTexts, DeviceTexts, ErrorTexts, LoginTexts,
    MessageTexts, PasskeyTexts, PasswordTexts, Said, ScopeTexts, SecondFactorTexts, SetupTexts,
    SignOutTexts, Texts, around, scopes::PhraseTexts,
};

pub(super) const TEXTS: Texts = Texts {
    tag: "es",
    common: CommonTexts {
        cancel: "Cancelar",
        sign_in: "Iniciar sesión",
        username_or_email: "Nombre de usuario o correo electrónico",
        password: "Contraseña",
        show_password: "Mostrar la contraseña",
        opens_new_tab: " (se abre en una pestaña nueva)",
        continue_: "Continuar",
        to_account: "Ir a tu cuenta",
        detail: "Detalle",
        reference: "Referencia (indícala cuando pidas ayuda)",
        app_on_device: "una aplicación de este dispositivo",
        throttled: |seconds| format!("Demasiados intentos. Vuelve a intentarlo en {seconds} s."),
        months: [
            "enero",
            "febrero",
            "marzo",
            "abril",
            "mayo",
            "junio",
            "julio",
            "agosto",
            "septiembre",
            "octubre",
            "noviembre",
            "diciembre",
        ],
        date: |day, month, year| format!("{day} de {month} de {year}"),
    },
    login: LoginTexts {
        title: "Iniciar sesión",
        failed: "No se ha podido iniciar sesión",
        to_app: around("para continuar en ", ""),
        to_site: around("en ", ""),
        forgot: "¿Has olvidado tu contraseña?",
        with_passkey: "Iniciar sesión con una llave de acceso",
        passkey_failed: "La llave de acceso no se ha podido usar. Inténtalo de nuevo o inicia sesión de otra manera.",
    },
    second_factor: SecondFactorTexts {
        title: "Confirma que eres tú",
        recovery_instead: "Usar un código de recuperación",
        with_passkey: "Usar una llave de acceso",
        needs_script: "Una llave de acceso necesita JavaScript, que este navegador no ejecuta. Permítelo para este sitio o confirma de otra manera.",
        confirm: "Confirmar",
        unusable: Said {
            title: "No puedes iniciar sesión",
            text: "Tu cuenta usa un segundo factor, y ya no se puede utilizar nada de lo que \
                   registraste para ello. Pide a tu administrador que lo restablezca.",
        },
    },
    consent: ConsentTexts {
        title: around("¿Permitir ", "?"),
        wants_identity: around("", " quiere saber quién eres"),
        wants_access: around("", " quiere acceder a tu cuenta"),
        signed_in_as: "Has iniciado sesión como",
        not_you: "¿No eres tú?",
        identity_only: "Solo verá quién eres y no tendrá ningún otro acceso.",
        reads: "Podrá leer",
        writes: "Podrá cambiar",
        administers: "Podrá administrar este servidor",
        administers_warning: "Permítelo solo si confías en la aplicación tanto como en otra persona \
                              que administre el servidor.",
        scopes: "Ámbitos (scopes), para desarrolladores",
        device_code: around(
            "Continúa solo si tu dispositivo muestra el código ",
            " y has sido tú quien ha empezado.",
        ),
        never_asked: around("Nadie de ", " te lo pedirá nunca."),
        device_continues: "Tu dispositivo continuará por sí solo.",
        sent_to: around("En ambos casos irás a ", "."),
        revocable: "Puedes retirar el acceso en tu cuenta en cualquier momento.",
        allow: "Permitir",
        deny: "Denegar",
    },
    scopes: SCOPES,
    setup: SetupTexts {
        title: "Crear la primera cuenta de administración",
        lede: "Esta cuenta puede gestionar todo lo que hay en este sitio: personas, aplicaciones y \
               claves.",
        username: "Nombre de usuario",
        create: "Crear la cuenta",
        spent: "Este enlace ya se ha usado o ha caducado. Reinicia el servidor para obtener otro.",
        crowd: around(
            "Ya hay personas, y el enlace es solo para un servidor sin administradores. En el \
             servidor, ejecuta ",
            " o añade el grupo «administrators» a una persona que ya exista.",
        ),
        bad_name: "Un nombre de usuario debe tener de 1 a 128 letras, cifras, puntos, guiones y guiones \
                   bajos.",
        taken: "Este nombre de usuario ya está en uso.",
        done: "Administras este servidor",
        done_text: "Has iniciado sesión. Lo que puedes hacer ahora:",
        steps: [
            "Conecta una aplicación, descrita en un archivo: ",
            "Añade personas y di qué pueden hacer por sus grupos: ",
            "Pon el servidor delante de tu API y mira qué ámbitos requieren sus campos: ",
        ],
    },
    password: PasswordTexts {
        title: "Elige una contraseña nueva",
        lede: "Se cerrarán todas tus sesiones.",
        new: "Contraseña nueva",
        repeat: "Repite la contraseña",
        repeat_new: "Repite la contraseña nueva",
        hint: |characters| {
            format!("Al menos {characters} caracteres. Unas cuantas palabras seguidas van bien.")
        },
        set: "Guardar la contraseña",
        is_set: Said {
            title: "Tu contraseña está guardada",
            text: "Se han cerrado todas tus sesiones. Inicia sesión con tu contraseña nueva.",
        },
        differ: "Las contraseñas no coinciden.",
        blank: "La contraseña no puede estar vacía ni en blanco. Elige otra.",
        short: |characters| {
            format!("La contraseña debe tener al menos {characters} caracteres. Elige otra.")
        },
        hash: "Esto es un resumen criptográfico (hash). Elige una contraseña.",
        rules: "La contraseña debe tener ",
        present: "La contraseña nueva es la actual. Elige otra.",
        reused: "Ya has tenido esta contraseña. Elige otra.",
        demands: DemandTexts {
            at_least: "al menos",
            at_most: "como máximo",
            nouns: [
                ("carácter", "caracteres"),
                ("letra minúscula", "letras minúsculas"),
                ("letra mayúscula", "letras mayúsculas"),
                ("cifra", "cifras"),
                ("carácter especial", "caracteres especiales"),
                ("carácter distinto", "caracteres distintos"),
                ("carácter consecutivo", "caracteres consecutivos"),
            ],
        },
        link_spent: Said {
            title: "Este enlace no es válido",
            text: "Este enlace ya no es válido. Pide otro.",
        },
        ask_again: "Pedir otro enlace",
        forgot: Said {
            title: "¿Has olvidado tu contraseña?",
            text: "Te enviaremos un enlace para elegir una nueva.",
        },
        enter_name: "Escribe tu nombre de usuario o tu correo electrónico.",
        send_link: "Enviar el enlace",
        link_sent_title: "Mira en tu buzón",
        link_sent: |minutes| {
            format!(
                "Si te conocemos por este nombre y tenemos tu correo electrónico, un enlace está en \
                 camino. Es válido durante {minutes} minutos. Si no llega nada, mira en la carpeta de \
                 correo no deseado o pregunta a tu administrador."
            )
        },
        no_mail: Said {
            title: "No se envían enlaces",
            text: "Este servidor no envía correo. Pide a tu administrador una contraseña nueva.",
        },
    },
    account: AccountTexts {
        title: "Tu cuenta",
        sign_out: "Cerrar sesión",
        sessions: "Dónde has iniciado sesión",
        this_browser: "Este navegador",
        another_browser: "Otro navegador",
        used: |since, used| format!("Desde el {since}, usado por última vez el {used}"),
        signed_in_to: around("Con acceso a ", ""),
        there: " allí",
        sign_out_others: "Cerrar sesión en todos los demás",
        apps: "Aplicaciones conectadas",
        no_apps: "Todavía ninguna aplicación tiene acceso a tu cuenta. Las que permitas aparecerán \
                  aquí.",
        since: |day| format!("Desde el {day}"),
        identity_only: "Puede ver quién eres, nada más",
        permissions: "Permisos",
        revoke: "Retirar el acceso",
        revoke_of: around(" de ", ""),
        password: "Contraseña",
        current_password: "Contraseña actual",
        new_password: "Contraseña nueva",
        password_hint: |characters| {
            format!(
                "Al menos {characters} caracteres. Se cerrarán tus sesiones en los demás navegadores."
            )
        },
        change_password: "Cambiar la contraseña",
        wrong_password: "La contraseña actual no es correcta.",
        password_changed: Said {
            title: "Tu contraseña ha cambiado",
            text: "Sigues con la sesión iniciada aquí; en los demás navegadores se ha cerrado.",
        },
    },
    passkeys: PasskeyTexts {
        title: "Llaves de acceso",
        text: "Inicia sesión sin contraseña: tu dispositivo, o lo que guarda tus contraseñas, demuestra que eres tú.",
        name: "Nombre de la llave de acceso",
        add: "Añadir una llave de acceso",
        remove: "Eliminar",
        remove_of: around(" ", ""),
        new: Said {
            title: "Crear una llave de acceso",
            text: "El navegador te pide tu huella, tu cara o el PIN del dispositivo. No salen de él.",
        },
        create: "Crear llave de acceso",
        failed: "La llave de acceso no se ha creado. Inténtalo de nuevo.",
        bad_name_or_too_many: "Una llave de acceso necesita un nombre de 1 a 30 caracteres, y puedes tener 16 como máximo.",
        last_factor: "Tu inicio de sesión pide una llave de acceso, y esta es la última. Añade otra antes.",
        needs_script: "Una llave de acceso necesita JavaScript, que este navegador no ejecuta.",
    },
    device: DeviceTexts {
        title: "Conectar un dispositivo",
        lede: "Escribe el código que muestra tu dispositivo.",
        code: "Código",
        not_recognised: "Código no reconocido",
        no_device: "Ningún dispositivo espera este código. Revísalo o vuelve a empezar en el \
                    dispositivo.",
        shows: around("¿Tu dispositivo muestra ", "?"),
        connected: Said {
            title: "Tu dispositivo está conectado",
            text: "Puedes volver a él y cerrar esta ventana.",
        },
        denied: Said {
            title: "Acceso denegado",
            text: "No se ha dado acceso a tu dispositivo. Puedes cerrar esta ventana.",
        },
        another_code: "Escribir otro código",
    },
    sign_out: SignOutTexts {
        title: "Cerrar sesión",
        question: "¿Quieres cerrar la sesión?",
        signed_in_as: around("Has iniciado sesión como ", "."),
        stay: "Mantener la sesión",
        signed_out: "Has cerrado la sesión",
        signed_out_title: "Sesión cerrada",
        close: "Puedes cerrar esta ventana.",
        apps_too: "También se está cerrando la sesión en tus aplicaciones.",
        continue_to: around("Continuar en ", ""),
        again: "Volver a iniciar sesión",
    },
    errors: ErrorTexts {
        not_found: Said {
            title: "No encontrado",
            text: "No hay ninguna página en esta dirección.",
        },
        refused: "Se ha rechazado esta petición",
        expired: Said {
            title: "Este inicio de sesión ha caducado",
            text: "Empezó hace demasiado tiempo o en otro navegador, o ya se ha completado. Vuelve a \
                   la aplicación y empieza de nuevo.",
        },
        invalid: Said {
            title: "Esta petición no es válida",
            text: "La aplicación que te ha traído aquí ha hecho una petición no válida. No se ha \
                   compartido nada con ella. Avisa a quienes la desarrollan.",
        },
        too_many_sign_ins: "Demasiados inicios de sesión",
        too_many_sign_ins_text: |seconds| {
            format!(
                "Se han empezado demasiados inicios de sesión desde tu red. Vuelve a intentarlo en \
                 {seconds} s."
            )
        },
        too_many_attempts: "Demasiados intentos",
        server: "Algo ha fallado en el servidor. Vuelve a intentarlo.",
        broken: Said {
            title: "Algo ha fallado",
            text: "No se ha podido mostrar esta página. Vuelve a intentarlo.",
        },
        withheld_title: "Sesión no iniciada",
        withheld: "No has iniciado sesión",
        withheld_text: around(
            "Una aplicación de ",
            " te ha traído aquí, y su petición no sigue adelante. No se ha compartido nada con ella. \
             Esta aplicación se registró a sí misma; vuelve a ella solo si la conoces.",
        ),
        return_to: around("Volver a ", ""),
    },
    messages: MessageTexts {
        code_subject: |site| format!("Tu código para {site}"),
        code_intro: |site| {
            format!("Escribe este código en {site} para confirmar que esta dirección es tuya:")
        },
        code_short: |site, code, minutes| {
            format!(
                "{site}: tu código es {code}. Es válido durante {minutes} minutos. No lo compartas."
            )
        },
        code_valid: |minutes| {
            format!("El código es válido durante {minutes} minutos y se puede usar una vez.")
        },
        code_secret: "No lo compartas con nadie. Si no lo has pedido, ignora este mensaje.",
        reset_subject: |site| format!("Elige una contraseña nueva para {site}"),
        reset_intro: |site| {
            format!("Alguien ha pedido una contraseña nueva para tu cuenta de {site}.")
        },
        reset_short: |site, link| format!("{site}: elige una contraseña nueva en {link}"),
        reset_label: "Elegir una contraseña nueva",
        reset_valid: |minutes| {
            format!("El enlace es válido durante {minutes} minutos y se puede usar una vez.")
        },
        reset_ignore: "Si no lo has pedido, ignora este mensaje; tu contraseña no cambia.",
        activation_subject: |site| format!("Activa tu cuenta de {site}"),
        activation_intro: |site| {
            format!(
                "Se ha creado una cuenta para ti en {site}. Elige una contraseña para activarla."
            )
        },
        activation_short: |site, link| format!("{site}: activa tu cuenta en {link}"),
        activation_label: "Elegir una contraseña",
        activation_valid: |hours| {
            format!("El enlace es válido durante {hours} horas y se puede usar una vez.")
        },
        activation_ignore: "Si no sabes de qué se trata, ignora este mensaje.",
        trial_subject: |site| format!("Mensaje de prueba de {site}"),
        trial_intro: |site| {
            format!("Este es un mensaje de prueba de {site}. El envío de correo funciona.")
        },
        trial_ignore: "No tienes que hacer nada.",
        trial_short: |site| format!("Mensaje de prueba de {site}."),
    },
};

const SCOPES: ScopeTexts = ScopeTexts {
    openid: "Ver quién eres",
    profile: "Ver tu perfil, como tu nombre y tu foto",
    profile_with_email: "Ver tu nombre y tu correo electrónico",
    email: "Ver tu correo electrónico",
    address: "Ver tu dirección postal",
    phone: "Ver tu número de teléfono",
    groups: "Ver en qué grupos estás",
    roles: "Ver qué roles tienes",
    user: "Actuar en tu nombre",
    offline_access: "Mantener el acceso mientras no la usas",
    api_read: "Leer todo lo que la API te deja leer",
    api_write: "Cambiar todo lo que la API te deja cambiar",
    read_everything: "Leer todo lo que tú puedes leer",
    change_everything: "Cambiar todo lo que tú puedes cambiar",
    everything: "Leer y cambiar todo lo que tú puedes",
    test_policies: "Probar políticas de acceso",
    administer: "Administrar este servidor: leer y cambiar todo lo que contiene",
    read_every: |kind| format!("Leer todos los recursos «{kind}» de este servidor"),
    read_with: |scope| format!("Leer con el ámbito {scope}"),
    use_scope: |scope| format!("Usar el ámbito {scope}"),
    claims: [
        "Ver tu nombre completo",
        "Ver tu nombre de pila",
        "Ver tus apellidos",
        "Ver tu segundo nombre",
        "Ver tu apodo",
        "Ver tu nombre de usuario",
        "Ver la dirección de tu página de perfil",
        "Ver tu foto",
        "Ver la dirección de tu sitio web",
        "Ver tu género",
        "Ver tu fecha de nacimiento",
        "Ver tu zona horaria",
        "Ver tu idioma",
        "Ver cuándo cambió tu perfil por última vez",
        "Ver tu correo electrónico",
        "Ver si tu correo electrónico está verificado",
        "Ver tu dirección postal",
        "Ver tu número de teléfono",
        "Ver si tu número de teléfono está verificado",
        "Ver en qué grupos estás",
        "Ver qué roles tienes",
    ],
    other_claim: |claim| format!("Ver el dato {claim}"),
    phrases: PhraseTexts {
        read: "leer",
        follow: "seguir",
        create: "crear",
        change: "cambiar",
        delete: "eliminar",
        call: "usar",
        any_way: "cambiar de cualquier forma",
        anything: "cualquier cosa",
        and: " y ",
        plural: |words| format!("«{words}»"),
        quoted: |words| format!("«{words}»"),
        done_to: |verbs, nouns| format!("{verbs} {nouns}"),
        and_more: |kinds| match kinds {
            1 => "; y lo mismo con otro tipo de datos".to_owned(),
            _ => format!("; y lo mismo con otros {kinds} tipos de datos"),
        },
    },
};
