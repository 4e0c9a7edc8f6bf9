/** One row of the table. */
export interface Row {
  readonly what: string
  readonly value: string
  /** What it is compared with, and the value divided by that; null if it stands on its own. */
  readonly against: string | null
  readonly ratio: number | null
  readonly goal: string
  readonly met: boolean
}

const cells = ({ what, value, against, ratio, goal, met }: Row): ReadonlyArray<string> => [
  what,
  value,
  against ?? "",
  ratio === null ? "" : ratio.toFixed(2),
  goal,
  met ? "yes" : "no"
]

/** The rows as a Markdown table that is also readable in a terminal. */
export const table = (rows: ReadonlyArray<Row>): string => {
  const all = [["Measured", "Value", "Against", "Ratio", "Goal", "Met"], ...rows.map(cells)]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  const line = (row: ReadonlyArray<string>) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`
  const [head, ...body] = all.map(line)
  return [head, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...body].join("\n")
}

const BEGIN = "<!-- bench:begin -->"
const END = "<!-- bench:end -->"

/** `text` with everything between its markers replaced; null if it has none. */
export const betweenMarkers = (text: string, replacement: string): string | null => {
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END)
  return begin === -1 || end < begin
    ? null
    : `${text.slice(0, begin + BEGIN.length)}\n${replacement}\n${text.slice(end)}`
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export const perSecond = (value: number): string => `${Math.round(value).toLocaleString("en")}/s`
export const milliseconds = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
export const microseconds = (value: number): string => `${value.toFixed(1)} us`
export const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
