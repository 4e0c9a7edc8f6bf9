import { join } from "node:path"
import { TABLE_BEGIN, TABLE_END, withSettingsTable } from "../src/settings/toMarkdown.ts"

/** Writes the README's table of settings from the registry; with `--check` it only tells whether the table is of today. */
const README = join(import.meta.dir, "..", "README.md")
const present = await Bun.file(README).text()
const wanted = withSettingsTable(present)
if (wanted === null) {
  console.error(
    `README.md has no place for the settings table: a line \`${TABLE_BEGIN}\`, and below it \`${TABLE_END}\`.`
  )
  process.exit(1)
}
if (wanted !== present) {
  if (process.argv.includes("--check")) {
    console.error("README.md has an old table of settings; `bun scripts/settings-table.ts` writes it anew.")
    process.exit(1)
  }
  await Bun.write(README, wanted)
}
