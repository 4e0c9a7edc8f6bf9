import { describe, expect, test } from "bun:test"
import { importsOf, wrongImports } from "../../scripts/imports.ts"

const allowed: ReadonlyArray<readonly [path: string, specifier: string]> = [
  ["src/domain/Event.ts", "./ids.ts"],
  ["src/domain/Event.ts", "effect"],
  ["src/ports/Geo.ts", "../domain/ids.ts"],
  ["src/pipeline/page.ts", "../ports/Geo.ts"],
  ["src/http/collect/Collect.ts", "../../pipeline/page.ts"],
  ["src/http/collect/Collect.ts", "../../query/ast.ts"],
  ["src/http/admin/Api.ts", "effect/http-api"],
  ["src/http/collect/scrape.ts", "effect/observability"],
  ["layers/postgres/PgStorage.ts", "../../src/ports/Storage.ts"],
  ["layers/postgres/PgStorage.ts", "../memory/MemorySites.ts"],
  ["layers/postgres/PgStorage.ts", "@effect/sql-pg"],
  ["layers/postgres/migrate.ts", "../../migrations/0001_control.sql"],
  ["src/collector.ts", "../layers/postgres/PgStorage.ts"],
  ["src/full.ts", "@effect/sql-pg"],
  ["src/cli.ts", "effect/cli"]
]

const refused: ReadonlyArray<readonly [path: string, specifier: string, sentence: string]> = [
  [
    "src/domain/Event.ts",
    "../ports/Geo.ts",
    "src/domain/Event.ts imports src/ports/Geo.ts; src/domain/ may import src/domain/ alone."
  ],
  [
    "src/ports/Geo.ts",
    "../pipeline/page.ts",
    "src/ports/Geo.ts imports src/pipeline/page.ts; src/ports/ may import src/ports/, src/domain/ alone."
  ],
  [
    "src/pipeline/page.ts",
    "../http/collect/Collect.ts",
    "src/pipeline/page.ts imports src/http/collect/Collect.ts; src/pipeline/ may import src/pipeline/, src/domain/, src/ports/ alone."
  ],
  [
    "src/http/collect/Collect.ts",
    "../../../layers/geo/MaxmindGeo.ts",
    "src/http/collect/Collect.ts imports layers/geo/MaxmindGeo.ts; src/http/ may import src/http/, src/domain/, src/ports/, src/pipeline/, src/query/, src/version.ts alone."
  ],
  [
    "src/http/collect/Collect.ts",
    "../../collector.ts",
    "src/http/collect/Collect.ts imports src/collector.ts; src/http/ may import src/http/, src/domain/, src/ports/, src/pipeline/, src/query/, src/version.ts alone."
  ],
  [
    "layers/geo/MaxmindGeo.ts",
    "../../src/pipeline/page.ts",
    "layers/geo/MaxmindGeo.ts imports src/pipeline/page.ts; layers/ may import layers/, src/domain/, src/ports/, migrations/, src/version.ts alone."
  ],
  [
    "src/pipeline/page.ts",
    "maxmind",
    "src/pipeline/page.ts imports the driver maxmind; only layers and entry points may."
  ],
  [
    "src/http/admin/sites.ts",
    "@effect/sql-pg",
    "src/http/admin/sites.ts imports the driver @effect/sql-pg; only layers and entry points may."
  ],
  [
    "src/http/collect/Collect.ts",
    "effect/http-api",
    "src/http/collect/Collect.ts imports effect/http-api, which is not stable; only layers and src/http/admin may."
  ],
  [
    "src/pipeline/page.ts",
    "effect/sql",
    "src/pipeline/page.ts imports effect/sql, which is not stable; only layers and src/http/admin may."
  ]
]

describe("an import along the arrows is allowed", () => {
  for (const [path, specifier] of allowed) {
    test(`${path} of ${specifier}`, () => expect(wrongImports(path, `import "${specifier}"`)).toEqual([]))
  }
})

describe("an import against the arrows is refused with a sentence", () => {
  for (const [path, specifier, sentence] of refused) {
    test(`${path} of ${specifier}`, () =>
      expect(wrongImports(path, `import type { A } from "${specifier}"`)).toEqual([sentence]))
  }
})

test("every form of import is seen, and none in a comment", () => {
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
