import { Schema } from "effect"
import { VariantSchema } from "effect/schema"
import { Role } from "../../../domain/Principal.ts"
import type { AdminKey } from "../../../ports/AdminKeys.ts"
import { EXAMPLE, Instant, NotBlank } from "./fields.ts"

const { Struct, Field, FieldOnly, extract } = VariantSchema.make({
  variants: ["read", "created", "create"],
  defaultVariant: "read"
})

/** A field of responses. */
const readOnly = FieldOnly(["read", "created"])

const NAME = { description: "Who or what uses the key", examples: ["grafana"] } as const
const name = Schema.String.annotate(NAME)
const role = Role.annotate({ description: "`admin`: everything; `viewer`: statistics, status and rejections" })

/** An API key in requests and responses: each field once. Only the response to its creation has the key itself. */
const KeyModel = Struct({
  id: readOnly(Schema.String.annotate({ format: "uuid", examples: [EXAMPLE.keyId] })),
  name: Field({ read: name, created: name, create: NotBlank.annotate(NAME) }),
  role: Field({
    read: role,
    created: role,
    create: Schema.optionalKey(Role.annotate({ description: "Default: `admin`" }))
  }),
  prefix: readOnly(Schema.String.annotate({ description: "The first characters of the key", examples: ["ff_v3_Kq"] })),
  created_at: readOnly(Instant),
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
  prefix: key.prefix,
  created_at: key.createdAt.toISOString()
})
