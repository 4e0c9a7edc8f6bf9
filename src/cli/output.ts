import { Console, type Effect } from "effect"
import { Flag } from "effect/cli"

/** `--json`, for every command that prints data. */
export const json = Flag.Boolean("json").pipe(
  Flag.withDefault(false),
  Flag.withDescription("Print JSON instead of text")
)

export const printJson = (value: unknown): Effect.Effect<void> => Console.log(JSON.stringify(value, null, 2))

const pad = (cell: string, width: number) => cell + " ".repeat(Math.max(0, width - Bun.stringWidth(cell)))

/** Columns as wide as their widest cell, separated by two spaces. */
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

/** One `name  value` pair per line. */
export const details = (entries: ReadonlyArray<readonly [name: string, value: string]>): string => {
  const width = Math.max(...entries.map(([name]) => name.length))
  return entries.map(([name, value]) => `${pad(name, width)}  ${value}`.trimEnd()).join("\n")
}

/** `1 problem`, `2,000 problems`. */
export const plural = (count: number, noun: string): string =>
  `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`

/** `1 h 5 min`, `2 min 10 s`, `40 s`, from seconds; the seconds are rounded. */
export const duration = (seconds: number): string => {
  const whole = Math.round(Math.abs(seconds))
  const [h, min, s] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60, whole % 60]
  const text = h > 0 ? `${h.toLocaleString("en-US")} h ${min} min` : min > 0 ? `${min} min ${s} s` : `${s} s`
  return seconds < 0 && whole > 0 ? `-${text}` : text
}

/** The summary of an error message: engines quote the SQL statement on the following lines. */
export const firstLine = (message: string): string => message.split("\n", 1)[0]!.trim()
