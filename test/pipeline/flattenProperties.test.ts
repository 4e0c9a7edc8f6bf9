import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import fc from "fast-check"
import { Draft } from "../../src/pipeline/Draft.ts"
import { flattenProperties } from "../../src/pipeline/flattenProperties.ts"
import type { PipelineEnv } from "../../src/pipeline/PipelineEnv.ts"

const flatten = (data: Record<string, unknown>) => {
  const draft = new Draft(null, { headers: new Headers(), peer: "" }, 0)
  draft.payload = { data }
  Effect.runSync(flattenProperties(draft, {} as PipelineEnv["Service"]))
  return draft.properties
}

describe("flattened properties", () => {
  test("flattened properties have unique keys that fit the columns, for any JSON", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ maxDepth: 12 })), (data) => {
        const rows = flatten(data)
        expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length)
        expect(rows.length).toBeLessThanOrEqual(250)
        for (const row of rows) {
          expect(row.key.length).toBeLessThanOrEqual(500)
          expect(row.string.length).toBeLessThanOrEqual(500)
          expect(row.key.isWellFormed() && row.string.isWellFormed()).toBe(true)
          expect(row.key.includes("\u0000") || row.string.includes("\u0000")).toBe(false)
          if (row.number !== null) expect(Math.abs(row.number)).toBeLessThan(1e15)
        }
      }),
      { numRuns: 300 }
    )
  })

  test("flat data becomes one property per key, in order, with its value", () => {
    const value = fc.oneof(fc.boolean(), fc.integer(), fc.string({ maxLength: 20, unit: "grapheme-ascii" }))
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z_]{1,12}$/), value, { maxKeys: 30 }), (data) => {
        const rows = flatten(data)
        expect(rows.map(({ key }) => key)).toEqual(Object.keys(data))
        for (const { key, type, string, number } of rows) {
          const given = data[key]
          expect(type).toBe(typeof given === "boolean" ? 3 : typeof given === "number" ? 2 : 1)
          if (typeof given === "number") expect(number).toBe(given)
          else expect(string).toBe(String(given))
        }
      })
    )
  })

  test("nested data becomes one property per leaf, named by its path", () => {
    const leaf = fc.integer()
    const tree = fc.letrec((tie) => ({
      node: fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), fc.oneof({ maxDepth: 4 }, leaf, tie("node")), {
        maxKeys: 4
      })
    })).node as fc.Arbitrary<Record<string, unknown>>
    const leaves = (node: Record<string, unknown>, path: string): Array<[string, number]> =>
      Object.entries(node).flatMap(([key, value]) =>
        typeof value === "number"
          ? [[path + key, value] as [string, number]]
          : leaves(value as Record<string, unknown>, `${path}${key}.`)
      )
    fc.assert(
      fc.property(tree, (data) => {
        expect(flatten(data).map(({ key, number }) => [key, number] as [string, number])).toEqual(leaves(data, ""))
      })
    )
  })
})
