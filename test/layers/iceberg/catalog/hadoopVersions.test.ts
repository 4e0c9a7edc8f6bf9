import { expect, test } from "bun:test"
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect } from "effect"
import type { Catalog, Table, TableName } from "../../../../layers/iceberg/catalog/Catalog.ts"
import { makeHadoopCatalog } from "../../../../layers/iceberg/catalog/hadoop/HadoopCatalog.ts"
import type { IcebergError } from "../../../../layers/iceberg/IcebergError.ts"
import { makeLocalObjectStore } from "../../../../layers/iceberg/io/LocalObjectStore.ts"
import type { ObjectStore } from "../../../../layers/iceberg/io/ObjectStore.ts"
import { temporaryFolder } from "../../../support/postgres/postgres.ts"
import { append, freshName, NEW_TABLE, setProperties, snapshotIds } from "./tables.ts"

const folder = temporaryFolder()
const warehouse = pathToFileURL(folder).href

interface Subject {
  readonly catalog: Catalog
  readonly name: TableName
  /** Version 3. */
  readonly table: Table
  readonly path: (file: string) => string
}

const it = (sentence: string, body: (subject: Subject) => Effect.Effect<void, IcebergError>): void =>
  test(sentence, () =>
    Effect.gen(function* () {
      const catalog = yield* makeHadoopCatalog({ store: yield* makeLocalObjectStore(warehouse), warehouse })
      const name = freshName()
      let table = yield* catalog.create(name, NEW_TABLE)
      for (let count = 0; count < 2; count++) table = yield* catalog.commit(table, append(table))
      yield* body({
        catalog,
        name,
        table,
        path: (file) => join(folder, ...name.namespace, name.name, "metadata", file)
      })
    }).pipe(Effect.runPromise)
  )

it("the Hadoop catalog names versions, hint and folders as Iceberg's own catalog does", ({ name, path, table }) =>
  Effect.sync(() => {
    expect(table.metadata.location).toBe(`${warehouse}/${name.namespace[0]}/events`)
    expect(table.metadataLocation).toBe(`${warehouse}/${name.namespace[0]}/events/metadata/v3.metadata.json`)
    expect(readdirSync(path("."))).toEqual([
      "v1.metadata.json",
      "v2.metadata.json",
      "v3.metadata.json",
      "version-hint.text"
    ])
    expect(readFileSync(path("version-hint.text"), "utf8")).toBe("3")
  }))

for (const [what, hint] of [
  ["is missing", null],
  ["is too low", "1"],
  ["exceeds every version", "99"],
  ["is not a number", "three"],
  ["is empty", ""]
] as const) {
  it(`a version hint that ${what} hides no version and stops no commit`, ({ catalog, name, path }) =>
    Effect.gen(function* () {
      if (hint === null) rmSync(path("version-hint.text"))
      else writeFileSync(path("version-hint.text"), hint)
      const loaded = yield* catalog.load(name)
      expect(loaded.metadataLocation).toEndWith("/v3.metadata.json")
      const committed = yield* catalog.commit(loaded, append(loaded))
      expect(committed.metadataLocation).toEndWith("/v4.metadata.json")
      expect(readFileSync(path("version-hint.text"), "utf8")).toBe("4")
      expect(snapshotIds(yield* catalog.load(name))).toEqual(snapshotIds(committed))
    }))
}

for (const suffix of [".gz.metadata.json", ".metadata.json.gz"]) {
  it(`a version that another engine compressed as v4${suffix} is the newest and is not overwritten`, (subject) =>
    Effect.gen(function* () {
      const { catalog, name, path, table } = subject
      const next = yield* catalog.commit(table, append(table))
      writeFileSync(path(`v4${suffix}`), Bun.gzipSync(readFileSync(path("v4.metadata.json"))))
      rmSync(path("v4.metadata.json"))
      writeFileSync(path("version-hint.text"), "3")
      const conflict = yield* Effect.match(catalog.commit(table, append(table)), {
        onFailure: ({ reason }) => reason,
        onSuccess: () => "no failure"
      })
      expect(conflict).toBe("Conflict")
      const loaded = yield* catalog.load(name)
      expect(snapshotIds(loaded)).toEqual(snapshotIds(next))
      const committed = yield* catalog.commit(loaded, append(loaded))
      expect(committed.metadataLocation).toEndWith("/v5.metadata.json")
    }))
}

it("a writer with a stale version whose successor was removed gets a conflict", ({ catalog, path, table }) =>
  Effect.gen(function* () {
    const next = yield* catalog.commit(table, append(table))
    yield* catalog.commit(next, append(next))
    rmSync(path("v4.metadata.json"))
    const reason = yield* Effect.match(catalog.commit(table, append(table)), {
      onFailure: (error) => error.reason,
      onSuccess: () => "no failure"
    })
    expect(reason).toBe("Conflict")
    expect(existsSync(path("v4.metadata.json"))).toBe(false)
  }))

it("a table that was dropped and recreated under its name is not mistaken for the old one", ({
  catalog,
  name,
  path,
  table
}) =>
  Effect.gen(function* () {
    renameSync(path("../.."), `${path("../..")}-dropped`)
    const made = yield* catalog.create(name, NEW_TABLE)
    expect((yield* catalog.load(name)).metadata["table-uuid"]).toBe(made.metadata["table-uuid"])
    expect(made.metadata["table-uuid"]).not.toBe(table.metadata["table-uuid"])
  }))

it("Java's checksum of its version hint is removed, because it does not match our hint", ({ catalog, path, table }) =>
  Effect.gen(function* () {
    writeFileSync(path(".version-hint.text.crc"), "crc of another hint")
    yield* catalog.commit(table, append(table))
    expect(existsSync(path(".version-hint.text.crc"))).toBe(false)
  }))

it("the metadata folder of a table in a Hadoop catalog cannot be changed", ({ catalog, table }) =>
  Effect.gen(function* () {
    const error = yield* Effect.match(
      catalog.commit(table, setProperties(table, { "write.metadata.path": "file:///elsewhere" })),
      {
        onFailure: (failure) => failure,
        onSuccess: () => undefined
      }
    )
    expect(error?.reason).toBe("Invalid")
    expect(error?.message).toContain("Cannot set write.metadata.path")
  }))

test("a store that ignores conditional writes is refused before a commit can be lost", () =>
  Effect.gen(function* () {
    const store = yield* makeLocalObjectStore(warehouse)
    const careless: ObjectStore = {
      ...store,
      writeNew: (location, bytes) => Effect.as(store.write(location, bytes), true)
    }
    const catalog = yield* makeHadoopCatalog({ store: careless, warehouse })
    const error = yield* Effect.flip(catalog.create(freshName(), NEW_TABLE))
    expect(error.reason).toBe("Invalid")
    expect(error.message).toContain("ignores conditional writes")
    expect(readdirSync(folder).filter((file) => file.startsWith(".footfall"))).toEqual([])
  }).pipe(Effect.runPromise))
