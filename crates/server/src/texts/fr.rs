//! French.

use super::{
    AccountTexts, CommonTexts, ConsentTexts, DemandTexts, DeviceTexts, ErrorTexts, LoginTexts,
    MessageTexts, PasskeyTexts, PasswordTexts, Said, ScopeTexts, SecondFactorTexts, SetupTexts,
    SignOutTexts, Texts, around, scopes::PhraseTexts,
};

pub(super) const TEXTS: Texts = Texts {
    tag: "fr",
    common: CommonTexts {
        cancel: "Annuler",
        sign_in: "Se connecter",
        username_or_email: "Nom d’utilisateur ou adresse e-mail",
        password: "Mot de passe",
        show_password: "Afficher le mot de passe",
        opens_new_tab: " (s’ouvre dans un nouvel onglet)",
        continue_: "Continuer",
        to_account: "Aller à votre compte",
        detail: "Détail",
        reference: "Référence (à indiquer si vous demandez de l’aide)",
        app_on_device: "une application de cet appareil",
        throttled: |seconds| format!("Trop de tentatives. Réessayez dans {seconds} s."),
        months: [
            "janvier",
            "février",
            "mars",
            "avril",
            "mai",
            "juin",
            "juillet",
            "août",
            "septembre",
            "octobre",
            "novembre",
            "décembre",
        ],
        date: |day, month, year| match day {
            1 => format!("1er {month} {year}"),
            _ => format!("{day} {month} {year}"),
        },
    },
    login: LoginTexts {
        title: "Se connecter",
        failed: "Échec de la connexion",
        to_app: around("pour continuer vers ", ""),
        to_site: around("à ", ""),
        forgot: "Mot de passe oublié ?",
        with_passkey: "Se connecter avec une clé d’accès",
        passkey_failed: "La clé d’accès n’a pas pu être utilisée. Réessayez, ou connectez-vous autrement.",
    },
    second_factor: SecondFactorTexts {
        title: "Confirmez votre connexion",
        recovery_instead: "Utiliser plutôt un code de récupération",
        with_passkey: "Utiliser une clé d’accès",
        needs_script: "Une clé d’accès a besoin de JavaScript, que ce navigateur n’exécute pas. Autorisez-le pour ce site, ou confirmez autrement.",
        confirm: "Confirmer",
        unusable: Said {
            title: "Vous ne pouvez pas vous connecter",
            text: "Votre compte demande un second facteur, et rien de ce que vous avez enregistré pour \
                   cela ne peut plus servir. Demandez à votre administrateur de le réinitialiser.",
        },
    },
    consent: ConsentTexts {
        title: around("Autoriser ", " ?"),
        wants_identity: around("", " souhaite savoir qui vous êtes"),
        wants_access: around("", " souhaite accéder à votre compte"),
        signed_in_as: "Connecté en tant que",
        not_you: "Ce n’est pas vous ?",
        identity_only: "L’application voit seulement qui vous êtes et n’a aucun autre accès.",
        reads: "L’application pourra lire",
        writes: "L’application pourra modifier",
        administers: "L’application pourra administrer ce serveur",
        administers_warning: "N’autorisez cela que si vous faites autant confiance à l’application \
                              qu’à un autre administrateur.",
        scopes: "Portées (scopes), pour les développeurs",
        device_code: around(
            "Continuez seulement si votre appareil affiche le code ",
            " et si c’est vous qui avez commencé.",
        ),
        never_asked: around("Personne de ", " ne vous le demandera jamais."),
        device_continues: "Votre appareil continuera de lui-même.",
        sent_to: around("Dans les deux cas, vous irez à ", "."),
        revocable: "Vous pouvez retirer l’accès à tout moment dans votre compte.",
        allow: "Autoriser",
        deny: "Refuser",
    },
    scopes: SCOPES,
    setup: SetupTexts {
        title: "Créer le premier compte d’administration",
        lede: "Ce compte peut tout gérer sur ce site : personnes, applications et clés.",
        username: "Nom d’utilisateur",
        create: "Créer le compte",
        spent: "Ce lien a déjà servi ou a expiré. Redémarrez le serveur pour en obtenir un nouveau.",
        crowd: around(
            "Il y a déjà des personnes, et le lien n’est que pour un serveur sans administrateur. Sur \
             le serveur, exécutez ",
            " ou ajoutez le groupe « administrators » à une personne existante.",
        ),
        bad_name: "Un nom d’utilisateur comporte de 1 à 128 lettres, chiffres, points, tirets et tirets \
                   bas.",
        taken: "Ce nom d’utilisateur est déjà pris.",
        done: "Vous administrez ce serveur",
        done_text: "Vous êtes connecté. Pour la suite :",
        steps: [
            "Connectez une application, décrite dans un fichier : ",
            "Ajoutez des personnes et dites par leurs groupes ce qu’elles peuvent faire : ",
            "Placez le serveur devant votre API et voyez quelles portées ses champs exigent : ",
        ],
    },
    password: PasswordTexts {
        title: "Choisir un nouveau mot de passe",
        lede: "Vous serez déconnecté partout.",
        new: "Nouveau mot de passe",
        repeat: "Répétez le mot de passe",
        repeat_new: "Répétez le nouveau mot de passe",
        hint: |characters| {
            format!("Au moins {characters} caractères. Quelques mots à la suite conviennent bien.")
        },
        set: "Enregistrer le mot de passe",
        is_set: Said {
            title: "Votre mot de passe est enregistré",
            text: "Vous avez été déconnecté partout. Connectez-vous avec votre nouveau mot de passe.",
        },
        differ: "Les mots de passe ne correspondent pas.",
        blank: "Le mot de passe ne doit pas être vide. Choisissez-en un autre.",
        short: |characters| {
            format!(
                "Le mot de passe doit avoir au moins {characters} caractères. Choisissez-en un autre."
            )
        },
        hash: "Ceci est une empreinte (hash). Choisissez un mot de passe.",
        rules: "Le mot de passe doit avoir ",
        present: "Le nouveau mot de passe est l’actuel. Choisissez-en un autre.",
        reused: "Vous avez déjà eu ce mot de passe. Choisissez-en un autre.",
        demands: DemandTexts {
            at_least: "au moins",
            at_most: "au plus",
            nouns: [
                ("caractère", "caractères"),
                ("lettre minuscule", "lettres minuscules"),
                ("lettre majuscule", "lettres majuscules"),
                ("chiffre", "chiffres"),
                ("caractère spécial", "caractères spéciaux"),
                ("caractère différent", "caractères différents"),
                ("caractère consécutif", "caractères consécutifs"),
            ],
        },
        link_spent: Said {
            title: "Ce lien n’est pas valable",
            text: "Ce lien n’est plus valable. Demandez-en un nouveau.",
        },
        ask_again: "Demander un nouveau lien",
        forgot: Said {
            title: "Mot de passe oublié ?",
            text: "Nous vous envoyons un lien pour en choisir un nouveau.",
        },
        enter_name: "Saisissez votre nom d’utilisateur ou votre adresse e-mail.",
        send_link: "Envoyer le lien",
        link_sent_title: "Regardez votre boîte aux lettres",
        link_sent: |minutes| {
            format!(
                "Si nous vous connaissons sous ce nom et avons votre adresse e-mail, un lien est en \
                 route. Il est valable {minutes} minutes. Si rien n’arrive, regardez dans le courrier \
                 indésirable ou adressez-vous à votre administrateur."
            )
        },
        no_mail: Said {
            title: "Aucun lien n’est envoyé",
            text: "Ce serveur n’envoie pas d’e-mails. Demandez un nouveau mot de passe à votre \
                   administrateur.",
        },
    },
    account: AccountTexts {
        title: "Votre compte",
        sign_out: "Se déconnecter",
        sessions: "Où vous êtes connecté",
        this_browser: "Ce navigateur",
        another_browser: "Un autre navigateur",
        used: |since, used| format!("Depuis le {since}, utilisé la dernière fois le {used}"),
        signed_in_to: around("Connecté à ", ""),
        there: " là-bas",
        sign_out_others: "Se déconnecter partout ailleurs",
        apps: "Applications connectées",
        no_apps: "Aucune application n’a encore accès à votre compte. Celles que vous autorisez \
                  apparaissent ici.",
        since: |day| format!("Depuis le {day}"),
        identity_only: "Voit qui vous êtes, rien d’autre",
        permissions: "Autorisations",
        revoke: "Retirer l’accès",
        revoke_of: around(" de ", ""),
        password: "Mot de passe",
        current_password: "Mot de passe actuel",
        new_password: "Nouveau mot de passe",
        password_hint: |characters| {
            format!("Au moins {characters} caractères. Vous serez déconnecté partout ailleurs.")
        },
        change_password: "Changer le mot de passe",
        wrong_password: "Le mot de passe actuel est incorrect.",
        password_changed: Said {
            title: "Votre mot de passe est changé",
            text: "Vous restez connecté ici et avez été déconnecté partout ailleurs.",
        },
    },
    passkeys: PasskeyTexts {
        title: "Clés d’accès",
        text: "Connectez-vous sans mot de passe : votre appareil, ou ce qui garde vos mots de passe, prouve que c’est bien vous.",
        name: "Nom de la clé d’accès",
        add: "Ajouter une clé d’accès",
        remove: "Supprimer",
        remove_of: around(" ", ""),
        new: Said {
            title: "Créer une clé d’accès",
            text: "Votre navigateur demande votre empreinte, votre visage ou le code de votre appareil. Ils ne le quittent pas.",
        },
        create: "Créer la clé d’accès",
        failed: "La clé d’accès n’a pas été créée. Réessayez.",
        bad_name_or_too_many: "Une clé d’accès a besoin d’un nom de 1 à 30 caractères, et vous pouvez en avoir 16 au plus.",
        last_factor: "Votre connexion demande une clé d’accès, et c’est la dernière. Ajoutez-en d’abord une autre.",
        needs_script: "Une clé d’accès a besoin de JavaScript, que ce navigateur n’exécute pas.",
    },
    device: DeviceTexts {
        title: "Connecter un appareil",
        lede: "Saisissez le code affiché sur votre appareil.",
        code: "Code",
        not_recognised: "Code non reconnu",
        no_device: "Aucun appareil n’attend ce code. Vérifiez-le ou recommencez sur l’appareil.",
        shows: around("Votre appareil affiche-t-il ", " ?"),
        connected: Said {
            title: "Votre appareil est connecté",
            text: "Vous pouvez y retourner et fermer cette fenêtre.",
        },
        denied: Said {
            title: "Accès refusé",
            text: "Votre appareil n’a pas obtenu l’accès. Vous pouvez fermer cette fenêtre.",
        },
        another_code: "Saisir un autre code",
    },
    sign_out: SignOutTexts {
        title: "Se déconnecter",
        question: "Voulez-vous vous déconnecter ?",
        signed_in_as: around("Vous êtes connecté en tant que ", "."),
        stay: "Rester connecté",
        signed_out: "Vous êtes déconnecté",
        signed_out_title: "Déconnecté",
        close: "Vous pouvez fermer cette fenêtre.",
        apps_too: "Vous êtes aussi déconnecté de vos applications.",
        continue_to: around("Continuer vers ", ""),
        again: "Se reconnecter",
    },
    errors: ErrorTexts {
        not_found: Said { title: "Introuvable", text: "Il n’y a aucune page à cette adresse." },
        refused: "Cette requête a été refusée",
        expired: Said {
            title: "Cette connexion a expiré",
            text: "Elle a été commencée il y a trop longtemps ou dans un autre navigateur, ou elle est \
                   déjà terminée. Retournez à l’application et recommencez.",
        },
        invalid: Said {
            title: "Cette requête n’est pas valable",
            text: "L’application qui vous a envoyé ici a fait une requête non valable. Rien ne lui a \
                   été communiqué. Veuillez le signaler à ceux qui la développent.",
        },
        too_many_sign_ins: "Trop de connexions",
        too_many_sign_ins_text: |seconds| {
            format!(
                "Trop de connexions ont été commencées depuis votre réseau. Réessayez dans {seconds} s."
            )
        },
        too_many_attempts: "Trop de tentatives",
        server: "Une erreur s’est produite sur le serveur. Réessayez.",
        broken: Said {
            title: "Une erreur s’est produite",
            text: "Cette page n’a pas pu être affichée. Réessayez.",
        },
        withheld_title: "Non connecté",
        withheld: "Vous n’êtes pas connecté",
        withheld_text: around(
            "Une application de ",
            " vous a envoyé ici, et sa requête s’arrête là. Rien ne lui a été communiqué. Cette \
             application s’est enregistrée elle-même ; n’y retournez que si vous la connaissez.",
        ),
        return_to: around("Retourner à ", ""),
    },
    messages: MessageTexts {
        code_subject: |site| format!("Votre code pour {site}"),
        code_intro: |site| {
            format!("Saisissez ce code sur {site} pour confirmer que cette adresse est la vôtre :")
        },
        code_short: |site, code, minutes| {
            format!(
                "{site} : votre code est {code}. Il est valable {minutes} minutes. Ne le communiquez \
                 à personne."
            )
        },
        code_valid: |minutes| {
            format!("Le code est valable {minutes} minutes et ne peut servir qu’une fois.")
        },
        code_secret: "Ne le communiquez à personne. Si vous ne l’avez pas demandé, ignorez ce message.",
        reset_subject: |site| format!("Choisir un nouveau mot de passe pour {site}"),
        reset_intro: |site| {
            format!("Quelqu’un a demandé un nouveau mot de passe pour votre compte sur {site}.")
        },
        reset_short: |site, link| format!("{site} : choisissez un nouveau mot de passe sur {link}"),
        reset_label: "Choisir un nouveau mot de passe",
        reset_valid: |minutes| {
            format!("Le lien est valable {minutes} minutes et ne peut servir qu’une fois.")
        },
        reset_ignore: "Si vous ne l’avez pas demandé, ignorez ce message ; votre mot de passe reste \
                       inchangé.",
        activation_subject: |site| format!("Activez votre compte sur {site}"),
        activation_intro: |site| {
            format!(
                "Un compte a été créé pour vous sur {site}. Choisissez un mot de passe pour l’activer."
            )
        },
        activation_short: |site, link| format!("{site} : activez votre compte sur {link}"),
        activation_label: "Choisir un mot de passe",
        activation_valid: |hours| {
            format!("Le lien est valable {hours} heures et ne peut servir qu’une fois.")
        },
        activation_ignore: "Si vous ne savez pas de quoi il s’agit, ignorez ce message.",
        trial_subject: |site| format!("Message d’essai de {site}"),
        trial_intro: |site| {
            format!("Ceci est un message d’essai de {site}. L’envoi d’e-mails fonctionne.")
        },
        trial_ignore: "Vous n’avez rien à faire.",
        trial_short: |site| format!("Message d’essai de {site}."),
    },
};

