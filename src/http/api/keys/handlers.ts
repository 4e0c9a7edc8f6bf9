import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { MAX_NAME_LENGTH } from "../../../domain/siteValues.ts"
import { AdminKeys, type AdminKeysError } from "../../../ports/AdminKeys.ts"
import { keyJson } from "../../shared/json/key.ts"
import { AdminApi } from "../AdminApi.ts"
import { NotFound, ServiceUnavailable, UnprocessableContent } from "../problems.ts"

const unavailable = (error: AdminKeysError) => new ServiceUnavailable({ detail: error.message })

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
        const name = payload.name.trim()
        if (name.length > MAX_NAME_LENGTH) {
          const detail = `The name must have at most ${MAX_NAME_LENGTH} characters.`
          return yield* new UnprocessableContent({ detail, errors: [{ pointer: "#/name", detail }] })
        }
        const { key, record } = yield* Effect.mapError(keys.create(name, payload.role ?? "admin"), unavailable)
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
