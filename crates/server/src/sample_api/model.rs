//! The table of types, scalars and relations. Everything else is derived from it.

/// A type of object in the archive.
pub(crate) struct Kind {
    /// The name of the GraphQL type.
    pub(crate) name: &'static str,
    /// A description for readers of the schema.
    pub(crate) about: &'static str,
    own_scalars: &'static [Scalar],
    /// What it points to.
    pub(crate) relations: &'static [Relation],
}

/// A piece of text on a [`Kind`].
#[derive(Debug)]
pub(crate) struct Scalar {
    /// The name of the field.
    pub(crate) name: &'static str,
    /// What it says, for readers of the schema.
    pub(crate) about: &'static str,
    /// How it is written.
    pub(crate) form: Form,
}

/// How a [`Scalar`] is written. What is stored, and shown, is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Any text.
    Text,
    /// As a date, as precisely as it is known: a text, or year, month and day.
    Date,
    /// As one of the values of an enumeration.
    OneOf(&'static Enumeration),
}

/// The values of a [`Scalar`] that may not be any text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Enumeration {
    /// The name of the GraphQL type.
    pub(crate) name: &'static str,
    /// A description for readers of the schema.
    pub(crate) about: &'static str,
    /// Each with what it means.
    pub(crate) values: &'static [(&'static str, &'static str)],
}

/// A relation from one [`Kind`] to another.
#[derive(Debug)]
pub(crate) struct Relation {
    /// The name of the field.
    pub(crate) name: &'static str,
    /// What it says, for readers of the schema.
    pub(crate) about: &'static str,
    /// What it points to.
    pub(crate) target: &'static Kind,
    /// To how many of them.
    pub(crate) reach: Reach,
}

/// To how many objects a [`Relation`] points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A relation to at most one object.
    One,
    /// A list of relations.
    Many,
}

impl Kind {
    /// Every scalar apart from `identifier`, which is the key and no plain text.
    pub(crate) fn scalars(&self) -> impl Iterator<Item = &'static Scalar> + use<> {
        let own = self.own_scalars;
        let common = COMMON.iter().filter(|one| own.iter().all(|other| other.name != one.name));
        std::iter::once(&NAME).chain(own).chain(common)
    }

    /// The scalar called `name`.
    pub(crate) fn scalar(&self, name: &str) -> Option<&'static Scalar> {
        self.scalars().find(|scalar| scalar.name == name)
    }

    /// The relation called `name`.
    pub(crate) fn relation(&self, name: &str) -> Option<&'static Relation> {
        self.relations.iter().find(|relation| relation.name == name)
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Types point at each other in circles, so printing what they point to would not end.
        f.debug_tuple("Kind").field(&self.name).finish()
    }
}

const fn text(name: &'static str, about: &'static str) -> Scalar {
    Scalar { name, about, form: Form::Text }
}

const fn date(name: &'static str, about: &'static str) -> Scalar {
    Scalar { name, about, form: Form::Date }
}

const fn one_of(name: &'static str, values: &'static Enumeration, about: &'static str) -> Scalar {
    Scalar { name, about, form: Form::OneOf(values) }
}

const fn one(name: &'static str, target: &'static Kind, about: &'static str) -> Relation {
    Relation { name, about, target, reach: Reach::One }
}

const fn many(name: &'static str, target: &'static Kind, about: &'static str) -> Relation {
    Relation { name, about, target, reach: Reach::Many }
}

static NAME: Scalar = text("name", "The name most people know it by.");

/// The fields that every object has besides: the elements of Dublin Core (ISO 15836-1) that are not
/// relations, and the properties of schema.org's `Thing`. Clients of the API that this one is
/// modelled on send them.
static COMMON: [Scalar; 18] = [
    text("title", "The title of the page in `source`."),
    text("description", "What it is, in a few words."),
    text("subject", "What it is about."),
    text("contributor", "Where what is said here was taken from."),
    text("creator", "Who or what put it here."),
    text("publisher", "Who made it available."),
    text("source", "The address of the page that it is described on."),
    text("format", "The media type of `source`."),
    text("type", "What sort of thing it is."),
    text("coverage", "The places and times that it is about."),
    text("rights", "What may be done with it."),
    text("date", "A date in its life."),
    one_of("language", &LANGUAGE, "The language of what is said here."),
    text("alternateName", "Another name for it."),
    text("disambiguatingDescription", "What tells it from others of its name."),
    text("image", "The address of a picture."),
    text("sameAs", "The address of a page that says beyond doubt what it is."),
    text("url", "Its address."),
];

/// The enumerations, in the order of the schema.
pub(crate) static ENUMERATIONS: [&Enumeration; 2] = [&LANGUAGE, &GENDER];

static LANGUAGE: Enumeration = Enumeration {
    name: "AvailableLanguage",
    about: "The languages that things are described in.",
    values: &[
        ("ca", "Catalan."),
        ("de", "German."),
        ("en", "English."),
        ("es", "Spanish."),
        ("fr", "French."),
        ("nl", "Dutch."),
    ],
};

