import { join } from "node:path"
import { TABLE_BEGIN, TABLE_END, withSettingsTable } from "../src/settings/toMarkdown.ts"

/** Writes the table in docs/settings.md from the registry. With `--check`, only reports whether the table is up to date. */
const PATH = "docs/settings.md"
const file = join(import.meta.dir, "..", PATH)
const current = await Bun.file(file).text()
const updated = withSettingsTable(current)
if (updated === null) {
  console.error(
    `${PATH} has no markers for the settings table: a line \`${TABLE_BEGIN}\`, and below it \`${TABLE_END}\`.`
  )
  process.exit(1)
}
if (updated !== current) {
  if (process.argv.includes("--check")) {
    console.error(`The table in ${PATH} is out of date. Run \`bun run settings-table\`.`)
    process.exit(1)
  }
  await Bun.write(file, updated)
}