const SCOPES: ScopeTexts = ScopeTexts {
    openid: "Voir qui vous êtes",
    profile: "Voir votre profil, comme votre nom et votre photo",
    profile_with_email: "Voir votre nom et votre adresse e-mail",
    email: "Voir votre adresse e-mail",
    address: "Voir votre adresse postale",
    phone: "Voir votre numéro de téléphone",
    groups: "Voir à quels groupes vous appartenez",
    roles: "Voir quels rôles vous avez",
    user: "Agir en votre nom",
    offline_access: "Garder l’accès pendant que vous ne l’utilisez pas",
    api_read: "Lire tout ce que l’API vous laisse lire",
    api_write: "Modifier tout ce que l’API vous laisse modifier",
    read_everything: "Lire tout ce que vous pouvez lire",
    change_everything: "Modifier tout ce que vous pouvez modifier",
    everything: "Lire et modifier tout ce que vous pouvez",
    test_policies: "Essayer des politiques d’accès",
    administer: "Administrer ce serveur : lire et modifier tout son contenu",
    read_every: |kind| format!("Lire toutes les ressources « {kind} » de ce serveur"),
    read_with: |scope| format!("Lire avec la portée {scope}"),
    use_scope: |scope| format!("Utiliser la portée {scope}"),
    claims: [
        "Voir votre nom complet",
        "Voir votre prénom",
        "Voir votre nom de famille",
        "Voir votre deuxième prénom",
        "Voir votre surnom",
        "Voir votre nom d’utilisateur",
        "Voir l’adresse de votre page de profil",
        "Voir votre photo",
        "Voir l’adresse de votre site web",
        "Voir votre genre",
        "Voir votre date de naissance",
        "Voir votre fuseau horaire",
        "Voir votre langue",
        "Voir quand votre profil a été modifié la dernière fois",
        "Voir votre adresse e-mail",
        "Voir si votre adresse e-mail est vérifiée",
        "Voir votre adresse postale",
        "Voir votre numéro de téléphone",
        "Voir si votre numéro de téléphone est vérifié",
        "Voir à quels groupes vous appartenez",
        "Voir quels rôles vous avez",
    ],
    other_claim: |claim| format!("Voir la donnée {claim}"),
    phrases: PhraseTexts {
        read: "lire",
        follow: "suivre",
        create: "créer",
        change: "modifier",
        delete: "supprimer",
        call: "utiliser",
        any_way: "modifier de toute manière",
        anything: "n’importe quoi",
        and: " et ",
        plural: |words| format!("« {words} »"),
        quoted: |words| format!("« {words} »"),
        done_to: |verbs, nouns| format!("{verbs} {nouns}"),
        and_more: |kinds| match kinds {
            1 => "; et de même pour un autre type de données".to_owned(),
            _ => format!("; et de même pour {kinds} autres types de données"),
        },
    },
};
