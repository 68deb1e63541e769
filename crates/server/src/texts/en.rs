//! English.

use super::{
    AccountTexts, CommonTexts, ConsentTexts, DemandTexts, DeviceTexts, ErrorTexts, LoginTexts,
    MessageTexts, PasskeyTexts, PasswordTexts, Said, ScopeTexts, SecondFactorTexts, SetupTexts,
    SignOutTexts, Texts, around, scopes::PhraseTexts,
};

pub(super) const TEXTS: Texts = Texts {
    tag: "en",
    common: CommonTexts {
        cancel: "Cancel",
        sign_in: "Sign in",
        username_or_email: "Username or e-mail",
        password: "Password",
        show_password: "Show password",
        opens_new_tab: " (opens a new tab)",
        continue_: "Continue",
        to_account: "Go to your account",
        detail: "Detail",
        reference: "Reference (quote it when asking for help)",
        app_on_device: "an app on this device",
        throttled: |seconds| format!("Too many attempts. Try again in {seconds} s."),
        months: [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
        date: |day, month, year| format!("{day} {month} {year}"),
    },
    login: LoginTexts {
        title: "Sign in",
        failed: "Sign-in failed",
        to_app: around("to continue to ", ""),
        to_site: around("to ", ""),
        forgot: "Forgot your password?",
        with_passkey: "Sign in with a passkey",
        passkey_failed: "The passkey could not be used. Try again, or sign in another way.",
    },
    second_factor: SecondFactorTexts {
        title: "Confirm your sign-in",
        recovery_instead: "Use a recovery code instead",
        with_passkey: "Use a passkey",
        needs_script: "A passkey needs JavaScript, which this browser does not run. Allow it for this site, or confirm in another way.",
        confirm: "Confirm",
        unusable: Said {
            title: "You cannot sign in",
            text: "Your account signs in with a second factor, and nothing that you registered for it \
                   can be used any more. Ask your administrator to reset it.",
        },
    },
    consent: ConsentTexts {
        title: around("Allow ", "?"),
        wants_identity: around("", " would like to know who you are"),
        wants_access: around("", " would like access to your account"),
        signed_in_as: "Signed in as",
        not_you: "Not you?",
        identity_only: "It only sees who you are and gets no other access.",
        reads: "It will be able to read",
        writes: "It will be able to change",
        administers: "It will be able to administer this server",
        administers_warning: "Allow this only if you trust the app as much as another administrator.",
        scopes: "Scopes, for developers",
        device_code: around(
            "Continue only if your device shows the code ",
            " and you started this yourself.",
        ),
        never_asked: around("Nobody from ", " will ever ask you for it."),
        device_continues: "Your device continues by itself.",
        sent_to: around("In either case you will be sent to ", "."),
        revocable: "You can revoke access in your account at any time.",
        allow: "Allow",
        deny: "Deny",
    },
    scopes: SCOPES,
    setup: SetupTexts {
        title: "Create the first administrator",
        lede: "This account can manage everything on this site: people, apps and keys.",
        username: "Username",
        create: "Create administrator",
        spent: "This link has already been used, or has expired. Restart the server to get a new one.",
        crowd: around(
            "There are people already, and the link is only for a server without administrators. On \
             the server, run ",
            ", or add the group “administrators” to an existing person.",
        ),
        bad_name: "A username must have 1 to 128 letters, digits, dots, dashes and underscores.",
        taken: "This username is already taken.",
        done: "You administer this server",
        done_text: "You are signed in. What to do next:",
        steps: [
            "Connect an app, which a file describes: ",
            "Add people, and say what they may do by their groups: ",
            "Put the server in front of your API, and see which scopes its fields require: ",
        ],
    },
    password: PasswordTexts {
        title: "Set a new password",
        lede: "You will be signed out everywhere.",
        new: "New password",
        repeat: "Repeat password",
        repeat_new: "Repeat new password",
        hint: |characters| {
            format!("At least {characters} characters. A few words in a row work well.")
        },
        set: "Set password",
        is_set: Said {
            title: "Your password is set",
            text: "You were signed out everywhere. Sign in with your new password.",
        },
        differ: "The passwords do not match.",
        blank: "The password must not be empty or blank. Choose another one.",
        short: |characters| {
            format!("The password must have at least {characters} characters. Choose another one.")
        },
        hash: "This is a hash. Choose a password.",
        rules: "The password must have ",
        present: "The new password is the current one. Choose another one.",
        reused: "You had this password before. Choose another one.",
        demands: DemandTexts {
            at_least: "at least",
            at_most: "at most",
            nouns: [
                ("character", "characters"),
                ("lower-case letter", "lower-case letters"),
                ("upper-case letter", "upper-case letters"),
                ("digit", "digits"),
                ("special character", "special characters"),
                ("different character", "different characters"),
                ("character in sequence", "characters in sequence"),
            ],
        },
        link_spent: Said {
            title: "This link is not valid",
            text: "This link is not valid any more. Ask for a new one.",
        },
        ask_again: "Ask for a new link",
        forgot: Said {
            title: "Forgot your password?",
            text: "We send you a link that sets a new one.",
        },
        enter_name: "Enter your username or e-mail.",
        send_link: "Send link",
        link_sent_title: "Look into your mailbox",
        link_sent: |minutes| {
            format!(
                "If we know you by this name and have your e-mail address, a link is on its way to \
                 you. It is valid for {minutes} minutes. If nothing arrives, look into your spam \
                 folder, or ask your administrator."
            )
        },
        no_mail: Said {
            title: "Links are not sent",
            text: "This server sends no mail. Ask your administrator for a new password.",
        },
    },
    account: AccountTexts {
        title: "Your account",
        sign_out: "Sign out",
        sessions: "Where you are signed in",
        this_browser: "This browser",
        another_browser: "Another browser",
        used: |since, used| format!("Since {since}, last used {used}"),
        signed_in_to: around("Signed in to ", ""),
        there: " there",
        sign_out_others: "Sign out everywhere else",
        apps: "Connected apps",
        no_apps: "No app has access to your account yet. Apps that you allow appear here.",
        since: |day| format!("Since {day}"),
        identity_only: "Can see who you are, nothing else",
        permissions: "Permissions",
        revoke: "Revoke access",
        revoke_of: around(" of ", ""),
        password: "Password",
        current_password: "Current password",
        new_password: "New password",
        password_hint: |characters| {
            format!("At least {characters} characters. You will be signed out everywhere else.")
        },
        change_password: "Change password",
        wrong_password: "The current password is wrong.",
        password_changed: Said {
            title: "Your password is changed",
            text: "You are still signed in here, and were signed out everywhere else.",
        },
    },
    passkeys: PasskeyTexts {
        title: "Passkeys",
        text: "Sign in without a password: your device, or what keeps your passwords, proves that it is you.",
        name: "Name of the passkey",
        add: "Add a passkey",
        remove: "Remove",
        remove_of: around(" ", ""),
        new: Said {
            title: "Create a passkey",
            text: "Your browser asks for your fingerprint, your face or the PIN of your device. Neither leaves it.",
        },
        create: "Create passkey",
        failed: "The passkey was not created. Try again.",
        bad_name_or_too_many: "A passkey needs a name of 1 to 30 characters, and you can have 16 at most.",
        last_factor: "Your sign-in asks for a passkey, and this is the last one. Add another one first.",
        needs_script: "A passkey needs JavaScript, which this browser does not run.",
    },
    device: DeviceTexts {
        title: "Connect a device",
        lede: "Enter the code shown on your device.",
        code: "Code",
        not_recognised: "Code not recognised",
        no_device: "No device is waiting for this code. Check the code, or start again on the device.",
        shows: around("Does your device show ", "?"),
        connected: Said {
            title: "Your device is connected",
            text: "You can go back to it and close this window.",
        },
        denied: Said {
            title: "Access denied",
            text: "Your device was not given access. You can close this window.",
        },
        another_code: "Enter another code",
    },
    sign_out: SignOutTexts {
        title: "Sign out",
        question: "Do you want to sign out?",
        signed_in_as: around("You are signed in as ", "."),
        stay: "Stay signed in",
        signed_out: "You are signed out",
        signed_out_title: "Signed out",
        close: "You can close this window.",
        apps_too: "You are being signed out of your apps as well.",
        continue_to: around("Continue to ", ""),
        again: "Sign in again",
    },
    errors: ErrorTexts {
        not_found: Said { title: "Not found", text: "There is no page at this address." },
        refused: "This request was refused",
        expired: Said {
            title: "This sign-in has expired",
            text: "It was started too long ago or in another browser, or it is already complete. Go \
                   back to the app and start again.",
        },
        invalid: Said {
            title: "This request is not valid",
            text: "The app that sent you here made an invalid request. Nothing was shared with it. \
                   Please report this to its developers.",
        },
        too_many_sign_ins: "Too many sign-ins",
        too_many_sign_ins_text: |seconds| {
            format!(
                "Too many sign-ins have been started from your network. Try again in {seconds} s."
            )
        },
        too_many_attempts: "Too many attempts",
        server: "Something went wrong on the server. Try again.",
        broken: Said {
            title: "Something went wrong",
            text: "This page could not be shown. Please try again.",
        },
        withheld_title: "Not signed in",
        withheld: "You are not signed in",
        withheld_text: around(
            "An app at ",
            " sent you here, and its request goes no further. Nothing was shared with it. This app \
             registered itself; go back to it only if you know it.",
        ),
        return_to: around("Return to ", ""),
    },
    messages: MessageTexts {
        code_subject: |site| format!("Your code for {site}"),
        code_intro: |site| {
            format!("Enter this code at {site} to confirm that this address is yours:")
        },
        code_short: |site, code, minutes| {
            format!(
                "{site}: your code is {code}. It is valid for {minutes} minutes. Do not share it."
            )
        },
        code_valid: |minutes| {
            format!("The code is valid for {minutes} minutes and can be used once.")
        },
        code_secret: "Do not share it with anybody. If you did not ask for it, ignore this message.",
        reset_subject: |site| format!("Set a new password for {site}"),
        reset_intro: |site| {
            format!("Somebody asked to set a new password for your account at {site}.")
        },
        reset_short: |site, link| format!("{site}: set a new password at {link}"),
        reset_label: "Set a new password",
        reset_valid: |minutes| {
            format!("The link is valid for {minutes} minutes and can be used once.")
        },
        reset_ignore: "If you did not ask for it, ignore this message; your password stays as it is.",
        activation_subject: |site| format!("Activate your account at {site}"),
        activation_intro: |site| {
            format!("An account at {site} was set up for you. Set a password to activate it.")
        },
        activation_short: |site, link| format!("{site}: activate your account at {link}"),
        activation_label: "Set a password",
        activation_valid: |hours| {
            format!("The link is valid for {hours} hours and can be used once.")
        },
        activation_ignore: "If you do not know what this is about, ignore this message.",
        trial_subject: |site| format!("Test message from {site}"),
        trial_intro: |site| format!("This is a test message from {site}. Sending mail works."),
        trial_ignore: "You do not need to do anything.",
        trial_short: |site| format!("Test message from {site}."),
    },
};

const SCOPES: ScopeTexts = ScopeTexts {
    openid: "See who you are",
    profile: "See your profile, such as your name and your picture",
    profile_with_email: "See your name and your e-mail address",
    email: "See your e-mail address",
    address: "See your postal address",
    phone: "See your telephone number",
    groups: "See which groups you are in",
    roles: "See which roles you have",
    user: "Act as you",
    offline_access: "Keep access while you are not using it",
    api_read: "Read everything that the API lets you read",
    api_write: "Change everything that the API lets you change",
    read_everything: "Read everything that you can",
    change_everything: "Change everything that you can",
    everything: "Read and change everything that you can",
    test_policies: "Try out access policies",
    administer: "Administer this server: read and change everything in it",
    read_every: |kind| format!("Read every {kind} of this server"),
    read_with: |scope| format!("Read with the scope {scope}"),
    use_scope: |scope| format!("Use the scope {scope}"),
    claims: [
        "See your name",
        "See your first name",
        "See your family name",
        "See your middle name",
        "See your nickname",
        "See your username",
        "See the address of your profile page",
        "See your picture",
        "See the address of your website",
        "See your gender",
        "See your date of birth",
        "See your time zone",
        "See your language",
        "See when your profile was last changed",
        "See your e-mail address",
        "See whether your e-mail address was verified",
        "See your postal address",
        "See your telephone number",
        "See whether your telephone number was verified",
        "See which groups you are in",
        "See which roles you have",
    ],
    other_claim: |claim| format!("See the claim {claim}"),
    phrases: PhraseTexts {
        read: "read",
        follow: "follow",
        create: "create",
        change: "change",
        delete: "delete",
        call: "use",
        any_way: "change in any way",
        anything: "anything",
        and: " and ",
        plural,
        quoted: |words| format!("“{words}”"),
        done_to: |verbs, nouns| format!("{verbs} {nouns}"),
        and_more: |kinds| match kinds {
            1 => "; and the like of one other kind of data".to_owned(),
            _ => format!("; and the like of {kinds} other kinds of data"),
        },
    },
};

/// Several of what `words` mean.
fn plural(words: &str) -> String {
    let ends = |ends: &[&str]| ends.iter().any(|end| words.ends_with(end));
    match words.strip_suffix('y') {
        Some(stem) if !ends(&["ay", "ey", "oy", "uy"]) => format!("{stem}ies"),
        _ if ends(&["s", "x", "z", "ch", "sh"]) => format!("{words}es"),
        _ => format!("{words}s"),
    }
}
