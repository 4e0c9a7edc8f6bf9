import { Clock, Effect, Option, type Redacted, Schema, type Scope } from "effect"
import { type IcebergError, icebergError } from "../../IcebergError.ts"
import type { S3Options } from "../../io/S3ObjectStore.ts"
import { stringifyJson } from "../../json.ts"
import { failedRequirement } from "../../metadata/requirements.ts"
import type { NewTable, TableChange } from "../../metadata/TableUpdate.ts"
import type { Catalog, Table, TableName } from "../Catalog.ts"
import { asTableMetadata } from "../metadataFiles.ts"
import { checkName, showName } from "../tableName.ts"
import { type Authorizer, anonymous, basic, bearer } from "./Authorizer.ts"
import { answerFailure, type HttpAnswer } from "./http.ts"
import { isVisible } from "./isVisible.ts"
import { makeOAuth2 } from "./oauth2.ts"
import { makeRestSession } from "./restSession.ts"
import { type Attempt, settleChange } from "./settleChange.ts"
import { makeSigV4, type SigV4Options } from "./sigV4.ts"
import { AccessAnswer, accessOf, type TableAccess } from "./tableAccess.ts"
import { makeTableStores } from "./tableStores.ts"

/** Iceberg's own default scope. */
const SCOPE = "catalog"
/**
 * A property of the tables that we create: a name for the request that made it. Some servers answer a create of a table that
 * exists with that table, and an answer may be lost: this tells whose table it is.
 */
const CREATED_BY = "footfall.created-by"

export type RestAuth =
  | { readonly _tag: "None" }
  | { readonly _tag: "Token"; readonly token: Redacted.Redacted<string> }
  | { readonly _tag: "Basic"; readonly user: string; readonly password: Redacted.Redacted<string> }
  | {
      readonly _tag: "OAuth2"
      /** `id:secret`. */
      readonly credential: Redacted.Redacted<string>
      /** Where tokens are given; by default the catalog's own `/v1/oauth/tokens`. */
      readonly serverUri?: string | undefined
      readonly scope?: string | undefined
    }

export interface RestCatalogOptions {
  readonly uri: string
  /** The catalog's name for the warehouse. */
  readonly warehouse?: string | undefined
  /** In the path of every request, unless the server says another. */
  readonly prefix?: string | undefined
  readonly auth?: RestAuth | undefined
  readonly sigV4?: SigV4Options | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** How the files are reached; with credentials in it, none are asked of the catalog. */
  readonly s3?: S3Options | undefined
  /** The folder that local files may be in, as a location. */
  readonly root?: string | undefined
}

const Loaded = Schema.Struct({
  ...AccessAnswer.fields,
  metadata: Schema.Unknown,
  "metadata-location": Schema.optional(Schema.NullOr(Schema.String))
})
const isLoaded = Schema.is(Loaded)

const authorizerOf = (uri: string, auth: RestAuth): Effect.Effect<Authorizer, IcebergError> => {
  switch (auth._tag) {
    case "None":
      return Effect.succeed(anonymous)
    case "Token":
      return Effect.succeed(bearer(auth.token))
    case "Basic":
      return Effect.succeed(basic(auth.user, auth.password))
    case "OAuth2": {
      const server = URL.parse(auth.serverUri ?? `${uri.replace(/\/+$/, "").replace(/\/v1$/, "")}/v1/oauth/tokens`)
      return server === null
        ? Effect.fail(icebergError("Invalid", "The OAuth2 server's URI can't be read: it begins with https://."))
        : makeOAuth2({ credential: auth.credential, serverUri: server, scope: auth.scope ?? SCOPE })
    }
  }
}

/** 429 says that nothing was done; of 5xx only that something went wrong. */
const isLost = ({ status }: HttpAnswer): boolean => status >= 500 && status !== 501 && status !== 505

