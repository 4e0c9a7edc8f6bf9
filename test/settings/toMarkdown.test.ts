import { expect, test } from "bun:test"
import { SETTINGS } from "../../src/settings/settings.ts"
import { settingsTable, TABLE_BEGIN, TABLE_END, withSettingsTable } from "../../src/settings/toMarkdown.ts"

test("every setting has a row of four cells in the settings table", () => {
  const rows = settingsTable()
    .split("\n")
    .filter((line) => line.startsWith("| `"))
  expect(rows.map((line) => /^\| `(\w+)` \|/.exec(line)?.[1])).toEqual(SETTINGS.map(({ env }) => env))
  for (const line of rows) expect(line.split(/(?<!\\)\|/)).toHaveLength(6)
})

test("a row of the settings table has default, accepted values, meaning and when a change takes effect", () => {
  expect(settingsTable()).toContain(
    "| `RATE_LIMIT_BURST` | twice the rate | a whole number from 1 to 10000000 | Events that a site may send at once before its rate applies. A change takes effect within 5 s. |"
  )
  expect(settingsTable()).toContain(
    "| `PORT` | `3000` | a whole number from 0 to 65535 | Port to listen on; 0 picks a free one. Environment only. |"
  )
})

test("the settings table replaces what is between its markers and leaves the rest of the document unchanged", () => {
  const document = `# Footfall\n\n${TABLE_BEGIN}\nold\n${TABLE_END}\n\nThe end.\n`
  const written = withSettingsTable(document)!
  expect(written).toStartWith(`# Footfall\n\n${TABLE_BEGIN}\n\n## Server`)
  expect(written).toEndWith(`${TABLE_END}\n\nThe end.\n`)
  expect(withSettingsTable(written)).toBe(written)
  expect(withSettingsTable("# Footfall\n")).toBeNull()
})
