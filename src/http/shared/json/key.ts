import { Schema } from "effect"
import { VariantSchema } from "effect/schema"
import { Role } from "../../../domain/Principal.ts"
import { GroupId } from "../../../domain/people.ts"
import type { AdminKey } from "../../../ports/AdminKeys.ts"
import { EXAMPLE, Instant, idOrNullOf, NotBlank } from "./fields.ts"

const { Struct, Field, FieldOnly, extract } = VariantSchema.make({
  variants: ["read", "created", "create"],
  defaultVariant: "read"
})

/** A field of responses. */
const readOnly = FieldOnly(["read", "created"])

const NAME = { description: "Who or what uses the key", examples: ["grafana"] } as const
const name = Schema.String.annotate(NAME)
const role = Schema.NullOr(Role).annotate({
  description:
    "`admin`: everything; `viewer`: questions, metadata, statistics, status and rejections, but nothing that people saved; null: what the group of `group_id` may do"
})
const readOnlyFlag = Schema.Boolean.annotate({ description: "The key may only read", examples: [false] })
const groupId = Schema.NullOr(GroupId).annotate({ description: "The group that the key is bound to", examples: [null] })

/** An API key in requests and responses: each field once. Only the response to its creation has the key itself. */
const KeyModel = Struct({
  id: readOnly(Schema.String.annotate({ format: "uuid", examples: [EXAMPLE.keyId] })),
  name: Field({ read: name, created: name, create: NotBlank.annotate(NAME) }),
  role: Field({
    read: role,
    created: role,
    create: Schema.optionalKey(
      Schema.NullOr(Role).annotate({ description: "Default: `admin`, or null with a `group_id`" })
    )
  }),
  read_only: Field({
    read: readOnlyFlag,
    created: readOnlyFlag,
    create: Schema.optionalKey(Schema.Boolean.annotate({ description: "Default: false", examples: [true] }))
  }),
  group_id: Field({
    read: groupId,
    created: groupId,
    create: Schema.optionalKey(
      idOrNullOf("group", Schema.is(GroupId)).annotate({
        description: "The group whose permissions and site limit the key has; default: null",
        examples: [GroupId.make(3)]
      })
    )
  }),
  prefix: readOnly(Schema.String.annotate({ description: "The first characters of the key", examples: ["ff_v3_Kq"] })),
  created_at: readOnly(Instant),
  last_used_at: readOnly(Schema.NullOr(Instant).annotate({ description: "Exact to some seconds; null: never" })),
  key: FieldOnly(["created"])(
    Schema.String.annotate({
      description: "The key, shown only once; Footfall stores a hash",
      examples: ["ff_v3_KqBza_heRmXeDnh0rSgWRekzoacuR-lhkV1GyF_M"]
    })
  )
})

export const KeyJson = extract(KeyModel, "read").annotate({
  identifier: "Key",
  description: "An active key, without the key itself."
})
export type KeyJson = typeof KeyJson.Type

export const NewKeyJson = extract(KeyModel, "created").annotate({
  identifier: "NewKey",
  description: "A new key, with the key itself."
})

export const KeyCreateJson = extract(KeyModel, "create").annotate({ identifier: "KeyCreate" })

/** A key in a response of the API and in the CLI's JSON output. */
export const keyJson = (key: AdminKey): KeyJson => ({
  id: key.id,
  name: key.name,
  role: key.role,
  read_only: key.isReadOnly,
  group_id: key.group,
  prefix: key.prefix,
  created_at: key.createdAt.toISOString(),
  last_used_at: key.lastUsedAt?.toISOString() ?? null
})