static GENDER: Enumeration = Enumeration {
    name: "Gender",
    about: "What somebody is known as.",
    values: &[("female", "A woman."), ("male", "A man."), ("other", "Neither of them.")],
};

/// Every type, in the order of the schema.
pub(crate) static KINDS: [&Kind; 7] = [
    &PERSON,
    &PLACE,
    &ORGANIZATION,
    &MUSIC_COMPOSITION,
    &MUSIC_RECORDING,
    &MUSIC_ALBUM,
    &CONTROL_ACTION,
];

/// A composer, a performer or another person.
pub(crate) static PERSON: Kind = Kind {
    name: "Person",
    about: "Somebody who composed, played or otherwise left a mark.",
    own_scalars: &[
        text("givenName", "The given name."),
        text("familyName", "The family name."),
        date("birthDate", "When they were born, as precisely as it is known."),
        date("deathDate", "When they died, as precisely as it is known."),
        one_of("gender", &GENDER, "What they are known as."),
        text("honorificPrefix", "What is said before the name."),
        text("honorificSuffix", "What is said after the name."),
        text("jobTitle", "What they did for a living."),
        text("description", "Who they were, in a few words."),
    ],
    relations: &[
        one("birthPlace", &PLACE, "Where they were born."),
        one("deathPlace", &PLACE, "Where they died."),
        many("knows", &PERSON, "Whom they knew."),
        many("memberOf", &ORGANIZATION, "What they belonged to."),
        many("exactMatch", &PERSON, "Entries elsewhere about the same person."),
    ],
};

/// A town or a region.
pub(crate) static PLACE: Kind = Kind {
    name: "Place",
    about: "A town or a region.",
    own_scalars: &[
        text("description", "What is worth knowing about it."),
        text("latitude", "Degrees north, as a decimal number."),
        text("longitude", "Degrees east, as a decimal number."),
    ],
    relations: &[one("containedInPlace", &PLACE, "The larger place it lies in.")],
};

/// A school, an orchestra, a choir.
pub(crate) static ORGANIZATION: Kind = Kind {
    name: "Organization",
    about: "A school, an orchestra, a choir.",
    own_scalars: &[
        text("foundingDate", "When it was founded, as precisely as it is known."),
        text("description", "What it is, in a few words."),
    ],
    relations: &[
        one("location", &PLACE, "Where it has its seat."),
        many("founder", &PERSON, "Who founded it."),
    ],
};

/// A work of music.
pub(crate) static MUSIC_COMPOSITION: Kind = Kind {
    name: "MusicComposition",
    about: "A work of music, whoever plays it.",
    own_scalars: &[
        text("title", "The title on the page."),
        text("musicCompositionForm", "Its form: symphony, opera, song."),
        text("catalogueNumber", "Its opus or its number in the catalogue of the composer's works."),
        text("dateCreated", "When it was finished."),
        text("datePublished", "When it was first printed."),
        text("datePremiered", "When it was first heard in public."),
        text("inLanguage", "The language that is sung, as a BCP 47 tag."),
        text("description", "What is worth knowing about it."),
    ],
    relations: &[
        many("composer", &PERSON, "Who wrote the music."),
        many("lyricist", &PERSON, "Who wrote the words."),
        one("locationCreated", &PLACE, "Where it was written."),
    ],
};

/// A sound that was kept.
pub(crate) static MUSIC_RECORDING: Kind = Kind {
    name: "MusicRecording",
    about: "A performance that was kept.",
    own_scalars: &[
        text("dateCreated", "When it was recorded."),
        text("duration", "How long it lasts, as an ISO 8601 duration."),
        text("description", "What is worth knowing about it."),
    ],
    relations: &[
        one("recordingOf", &MUSIC_COMPOSITION, "The work that is played."),
        many("performer", &PERSON, "Who plays."),
        one("locationCreated", &PLACE, "Where it was recorded."),
    ],
};

/// Recordings that belong together.
pub(crate) static MUSIC_ALBUM: Kind = Kind {
    name: "MusicAlbum",
    about: "Recordings that belong together.",
    own_scalars: &[
        text("datePublished", "When it came out."),
        text("description", "What holds it together."),
    ],
    relations: &[
        many("track", &MUSIC_RECORDING, "The recordings, in their order."),
        many("byArtist", &PERSON, "Whose album it is."),
    ],
};

/// A request for work to be done.
pub(crate) static CONTROL_ACTION: Kind = Kind {
    name: "ControlAction",
    about: "Work on the archive that somebody asked for.",
    own_scalars: &[
        text("actionStatus", "How far it is, in the words of schema.org's ActionStatusType."),
        text("description", "What shall be done."),
        text("instrument", "What it shall be done with."),
        text("startTime", "When it began."),
        text("endTime", "When it ended."),
    ],
    relations: &[
        one("agent", &PERSON, "Who does it."),
        one("object", &MUSIC_COMPOSITION, "What it is done to."),
    ],
};
