//! The attributes of users and groups (RFC 7643 §§4.1 to 4.3), as far as accounts and groups have them.

use super::{Attribute, Kind, Mutability, Returned, Type};

pub(in super::super) static USER: Type = Type {
    name: "User",
    endpoint: "/Users",
    description: "A person.",
    schema: "urn:ietf:params:scim:schemas:core:2.0:User",
    attributes: USER_ATTRIBUTES,
    extension: Some((
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        "EnterpriseUser",
        ENTERPRISE_ATTRIBUTES,
    )),
};

pub(in super::super) static GROUP: Type = Type {
    name: "Group",
    endpoint: "/Groups",
    description: "A group of people.",
    schema: "urn:ietf:params:scim:schemas:core:2.0:Group",
    attributes: GROUP_ATTRIBUTES,
    extension: None,
};

const fn text(name: &'static str, description: &'static str) -> Attribute {
    Attribute::new(name, Kind::String, description)
}

const SCHEMAS: Attribute =
    Attribute::new("schemas", Kind::Reference, "The schemas of the resource.")
        .many()
        .exact()
        .is(Mutability::ReadOnly)
        .returned(Returned::Always);
const ID: Attribute = text("id", "The id of the resource, assigned by the server.")
    .exact()
    .unique()
    .is(Mutability::ReadOnly)
    .returned(Returned::Always);
const EXTERNAL_ID: Attribute =
    text("externalId", "What the client that manages the resource calls it.").exact();
const META: Attribute = Attribute::new("meta", Kind::Complex, "What is known about the record.")
    .is(Mutability::ReadOnly)
    .of(&[
        text("resourceType", "The type of the resource.").exact().is(Mutability::ReadOnly),
        Attribute::new("created", Kind::DateTime, "When it was made.").is(Mutability::ReadOnly),
        Attribute::new("lastModified", Kind::DateTime, "When it was last changed.")
            .is(Mutability::ReadOnly),
        Attribute::new("location", Kind::Reference, "Where it is.")
            .exact()
            .is(Mutability::ReadOnly),
        text("version", "Its version, as in ETag.").exact().is(Mutability::ReadOnly),
    ]);

/// Those that every resource has, and that schemas do not list (RFC 7643 §3.1).
pub(super) const COMMON: [&str; 4] = ["schemas", "id", "externalId", "meta"];

const VALUE: Attribute = text("value", "The value.");
const DISPLAY: Attribute = text("display", "What to show in its place.");
const PRIMARY: Attribute =
    Attribute::new("primary", Kind::Boolean, "Whether it is the one to use; at most one value is.");
const TYPE: Attribute = text("type", "What kind of value it is.");
const PLACE: Attribute = TYPE.values(&["work", "home", "other"]);

const PLAIN: &[Attribute] = &[VALUE, DISPLAY, TYPE, PRIMARY];

const fn several(name: &'static str, description: &'static str) -> Attribute {
    Attribute::new(name, Kind::Complex, description).many().of(PLAIN)
}

const NAME: &[Attribute] = &[
    text("formatted", "The full name."),
    text("familyName", "The family name."),
    text("givenName", "The given name."),
    text("middleName", "The middle names."),
    text("honorificPrefix", "What stands before the name."),
    text("honorificSuffix", "What stands after the name."),
];

const ADDRESS: &[Attribute] = &[
    text("formatted", "The full address, as on a letter."),
    text("streetAddress", "Street and number."),
    text("locality", "The city or town."),
    text("region", "The state, province or region."),
    text("postalCode", "The postal code."),
    text("country", "The country."),
    DISPLAY,
    PLACE,
    PRIMARY,
];

const USER_ATTRIBUTES: &[Attribute] = &[
    SCHEMAS,
    ID,
    EXTERNAL_ID,
    META,
    text("userName", "The name that the person signs in with.").required().unique(),
    Attribute::new("name", Kind::Complex, "The parts of the name.").of(NAME),
    text("displayName", "What to show as the name."),
    text("nickName", "What to call the person casually."),
    Attribute::new("profileUrl", Kind::Reference, "A page about the person.")
        .exact()
        .references(&["external"]),
    text("title", "The function, such as Vice President."),
    text("userType", "What the person is to the organisation, such as Employee."),
    text("preferredLanguage", "Languages, as in Accept-Language."),
    text("locale", "A language tag, such as fr-CA."),
    text("timezone", "The name of a time zone, such as Europe/Paris."),
    Attribute::new("active", Kind::Boolean, "Whether the person may sign in."),
    text("password", "The password.").exact().is(Mutability::WriteOnly).returned(Returned::Never),
    Attribute::new("emails", Kind::Complex, "E-mail addresses.")
        .many()
        .of(&[VALUE, DISPLAY, PLACE, PRIMARY]),
    Attribute::new("phoneNumbers", Kind::Complex, "Telephone numbers.").many().of(&[
        VALUE,
        DISPLAY,
        TYPE.values(&["work", "home", "mobile", "fax", "pager", "other"]),
        PRIMARY,
    ]),
    several("ims", "Addresses for instant messages."),
    Attribute::new("photos", Kind::Complex, "Pictures.").many().of(&[
        Attribute::new("value", Kind::Reference, "An http or https URL.")
            .exact()
            .references(&["external"]),
        DISPLAY,
        TYPE.values(&["photo", "thumbnail"]),
        PRIMARY,
    ]),
    Attribute::new("addresses", Kind::Complex, "Postal addresses.").many().of(ADDRESS),
    Attribute::new(
        "groups",
        Kind::Complex,
        "The groups that the person is in; changed by changing the members of groups.",
    )
    .many()
    .is(Mutability::ReadOnly)
    .of(&[
        text("value", "The id of the group.").exact().is(Mutability::ReadOnly),
        Attribute::new("$ref", Kind::Reference, "Where the group is.")
            .exact()
            .is(Mutability::ReadOnly)
            .references(&["Group"]),
        text("type", "How the person is in it.").is(Mutability::ReadOnly).values(&["direct"]),
    ]),
    several("entitlements", "What the person is entitled to, for other systems."),
    several("roles", "What the person is called elsewhere."),
    Attribute::new("x509Certificates", Kind::Complex, "Certificates; nobody signs in by these.")
        .many()
        .of(&[
            Attribute::new("value", Kind::Binary, "The certificate in base64.").exact(),
            DISPLAY,
            TYPE,
            PRIMARY,
        ]),
];

const ENTERPRISE_ATTRIBUTES: &[Attribute] = &[
    text("employeeNumber", "The number of the person in the organisation."),
    text("costCenter", "The cost centre."),
    text("organization", "The organisation."),
    text("division", "The division."),
    text("department", "The department."),
    Attribute::new("manager", Kind::Complex, "The manager of the person.").of(&[
        text("value", "The id of the manager.").exact(),
        Attribute::new("$ref", Kind::Reference, "Where the manager is; follows from the id.")
            .exact()
            .references(&["User"]),
    ]),
];

const GROUP_ATTRIBUTES: &[Attribute] = &[
    SCHEMAS,
    ID,
    EXTERNAL_ID,
    META,
    text("displayName", "What to show as the name of the group.").required(),
    Attribute::new("members", Kind::Complex, "The people in the group.").many().of(&[
        text("value", "The id of the person.").exact().is(Mutability::Immutable),
        Attribute::new("$ref", Kind::Reference, "Where the person is.")
            .exact()
            .is(Mutability::Immutable)
            .references(&["User"]),
        text("type", "What kind of member it is.").is(Mutability::Immutable).values(&["User"]),
    ]),
];
