import { SETTING_GROUPS, SETTINGS, type Setting } from "./settings.ts"

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")

const code = (text: string): string => (text.includes("`") || /[: ]/.test(text) ? text : `\`${text}\``)

const traits = (setting: Setting<unknown>): string =>
  [
    ...(setting.live ? ["A change takes effect within 5 s."] : []),
    ...(setting.environmentOnly ? ["Environment only."] : [])
  ].join(" ")

const row = (setting: Setting<unknown>): string =>
  `| \`${setting.env}\` | ${[code(setting.defaultText), setting.accepts, `${setting.doc} ${traits(setting)}`.trim()].map(cell).join(" | ")} |`

/** Every setting as Markdown, one table per group. */
export const settingsTable = (): string =>
  SETTING_GROUPS.flatMap((group) => {
    const rows = SETTINGS.filter((setting) => setting.group === group).map(row)
    return rows.length === 0
      ? []
      : [[`## ${group}`, "", "| variable | default | accepts | meaning |", "|---|---|---|---|", ...rows].join("\n")]
  }).join("\n\n")

/** The markers around the table in a document. */
export const TABLE_BEGIN = "<!-- settings: written by `bun scripts/settings-table.ts` -->"
export const TABLE_END = "<!-- /settings -->"

/** The document with an up-to-date table between the markers, or null if it has none. */
export const withSettingsTable = (document: string): string | null => {
  const begin = document.indexOf(TABLE_BEGIN)
  const end = document.indexOf(TABLE_END)
  if (begin === -1 || end < begin) return null
  return `${document.slice(0, begin + TABLE_BEGIN.length)}\n\n${settingsTable()}\n\n${document.slice(end)}`
}
