import { Console, type Effect } from "effect"
import { Flag } from "effect/cli"

/** `--json`, the same on every command that has it. */
export const json = Flag.Boolean("json").pipe(
  Flag.withDefault(false),
  Flag.withDescription("Print JSON instead of a table")
)

export const printJson = (value: unknown): Effect.Effect<void> => Console.log(JSON.stringify(value, null, 2))

const pad = (text: string, width: number) => text + " ".repeat(Math.max(0, width - Bun.stringWidth(text)))

/** Columns as wide as their widest cell, two spaces apart. */
export const table = (headers: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = headers.map((header, column) =>
    Math.max(...[headers, ...rows].map((row) => Bun.stringWidth(row[column] ?? "")), header.length)
  )
  return [headers, ...rows]
    .map((row) =>
      row
        .map((cell, column) => pad(cell, widths[column] ?? 0))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

/** Names and values, one a line. */
export const details = (entries: ReadonlyArray<readonly [name: string, value: string]>): string => {
  const width = Math.max(...entries.map(([name]) => name.length))
  return entries.map(([name, value]) => `${pad(name, width)}  ${value}`.trimEnd()).join("\n")
}

/** What went wrong without what it was about: engines quote the statement on the lines that follow. */
export const firstLine = (message: string): string => message.split("\n", 1)[0]!.trim()