/** A server that speaks Iceberg's REST protocol: it writes the metadata and decides commits by their requirements. */
export const makeRestCatalog = Effect.fnUntraced(function* (
  options: RestCatalogOptions
): Effect.fn.Return<Catalog, IcebergError, Scope.Scope> {
  const plain = yield* authorizerOf(options.uri, options.auth ?? { _tag: "None" })
  const authorizer = options.sigV4 === undefined ? plain : yield* makeSigV4(plain, options.sigV4)
  const session = yield* makeRestSession({
    uri: options.uri,
    warehouse: options.warehouse,
    prefix: options.prefix,
    headers: options.headers ?? {},
    authorizer
  })
  const { host } = session
  const stores = yield* makeTableStores({ s3: options.s3, root: options.root })
  const delegation: Readonly<Record<string, string>> =
    options.s3?.credentials === undefined ? { "x-iceberg-access-delegation": "vended-credentials" } : {}

  const fetchTable = Effect.fnUntraced(function* (name: TableName) {
    const { table } = yield* session.paths
    return yield* session.get(table(name), `to load ${showName(name)}`, delegation)
  })

  const noTable = () => icebergError("Invalid", `The catalog at ${host} did not answer with a table: check its URI.`)

  const accessTo = (name: TableName): Effect.Effect<TableAccess, IcebergError> =>
    Effect.gen(function* () {
      const answer = yield* fetchTable(name)
      const now = yield* Clock.currentTimeMillis
      if (!isLoaded(answer)) return yield* noTable()
      const metadata = yield* asTableMetadata(answer.metadata, showName(name))
      return accessOf(answer, metadata.location, now)
    })

  const tableOf = Effect.fnUntraced(function* (
    name: TableName,
    answer: unknown
  ): Effect.fn.Return<Table, IcebergError> {
    if (!isLoaded(answer)) return yield* noTable()
    const metadata = yield* asTableMetadata(answer.metadata, `${showName(name)} at ${host}`)
    const access = accessOf(answer, metadata.location, yield* Clock.currentTimeMillis)
    const store = yield* stores.storeFor(showName(name), access, accessTo(name))
    return { name, metadata, metadataLocation: answer["metadata-location"] ?? "", store }
  })

  const load = Effect.fnUntraced(function* (name: TableName): Effect.fn.Return<Table, IcebergError> {
    yield* checkName(name)
    return yield* tableOf(name, yield* fetchTable(name))
  })

  /** Sends once and sorts the answer; `read` makes a table of a good one. */
  const attempt = Effect.fnUntraced(function* (
    path: string,
    body: string,
    headers: Readonly<Record<string, string>>,
    doing: string,
    read: (answer: unknown) => Effect.Effect<Table, IcebergError>
  ): Effect.fn.Return<Attempt, IcebergError> {
    const answer = yield* session
      .post(path, body, headers)
      .pipe(Effect.catch(({ error, sent }) => (sent ? Effect.succeed(error.message) : Effect.fail(error))))
    if (typeof answer === "string") return { _tag: "Lost", message: answer }
    if (answer.status === 200) {
      return yield* Effect.match(read(Option.getOrUndefined(answer.body)), {
        onSuccess: (table): Attempt => ({ _tag: "Done", table }),
        onFailure: ({ message }): Attempt => ({ _tag: "Lost", message })
      })
    }
    const failure = answerFailure(answer, host, doing)
    if (answer.status === 409) return { _tag: "Refused", message: failure.message }
    if (isLost(answer)) return { _tag: "Lost", message: failure.message }
    return yield* failure
  })

  const ensureNamespace = (levels: ReadonlyArray<string>): Effect.Effect<void, IcebergError> =>
    Effect.gen(function* () {
      const { namespaces } = yield* session.paths
      const post = session
        .post(namespaces, stringifyJson({ namespace: levels, properties: {} }))
        .pipe(Effect.mapError(({ error }) => error))
      const answer = yield* post
      if (answer.status === 200 || answer.status === 204 || answer.status === 409) return
      const parents = levels.slice(0, -1)
      if (answer.status === 404 && parents.length > 0) {
        yield* ensureNamespace(parents)
        const again = yield* post
        if (again.status === 200 || again.status === 204 || again.status === 409) return
      }
      return yield* answerFailure(answer, host, `to make the namespace ${levels.join(".")}`)
    })

  const create = Effect.fnUntraced(function* (name: TableName, table: NewTable): Effect.fn.Return<Table, IcebergError> {
    yield* checkName(name)
    const exists = icebergError("AlreadyExists", `There is a table ${showName(name)} already.`)
    const known = yield* Effect.match(load(name), {
      onSuccess: () => true,
      onFailure: (error) => (error.reason === "NotFound" ? false : error)
    })
    if (known === true) return yield* exists
    if (known !== false) return yield* known
    const { namespace } = name
    const { tables } = yield* session.paths
    const createdBy = crypto.randomUUID()
    const isOurs = ({ metadata }: Table): boolean => metadata.properties[CREATED_BY] === createdBy
    const body = stringifyJson({
      name: name.name,
      schema: table.schema,
      "partition-spec": table.partitionSpec,
      "write-order": table.sortOrder,
      "stage-create": false,
      properties: { "format-version": "2", ...table.properties, [CREATED_BY]: createdBy }
    })
    const headers = { ...delegation, "idempotency-key": Bun.randomUUIDv7() }
    const send = attempt(tables(namespace), body, headers, `to create ${showName(name)}`, (answer) =>
      tableOf(name, answer)
    ).pipe(
      Effect.map(
        (sent): Attempt =>
          sent._tag === "Done" && !isOurs(sent.table) ? { _tag: "Refused", message: exists.message } : sent
      )
    )
    const withNamespace = Effect.catchIf(
      send,
      (error) => error.reason === "NotFound",
      () => Effect.andThen(ensureNamespace(namespace), send)
    )
    const judge = (found: Option.Option<Table>) =>
      Option.isNone(found) ? "open" : isOurs(found.value) ? "ours" : "theirs"
    const created = yield* settleChange({
      what: showName(name),
      send: withNamespace,
      load: load(name),
      judge,
      theirs: exists
    })
    // Not every server creates atomically: of two tables made at once, the one that is there now is the table.
    const there = yield* load(name).pipe(Effect.orElseSucceed(() => created))
    return isOurs(there) ? there : yield* exists
  })

  const commit = Effect.fnUntraced(function* (
    table: Table,
    change: TableChange
  ): Effect.fn.Return<Table, IcebergError> {
    const { name } = table
    const failed = failedRequirement(table.metadata, change.requirements)
    if (failed !== undefined) {
      return yield* icebergError(
        "Conflict",
        `${showName(name)} is not as the change needs it: ${failed} does not hold.`
      )
    }
    const path = (yield* session.paths).table(name)
    const body = stringifyJson({
      identifier: { namespace: name.namespace, name: name.name },
      requirements: change.requirements,
      updates: change.updates
    })
    const headers = { "idempotency-key": Bun.randomUUIDv7() }
    const read = (answer: unknown): Effect.Effect<Table, IcebergError> =>
      isLoaded(answer)
        ? Effect.map(asTableMetadata(answer.metadata, `${showName(name)} at ${host}`), (metadata) => ({
            ...table,
            metadata,
            metadataLocation: answer["metadata-location"] ?? ""
          }))
        : Effect.fail(noTable())
    const judge = (found: Option.Option<Table>) => {
      if (Option.isNone(found)) return "theirs"
      if (isVisible(found.value.metadata, change)) return "ours"
      // Where a requirement fails now, this change can't come any more either.
      return failedRequirement(found.value.metadata, change.requirements) === undefined ? "open" : "theirs"
    }
    const conflict = icebergError("Conflict", `Somebody else changed ${showName(name)} first.`)
    return yield* settleChange({
      what: showName(name),
      send: attempt(path, body, headers, `to change ${showName(name)}`, read),
      load: load(name),
      judge,
      theirs: conflict
    })
  })

  return { load, create, commit }
})
