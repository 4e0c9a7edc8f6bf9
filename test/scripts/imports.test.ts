import { expect, test } from "bun:test"
import { importsOf, wrongImports } from "../../scripts/imports.ts"

test.each([
  ["src/domain/Event.ts", "./ids.ts"],
  ["src/domain/Event.ts", "effect"],
  ["src/ports/Geo.ts", "../domain/ids.ts"],
  ["src/pipeline/resolvePage.ts", "../ports/Geo.ts"],
  ["src/http/collect/Collect.ts", "../../pipeline/Draft.ts"],
  ["src/http/collect/Collect.ts", "../../query/probe.ts"],
  ["src/http/api/AdminApi.ts", "effect/http-api"],
  ["src/http/collect/scrape.ts", "effect/observability"],
  ["src/cli/send.ts", "effect/cli"],
  ["src/app/storages.ts", "../../layers/postgres/events/PgStorage.ts"],
  ["src/app/full.ts", "@effect/platform-node-shared/NodeStdio"],
  ["src/full.ts", "./app/full.ts"],
  ["layers/postgres/events/PgStorage.ts", "../../../src/ports/Storage.ts"],
  ["layers/postgres/events/PgStorage.ts", "../../inprocess/Backlog.ts"],
  ["layers/postgres/events/PgStorage.ts", "@effect/sql-pg"],
  ["layers/postgres/client/migrate.ts", "../../../migrations/0001_control.sql"],
  ["layers/lake/openLake.ts", "../iceberg/catalog/Catalog.ts"],
  ["layers/geo/MaxmindGeo.ts", "./LocationDatabase.ts"],
  ["layers/stream/StreamStorage.ts", "../forward/spooledStorage.ts"]
])("%s may import %s", (path, specifier) => {
  expect(wrongImports(path, `import "${specifier}"`)).toEqual([])
})

test.each([
  [
    "src/domain/Event.ts",
    "../ports/Geo.ts",
    "src/domain/Event.ts imports src/ports/Geo.ts; it may import only src/domain/, src/lib/."
  ],
  [
    "src/ports/Geo.ts",
    "../pipeline/Draft.ts",
    "src/ports/Geo.ts imports src/pipeline/Draft.ts; it may import only src/ports/, src/domain/, src/lib/, src/settings/."
  ],
  [
    "src/http/collect/Collect.ts",
    "../../../layers/geo/MaxmindGeo.ts",
    "src/http/collect/Collect.ts imports layers/geo/MaxmindGeo.ts; it may import only src/http/, src/domain/, src/lib/, src/settings/, src/ports/, src/pipeline/, src/query/."
  ],
  [
    "src/cli/doctor.ts",
    "../../layers/lake/openLake.ts",
    "src/cli/doctor.ts imports layers/lake/openLake.ts; it may import only src/cli/, src/domain/, src/lib/, src/settings/, src/ports/, src/pipeline/, src/query/, src/process/, src/http/shared/."
  ],
  [
    "src/full.ts",
    "../layers/postgres/events/PgStorage.ts",
    "src/full.ts imports layers/postgres/events/PgStorage.ts; it may import only src/full.ts, src/app/."
  ],
  [
    "layers/geo/MaxmindGeo.ts",
    "../license/LicenseGate.ts",
    "layers/geo/MaxmindGeo.ts imports layers/license/LicenseGate.ts; it may import only layers/geo/, src/domain/, src/lib/, src/settings/, src/ports/, layers/inprocess/, layers/forward/."
  ],
  [
    "layers/iceberg/table/commit.ts",
    "../../../src/lib/errorCode.ts",
    "layers/iceberg/table/commit.ts imports src/lib/errorCode.ts; it may import only layers/iceberg/."
  ],
  [
    "src/pipeline/resolvePage.ts",
    "maxmind",
    "src/pipeline/resolvePage.ts imports the driver maxmind; only layers/ and src/app/ may."
  ],
  [
    "src/http/api/sites/handlers.ts",
    "@effect/sql-pg",
    "src/http/api/sites/handlers.ts imports the driver @effect/sql-pg; only layers/ and src/app/ may."
  ],
  [
    "src/http/collect/Collect.ts",
    "effect/http-api",
    "src/http/collect/Collect.ts imports effect/http-api, which is not stable; only layers/, src/app/, src/cli/, src/http/api/ may."
  ],
  [
    "src/pipeline/resolvePage.ts",
    "effect/sql",
    "src/pipeline/resolvePage.ts imports effect/sql, which is not stable; only layers/, src/app/, src/cli/, src/http/api/ may."
  ]
])("%s may not import %s, and the message names what it may import", (path, specifier, message) => {
  expect(wrongImports(path, `import type { A } from "${specifier}"`)).toEqual([message])
})

test("every form of import is recognized, but not in comments", () => {
  const source = `
    import "a"
    import b from "b"
    import type { C } from "c"
    import {
      d
    } from "d"
    export * from "e"
    export type { F } from "f"
    const g = await import("g")
    type H = import("h").H
    // import "i"
    /* import "j" */
    const text = "from nowhere"
  `
  expect(importsOf(source)).toEqual(["a", "b", "c", "d", "e", "f", "g", "h"])
})
