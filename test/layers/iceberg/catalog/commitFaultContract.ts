import { expect, test } from "bun:test"
import { Effect, type Scope, Stream } from "effect"
import type { Catalog, Table, TableName } from "../../../../layers/iceberg/catalog/Catalog.ts"
import type { IcebergError } from "../../../../layers/iceberg/IcebergError.ts"
import type { Fault, FaultProxy } from "../../../support/proxy/FaultProxy.ts"
import { append, freshName, NEW_TABLE, setProperties, snapshotIds, snapshotOn } from "./tables.ts"

export interface CatalogWithFaults {
  readonly proxy: FaultProxy
  /** Connects through the proxy. */
  readonly catalog: Catalog
  /** Connects directly. */
  readonly truth: Catalog
}

export interface CommitFaults {
  readonly open: Effect.Effect<CatalogWithFaults, IcebergError, Scope.Scope>
  /** Matches the request that creates the pointer. */
  readonly create: RegExp
  /** Matches the request that swaps the pointer. */
  readonly swap: RegExp
  /** Faults that must not fail a commit. */
  readonly faults: ReadonlyArray<readonly [what: string, fault: Fault]>
  /** How many commits in a row each fault affects. */
  readonly rounds: number
  /** How a swap is lost on its way to the server. */
  readonly lost: Fault
}

export interface TableWithFaults extends CatalogWithFaults {
  readonly name: TableName
  /** A new table, as `catalog` loaded it. */
  readonly table: Table
}

const TIMEOUT_MS = 60_000

/** Defines a test with a new table. */
export const faultTest =
  (open: CommitFaults["open"]) =>
  (sentence: string, body: (subject: TableWithFaults) => Effect.Effect<void, IcebergError, Scope.Scope>): void =>
    test(
      sentence,
      () =>
        Effect.gen(function* () {
          const opened = yield* open
          const name = freshName()
          yield* opened.truth.create(name, NEW_TABLE)
          yield* body({ ...opened, name, table: yield* opened.catalog.load(name) })
        }).pipe(Effect.scoped, Effect.runPromise),
      TIMEOUT_MS
    )

/** The locations of a table's metadata files. */
export const metadataFiles = (table: Table): Effect.Effect<ReadonlyArray<string>, IcebergError> =>
  Effect.map(Stream.runCollect(table.store.list(`${table.metadata.location}/metadata/`)), (found) =>
    found.map(({ location }) => location).toSorted()
  )

/** The failure of an effect; null if it succeeds. */
export const failureOf = <A>(effect: Effect.Effect<A, IcebergError>): Effect.Effect<IcebergError | null> =>
  Effect.match(effect, { onFailure: (error) => error, onSuccess: () => null })

