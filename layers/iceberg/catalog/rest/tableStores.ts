import { Clock, Effect, Scope, Semaphore } from "effect"
import type { IcebergError } from "../../IcebergError.ts"
import type { AwsCredentials, AwsKeys } from "../../io/AwsCredentials.ts"
import { makeObjectStore } from "../../io/makeObjectStore.ts"
import type { ObjectStore } from "../../io/ObjectStore.ts"
import type { S3Options } from "../../io/S3ObjectStore.ts"
import type { TableAccess } from "./tableAccess.ts"

export interface TableStoresOptions {
  /** Takes precedence over the catalog's configuration, which may know the store by another address. */
  readonly s3: S3Options | undefined
  /** Location of the folder that may contain local files. */
  readonly root: string | undefined
}

export interface TableStores {
  /** The store for a table's files. `reload` requests the table's access from the catalog again. */
  readonly storeFor: (
    table: string,
    access: TableAccess,
    reload: Effect.Effect<TableAccess, IcebergError>
  ) => Effect.Effect<ObjectStore, IcebergError>
}

/** The access to the tables that share a store. The catalog's latest response replaces it. */
interface SharedAccess {
  current: TableAccess
}

interface Entry {
  readonly access: SharedAccess
  readonly store: ObjectStore
}

/** Credentials that are requested from the catalog again before they expire, or once the store reports that they have. */
const vendedCredentials = Effect.fnUntraced(function* (
  access: SharedAccess,
  keys: AwsKeys,
  reload: Effect.Effect<TableAccess, IcebergError>
): Effect.fn.Return<AwsCredentials> {
  const renewing = yield* Semaphore.make(1)
  const current = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    if (access.current.keys !== null && now < access.current.renewAt) return access.current.keys
    const previous = access.current.keys ?? keys
    access.current = yield* reload
    return access.current.keys ?? previous
  })
  return {
    _tag: "Vended",
    current: renewing.withPermits(1)(current),
    expired: Effect.sync(() => {
      access.current = { ...access.current, renewAt: 0 }
    })
  }
})

/** One store for each table with vended credentials, and one for all other tables with the same access. */
export const makeTableStores = Effect.fnUntraced(function* ({
  root,
  s3
}: TableStoresOptions): Effect.fn.Return<TableStores, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const lock = yield* Semaphore.make(1)
  const entries = new Map<string, Entry>()

  const storeFor: TableStores["storeFor"] = Effect.fnUntraced(function* (table, latest, reload) {
    const endpoint = s3?.endpoint ?? latest.endpoint
    const region = s3?.region ?? latest.region
    const pathStyle = s3?.pathStyle ?? latest.pathStyle
    const key = JSON.stringify([latest.keys === null ? null : table, endpoint, region, pathStyle])
    const known = entries.get(key)
    if (known !== undefined) {
      known.access.current = latest
      return known.store
    }
    const access: SharedAccess = { current: latest }
    const credentials = latest.keys === null ? s3?.credentials : yield* vendedCredentials(access, latest.keys, reload)
    const store = yield* makeObjectStore({ root, s3: { ...s3, endpoint, region, pathStyle, credentials } }).pipe(
      Scope.provide(scope)
    )
    entries.set(key, { access, store })
    return store
  })

  return { storeFor: (table, latest, reload) => lock.withPermits(1)(storeFor(table, latest, reload)) }
})
