import { Schema } from "effect"
import { CollectionLevel, Theme, type User } from "../../../domain/people.ts"
import type { UserSession } from "../../../ports/UserSessions.ts"
import { EXAMPLE, Instant, idOf, NotBlank } from "./fields.ts"

const NAME = { description: "Display name, at most 100 characters", examples: ["Ada Lovelace"] } as const
const EMAIL = { description: "Unique, in lower case", format: "email", examples: ["ada@example.com"] } as const
const LANGUAGE = { description: "BCP 47; null: the browser's", examples: ["en"] } as const
const TIMEZONE = {
  description: "IANA name; null: the instance's (`INSTANCE_TIMEZONE`)",
  examples: ["Europe/London"]
} as const

export const GroupIds = Schema.Array(idOf("group")).annotate({
  description: "Ids of groups; All users (1) may be missing",
  examples: [[1, 3]]
})
export const Password = Schema.String.annotate({
  description: "10 to 256 characters, and not among the first that attackers try",
  format: "password",
  examples: ["correct horse battery"]
})
export const PersonName = NotBlank.annotate(NAME)
export const Email = Schema.String.annotate(EMAIL)

const fields = {
  id: Schema.Int.annotate({ examples: [7] }),
  email: Email,
  name: Schema.String.annotate(NAME),
  is_superuser: Schema.Boolean.annotate({ description: "A member of Administrators", examples: [false] }),
  is_active: Schema.Boolean.annotate({ description: "False for a disabled user", examples: [true] }),
  has_password: Schema.Boolean.annotate({
    description: "False until an invitation is accepted, and for users who sign in only through an identity provider",
    examples: [true]
  }),
  group_ids: Schema.Array(Schema.Int).annotate({ description: "All users (1) among them", examples: [[1, 3]] }),
  language: Schema.NullOr(Schema.String).annotate(LANGUAGE),
  timezone: Schema.NullOr(Schema.String).annotate(TIMEZONE),
  theme: Theme.annotate({ examples: ["system"] }),
  date_joined: Instant,
  last_login: Schema.NullOr(Instant)
}

export const UserJson = Schema.Struct(fields).annotate({ identifier: "User", description: "Somebody who can sign in." })
export type UserJson = typeof UserJson.Type

export const AccountJson = Schema.Struct({
  ...fields,
  session_id: Schema.NullOr(Schema.String).annotate({ description: "The session of this request", format: "uuid" }),
  level: CollectionLevel.annotate({ description: "What you may do in Product Analytics", examples: ["read"] }),
  site_limit: Schema.NullOr(Schema.Array(Schema.String)).annotate({
    description: "The sites that you may see; null: all",
    examples: [[EXAMPLE.siteId]]
  })
}).annotate({ identifier: "Account", description: "The signed-in user." })

const optional = {
  language: Schema.optionalKey(Schema.NullOr(Schema.String).annotate(LANGUAGE)),
  timezone: Schema.optionalKey(Schema.NullOr(Schema.String).annotate(TIMEZONE)),
  theme: Schema.optionalKey(Theme.annotate({ examples: ["dark"] }))
}

export const UserCreateJson = Schema.Struct({
  email: Email,
  name: PersonName,
  password: Schema.optionalKey(Password.annotate({ description: "Without one, the response has an invitation" })),
  group_ids: Schema.optionalKey(GroupIds),
  ...optional
}).annotate({ identifier: "UserCreate" })

export const UserUpdateJson = Schema.Struct({
  email: Schema.optionalKey(Email),
  name: Schema.optionalKey(PersonName),
  group_ids: Schema.optionalKey(GroupIds),
  ...optional
}).annotate({ identifier: "UserUpdate" })

export const AccountUpdateJson = Schema.Struct({ name: Schema.optionalKey(PersonName), ...optional }).annotate({
  identifier: "AccountUpdate"
})

export const userJson = (user: User): UserJson => ({
  id: user.id,
  email: user.email,
  name: user.name,
  is_superuser: user.isAdmin,
  is_active: user.isActive,
  has_password: user.hasPassword,
  group_ids: user.groups,
  language: user.language,
  timezone: user.timezone,
  theme: user.theme,
  date_joined: user.createdAt.toISOString(),
  last_login: user.lastLoginAt?.toISOString() ?? null
})

export const LinkJson = Schema.Struct({
  kind: Schema.Literals(["invitation", "reset"]).annotate({
    description: "An invitation for somebody who never signed in, otherwise a reset of the password"
  }),
  url: Schema.String.annotate({
    description: "Send it to the user; it works once",
    examples: ["https://stats.example.com/invitation?token=1pX4…"]
  }),
  expires_at: Instant
}).annotate({ identifier: "UserLink", description: "A link with which the user sets a password." })
export type LinkJson = typeof LinkJson.Type

export const SessionJson = Schema.Struct({
  id: Schema.String.annotate({ format: "uuid", examples: [EXAMPLE.keyId] }),
  user_agent: Schema.NullOr(Schema.String).annotate({ description: "The browser's", examples: ["Mozilla/5.0 …"] }),
  created_at: Instant,
  last_seen_at: Instant.annotate({ description: "Exact to a minute" }),
  expires_at: Instant.annotate({ description: "Unless it is used before" }),
  is_current: Schema.Boolean.annotate({ description: "The session of this request", examples: [true] })
}).annotate({ identifier: "Session", description: "A browser in which a user is signed in." })
export type SessionJson = typeof SessionJson.Type

export const sessionJson = (session: UserSession, current: string | null): SessionJson => ({
  id: session.id,
  user_agent: session.userAgent,
  created_at: session.createdAt.toISOString(),
  last_seen_at: session.lastSeenAt.toISOString(),
  expires_at: session.expiresAt.toISOString(),
  is_current: session.id === current
})