/** How a catalog that swaps a pointer must handle faults between it and its server. */
export const commitFaultContract = (what: string, { create, faults, lost, open, rounds, swap }: CommitFaults): void => {
  const define = faultTest(open)
  const it: typeof define = (sentence, body) => define(`${what}: ${sentence}`, body)

  for (const [fault, injected] of faults) {
    it(`${fault} does not fail ${rounds} commits in a row, and nothing is committed twice`, (subject) =>
      Effect.gen(function* () {
        const { catalog, name, proxy, table, truth } = subject
        let current = table
        for (let round = 0; round < rounds; round++) {
          proxy.first(swap, injected)
          current = yield* catalog.commit(current, append(current))
        }
        const loaded = yield* truth.load(name)
        expect(snapshotIds(loaded)).toEqual(snapshotIds(current))
        expect(snapshotIds(loaded)).toHaveLength(rounds)
        expect(loaded.metadataLocation).toBe(current.metadataLocation)
        expect(yield* metadataFiles(loaded)).toHaveLength(rounds + 1)
      }))
  }

  for (const fault of ["loseAnswer", "cut"] satisfies ReadonlyArray<Fault>) {
    const lostPart = fault === "cut" ? "request" : "response"
    it(`a lost ${lostPart} does not fail the creation of a table`, ({ catalog, proxy, truth }) =>
      Effect.gen(function* () {
        const name = freshName()
        proxy.first(create, fault)
        const created = yield* catalog.create(name, NEW_TABLE)
        expect((yield* truth.load(name)).metadataLocation).toBe(created.metadataLocation)
        expect(yield* metadataFiles(created)).toEqual([created.metadataLocation])
      }))
  }

  it("a commit whose response was lost succeeds if other commits were built on it", (subject) =>
    Effect.gen(function* () {
      const { catalog, name, proxy, table, truth } = subject
      const snapshot = snapshotOn(table)
      let others: Promise<Table> | undefined
      proxy.decide = (piece) => {
        // The server is unreachable until the other commits are done.
        if (!swap.test(piece)) return others === undefined ? undefined : "cut"
        others ??= Effect.runPromise(
          Effect.gen(function* () {
            let top = yield* truth.load(name)
            while (!snapshotIds(top).includes(snapshot["snapshot-id"])) top = yield* truth.load(name)
            for (let count = 0; count < 3; count++) top = yield* truth.commit(top, append(top))
            proxy.decide = () => undefined
            return top
          })
        )
        return "loseAnswer"
      }
      const committed = yield* catalog.commit(table, append(table, snapshot))
      expect(snapshotIds(committed)).toEqual([snapshot["snapshot-id"]])
      const top = yield* Effect.promise(() => others!)
      const loaded = yield* truth.load(name)
      expect(snapshotIds(loaded)).toEqual(snapshotIds(top))
      expect(snapshotIds(loaded)).toHaveLength(4)
    }))

  it("a commit that was lost before another one succeeded is a conflict, and its file is kept", (subject) =>
    Effect.gen(function* () {
      const { catalog, name, proxy, table, truth } = subject
      let other: Promise<Table> | undefined
      proxy.decide = (piece) => {
        // The server is unreachable until the other commit is done.
        if (!swap.test(piece)) return other === undefined ? undefined : "cut"
        other ??= Effect.runPromise(truth.commit(table, append(table))).finally(() => {
          proxy.decide = () => undefined
        })
        return lost
      }
      expect((yield* failureOf(catalog.commit(table, append(table))))?.reason).toBe("Conflict")
      const loaded = yield* truth.load(name)
      expect(loaded.metadataLocation).toBe((yield* Effect.promise(() => other!)).metadataLocation)
      expect(snapshotIds(loaded)).toHaveLength(1)
      expect(yield* metadataFiles(loaded)).toHaveLength(3)
    }))

  it("the metadata file of a definite conflict is removed", ({ catalog, name, table, truth }) =>
    Effect.gen(function* () {
      yield* truth.commit(table, append(table))
      expect((yield* failureOf(catalog.commit(table, append(table))))?.reason).toBe("Conflict")
      expect(yield* metadataFiles(yield* truth.load(name))).toHaveLength(2)
    }))

  it("a commit without a snapshot survives a lost response", ({ catalog, name, proxy, table, truth }) =>
    Effect.gen(function* () {
      proxy.first(swap, "loseAnswer")
      yield* catalog.commit(table, setProperties(table, { watermark: "17" }))
      expect((yield* truth.load(name)).metadata.properties["watermark"]).toBe("17")
    }))

  for (const [when, fault] of [
    ["after", "loseAnswer"],
    ["before", "cut"]
  ] as const) {
    const applied = when === "after" ? "applied" : "not applied"
    it(`if the server fails ${when} the swap, the outcome is unknown, nothing is deleted, and it was ${applied}`, (subject) =>
      Effect.gen(function* () {
        const { catalog, name, proxy, table, truth } = subject
        const snapshot = snapshotOn(table)
        let isDown = false
        proxy.decide = (piece) => {
          if (isDown) return "cut"
          isDown = swap.test(piece)
          return isDown ? fault : undefined
        }
        const error = yield* failureOf(catalog.commit(table, append(table, snapshot)))
        expect(error?.reason).toBe("Unknown")
        expect(error?.message).toMatch(/^It is unknown whether \S+\.metadata\.json was committed: /)
        const loaded = yield* truth.load(name)
        expect(snapshotIds(loaded)).toEqual(when === "after" ? [snapshot["snapshot-id"]] : [])
        expect(yield* metadataFiles(loaded)).toHaveLength(2)
      }))
  }
}
