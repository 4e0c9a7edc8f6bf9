import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Instant } from "../../shared/json/fields.ts"
import { Access, requires } from "../access.ts"
import { endpointDocs } from "../endpointDocs.ts"
import { limitParam } from "../numbers.ts"
import { ServiceUnavailable } from "../problems.ts"

const AuditEntryJson = Schema.Struct({
  id: Schema.Finite.annotate({ examples: [118] }),
  at: Instant,
  actor: Schema.Struct({
    kind: Schema.String.annotate({ description: "`user`, `key`, `local` or `anonymous`", examples: ["user"] }),
    id: Schema.NullOr(Schema.String).annotate({ description: "Of the user or key", examples: ["7"] }),
    name: Schema.String.annotate({ examples: ["Ada Lovelace"] })
  }),
  action: Schema.String.annotate({ examples: ["group.update"] }),
  target: Schema.Struct({
    kind: Schema.String.annotate({ examples: ["group"] }),
    id: Schema.NullOr(Schema.String).annotate({ examples: ["3"] }),
    name: Schema.NullOr(Schema.String).annotate({ examples: ["Analysts"] })
  }),
  details: Schema.Record(Schema.String, Schema.Unknown).annotate({
    description: "What changed, without secrets",
    examples: [{ site_limit: null }]
  })
}).annotate({ identifier: "AuditEntry" })

const AuditJson = Schema.Struct({
  data: Schema.Array(AuditEntryJson),
  next: Schema.NullOr(Schema.Finite).annotate({
    description: "`before` of the next page; null on the last one",
    examples: [null]
  })
}).annotate({ identifier: "AuditLog", description: "The latest entries first." })

const filter = (description: string, example: string) =>
  Schema.optionalKey(
    Schema.String.check(Schema.isPattern(/^[ -~\u00a0-\uffff]{0,100}$/)).annotate({ description, examples: [example] })
  )

export class AuditApi extends HttpApiGroup.make("audit")
  .add(
    HttpApiEndpoint.get("list", "/api/audit", {
      query: {
        limit: limitParam,
        before: Schema.optionalKey(
          Schema.FiniteFromString.check(
            Schema.isInt(),
            Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
          ).annotate({ description: "Entries older than the one with this id", examples: [118] })
        ),
        action: filter("Only this action", "group.update"),
        actor_id: filter("Only of this user or key", "7"),
        target_kind: filter("Only about this kind of thing", "group"),
        target_id: filter("Only about the thing with this id", "3")
      },
      success: AuditJson,
      error: ServiceUnavailable
    })
      .annotateMerge(requires("read", "audit"))
      .annotateMerge(
        endpointDocs(
          "Read the audit log",
          "Who changed users, groups, permissions, keys, sites and settings, and who signed in. Written with the change itself, in one transaction; kept for `AUDIT_RETENTION_DAYS`. It has no secrets and no IP addresses."
        )
      )
  )
  .middleware(Access)
  .annotateMerge(
    OpenApi.annotations({ title: "Audit log", description: "Who did what. Requires an administrator." })
  ) {}
