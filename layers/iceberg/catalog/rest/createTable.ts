import { Effect, Schedule } from "effect"
import { backoff } from "../../backoff.ts"
import { type IcebergError, nullIfNotFound } from "../../IcebergError.ts"
import { stringifyJson } from "../../json.ts"
import type { NewTable } from "../../metadata/TableUpdate.ts"
import type { Table, TableName } from "../Catalog.ts"
import type { Attempt } from "../resolveOutcome.ts"
import { alreadyExists, showName } from "../tableName.ts"
import { isServerError, responseFailure } from "./http.ts"
import type { RestSession } from "./restSession.ts"
import { attemptRequest, sendChange } from "./sendChange.ts"

/**
 * A property of created tables that identifies the request that created them. Some servers answer the creation of an existing
 * table with that table, and a response may be lost; this shows who created the table.
 */
const CREATED_BY = "footfall.created-by"

export interface CreateRequest {
  readonly name: TableName
  readonly table: NewTable
  readonly headers: Readonly<Record<string, string>>
  readonly load: Effect.Effect<Table, IcebergError>
  readonly read: (body: unknown) => Effect.Effect<Table, IcebergError>
}

const isCreated = (status: number): boolean => status === 200 || status === 204 || status === 409

/** A writer creates its tables at once, and some servers fail to create a namespace while another request creates it. */
const NAMESPACE_RETRIES = backoff(200, 1_000).pipe(Schedule.upTo({ times: 3 }))

/** Creates the namespace and its parents unless they exist. */
const ensureNamespace = (session: RestSession, levels: ReadonlyArray<string>): Effect.Effect<void, IcebergError> =>
  Effect.gen(function* () {
    const { namespaces } = yield* session.paths
    const action = `create the namespace ${levels.join(".")}`
    const post = session.post(namespaces, stringifyJson({ namespace: levels, properties: {} })).pipe(
      Effect.mapError(({ error }) => error),
      Effect.filterOrFail(
        ({ status }) => !isServerError(status),
        (response) => responseFailure(response, session.host, action)
      ),
      Effect.retry({ schedule: NAMESPACE_RETRIES, while: ({ reason }) => reason === "Unavailable" })
    )
    const response = yield* post
    if (isCreated(response.status)) return
    const parents = levels.slice(0, -1)
    if (response.status === 404 && parents.length > 0) {
      yield* ensureNamespace(session, parents)
      if (isCreated((yield* post).status)) return
    }
    return yield* responseFailure(response, session.host, action)
  })

/** Creates a table. Fails with `AlreadyExists`, also if another client created it at the same time. */
export const createTable = Effect.fnUntraced(function* (
  session: RestSession,
  { headers, load, name, read, table }: CreateRequest
): Effect.fn.Return<Table, IcebergError> {
  if ((yield* nullIfNotFound(load)) !== null) return yield* alreadyExists(name)
  const createdBy = crypto.randomUUID()
  const isOurs = ({ metadata }: Table): boolean => metadata.properties[CREATED_BY] === createdBy
  const post = attemptRequest(session, {
    path: (yield* session.paths).tables(name.namespace),
    body: stringifyJson({
      name: name.name,
      schema: table.schema,
      "partition-spec": table.partitionSpec,
      "write-order": table.sortOrder,
      "stage-create": false,
      properties: { "format-version": "2", ...table.properties, [CREATED_BY]: createdBy }
    }),
    headers: { ...headers, "idempotency-key": Bun.randomUUIDv7() },
    action: `create ${showName(name)}`,
    read
  }).pipe(
    Effect.map(
      (attempt): Attempt<Table> =>
        attempt._tag === "Applied" && !isOurs(attempt.value)
          ? { _tag: "Refused", message: alreadyExists(name).message }
          : attempt
    )
  )
  const created = yield* sendChange({
    name,
    send: Effect.catchIf(
      post,
      (error) => error.reason === "NotFound",
      () => Effect.andThen(ensureNamespace(session, name.namespace), post)
    ),
    load,
    judge: (found) => (found === null ? "pending" : isOurs(found) ? "applied" : "superseded"),
    superseded: alreadyExists(name)
  })
  // Not every server creates tables atomically: of two tables created at once, the one that is visible now counts.
  const visible = yield* Effect.orElseSucceed(load, () => created)
  return isOurs(visible) ? visible : yield* alreadyExists(name)
})
