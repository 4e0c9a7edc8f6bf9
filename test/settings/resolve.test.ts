import { expect, test } from "bun:test"
import { resolve, stateOf } from "../../src/settings/resolve.ts"
import { CORS_MAX_AGE, type Setting } from "../../src/settings/settings.ts"

const setting = CORS_MAX_AGE as Setting<unknown>

test("an invalid variable is a problem of the environment, and the default applies", () => {
  expect(resolve(setting, { CORS_MAX_AGE: "soon" }, new Map())).toEqual({
    value: 86_400,
    source: "default",
    problem: { source: "environment", message: expect.stringContaining('CORS_MAX_AGE is "soon"; it accepts') }
  })
})

test("an invalid value in the settings table is a problem of the table, and a setting's state includes it", () => {
  const table = new Map([["cors-max-age", "soon"]])
  const problem = { source: "table" as const, message: expect.stringContaining('CORS_MAX_AGE is "soon"; it accepts') }
  expect(resolve(setting, {}, table)).toEqual({ value: 86_400, source: "default", problem })
  expect(stateOf(setting, {}, table, 86_400).problem).toEqual(problem)
})

test("a valid value has no problem", () => {
  expect(resolve(setting, { CORS_MAX_AGE: "60" }, new Map([["cors-max-age", "soon"]]))).toEqual({
    value: 60,
    source: "environment",
    problem: null
  })
})
