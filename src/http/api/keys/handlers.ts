import { Effect, Result } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { parseName } from "../../../domain/fieldIssues.ts"
import { AdminKeys, type AdminKeysError } from "../../../ports/AdminKeys.ts"
import { keyJson } from "../../shared/json/key.ts"
import { AdminApi } from "../AdminApi.ts"
import { NotFound, ServiceUnavailable, UnprocessableContent } from "../problems.ts"

const unavailable = (error: AdminKeysError) => new ServiceUnavailable({ detail: error.message })

const invalid = (field: string, detail: string) =>
  new UnprocessableContent({ detail, errors: [{ pointer: `#/${field}`, detail }] })

const NO_ROLE = "The key needs a `role`, or a `group_id`."
const ROLE_AND_GROUP = "A key with a `group_id` has the group's permissions: leave out `role`."

const createProblem = (error: AdminKeysError) =>
  error.reason === "Invalid" ? invalid("group_id", error.message) : unavailable(error)

const revokeProblem = (error: AdminKeysError) =>
  error.reason === "NotFound" ? new NotFound({ detail: error.message }) : unavailable(error)

export const KeysHandlers = HttpApiBuilder.group(
  AdminApi,
  "keys",
  Effect.fn(function* (handlers) {
    const keys = yield* AdminKeys
    return handlers.handleAll({
      list: () => Effect.mapBoth(keys.list, { onSuccess: (all) => all.map(keyJson), onFailure: unavailable }),
      create: Effect.fnUntraced(function* ({ payload }) {
        const parsed = parseName(payload.name)
        if (Result.isFailure(parsed)) return yield* invalid("name", parsed.failure[0]?.message ?? "")
        const {
          group_id: group = null,
          read_only: isReadOnly = false,
          role = group === null ? "admin" : null
        } = payload
        if (group === null && role === null) return yield* invalid("role", NO_ROLE)
        if (group !== null && role !== null) return yield* invalid("role", ROLE_AND_GROUP)
        // A viewer reads only, anyway.
        const scope = { role, group, isReadOnly: isReadOnly && role !== "viewer" }
        const { key, record } = yield* Effect.mapError(keys.create(parsed.success, scope), createProblem)
        return { ...keyJson(record), key }
      }),
      revoke: ({ params }) =>
        Effect.mapBoth(keys.revoke(params.id), {
          onSuccess: () => ({ id: params.id, revoked: true as const }),
          onFailure: revokeProblem
        })
    })
  })
)
