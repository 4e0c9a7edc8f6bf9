import { Clock, Effect, Scope, Semaphore } from "effect"
import type { IcebergError } from "../../IcebergError.ts"
import type { AwsCredentials } from "../../io/AwsCredentials.ts"
import { makeObjectStore } from "../../io/makeObjectStore.ts"
import type { ObjectStore } from "../../io/ObjectStore.ts"
import type { S3Options } from "../../io/S3ObjectStore.ts"
import type { TableAccess } from "./tableAccess.ts"

export interface TableStoresOptions {
  /** What we were told ourselves goes before what the catalog says, which may see its store by another name. */
  readonly s3: S3Options | undefined
  /** The folder that local files may be in. */
  readonly root: string | undefined
}

export interface TableStores {
  /** The store for a table's files. `reload` asks the catalog for the table's access anew. */
  readonly storeFor: (
    table: string,
    access: TableAccess,
    reload: Effect.Effect<TableAccess, IcebergError>
  ) => Effect.Effect<ObjectStore, IcebergError>
}

interface Held {
  access: TableAccess
  readonly store: ObjectStore
}

const OURS: TableAccess = {
  endpoint: undefined,
  region: undefined,
  pathStyle: undefined,
  keys: undefined,
  renewAt: Number.POSITIVE_INFINITY
}

/** One store for each table whose credentials the catalog lends, and one for all others that are reached alike. */
export const makeTableStores = Effect.fnUntraced(function* ({
  root,
  s3
}: TableStoresOptions): Effect.fn.Return<TableStores, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const lock = yield* Semaphore.make(1)
  const held = new Map<string, Held>()

  const credentialsOf = (
    key: string,
    reload: Effect.Effect<TableAccess, IcebergError>
  ): Effect.Effect<AwsCredentials> =>
    Effect.map(Semaphore.make(1), (renewing) => {
      const accessNow = () => held.get(key)?.access ?? OURS
      const current = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const access = accessNow()
        if (access.keys !== undefined && now < access.renewAt) return access.keys
        const renewed = yield* reload
        const entry = held.get(key)
        if (entry !== undefined) entry.access = renewed
        return renewed.keys ?? access.keys!
      })
      return {
        _tag: "Vended" as const,
        current: renewing.withPermits(1)(current),
        expired: Effect.sync(() => {
          const entry = held.get(key)
          if (entry !== undefined) entry.access = { ...entry.access, renewAt: 0 }
        })
      }
    })

  return {
    storeFor: (table, access, reload) =>
      lock.withPermits(1)(
        Effect.gen(function* () {
          const endpoint = s3?.endpoint ?? access.endpoint
          const region = s3?.region ?? access.region
          const pathStyle = s3?.pathStyle ?? access.pathStyle
          const lent = access.keys !== undefined
          const key = JSON.stringify([lent ? table : null, endpoint, region, pathStyle])
          const known = held.get(key)
          if (known !== undefined) {
            known.access = access
            return known.store
          }
          const credentials = lent ? yield* credentialsOf(key, reload) : s3?.credentials
          const store = yield* makeObjectStore({ root, s3: { ...s3, endpoint, region, pathStyle, credentials } }).pipe(
            Scope.provide(scope)
          )
          held.set(key, { access, store })
          return store
        })
      )
  }
})
