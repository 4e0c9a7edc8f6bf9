import type { Clause } from "../fql/schema.ts"
import { TRUNCATION_UNITS, type TruncationUnit } from "../plan/plan.ts"

/** What a date parameter may be set to, for messages. */
export const DATE_VALUES =
  "`today`, `yesterday`, `thisweek`, `lastmonth`, `past30days`, `past30days~` (with the running day), `past7days-from-1weeks`, `next7days`, `2026-03-28`, `2026-03`, `Q1-2026`, `2026-03-01~2026-03-31`, `2026-03-01~`, `~2026-03-31`, or `all`"

const UNIT = `(${TRUNCATION_UNITS.join("|")})`
const DAY = String.raw`\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?`

type Make = (dimension: unknown, match: ReadonlyArray<string | undefined>) => Clause | null

const interval = (dimension: unknown, count: number | "current", unit: string, isRunningIncluded = false): Clause => [
  "time-interval",
  dimension,
  count,
  unit,
  ...(isRunningIncluded ? [{ "include-current": true }] : [])
]

const quarter: Make = (dimension, [, number, year]) => {
  const month = (index: number) => `${year}-${String(index).padStart(2, "0")}`
  const first = (Number(number) - 1) * 3 + 1
  return ["between", dimension, month(first), month(first + 2)]
}

/** Metabase's notation of dates, each form with the condition that it stands for. */
const FORMS: ReadonlyArray<readonly [form: RegExp, make: Make]> = [
  [/^all$/, () => null],
  [/^today$/, (dimension) => interval(dimension, "current", "day")],
  [/^yesterday$/, (dimension) => interval(dimension, -1, "day")],
  [new RegExp(`^this${UNIT}$`), (dimension, [, unit]) => interval(dimension, "current", unit!)],
  [new RegExp(`^last${UNIT}$`), (dimension, [, unit]) => interval(dimension, -1, unit!)],
  [new RegExp(`^next${UNIT}$`), (dimension, [, unit]) => interval(dimension, 1, unit!)],
  [
    new RegExp(String.raw`^past(\d{1,5})${UNIT}s(~)?$`),
    (dimension, [, count, unit, running]) => interval(dimension, -Number(count), unit!, running !== undefined)
  ],
  [
    new RegExp(String.raw`^next(\d{1,5})${UNIT}s(~)?$`),
    (dimension, [, count, unit, running]) => interval(dimension, Number(count), unit!, running !== undefined)
  ],
  [
    new RegExp(String.raw`^past(\d{1,5})${UNIT}s-from-(\d{1,5})${UNIT}s$`),
    (dimension, [, count, unit, offset, offsetUnit]) => [
      "relative-time-interval",
      dimension,
      -Number(count),
      unit,
      -Number(offset),
      offsetUnit
    ]
  ],
  [/^\d{4}-\d{2}$/, (dimension, [month]) => ["=", dimension, month]],
  [/^Q([1-4])-(\d{4})$/, quarter],
  [new RegExp(`^${DAY}$`), (dimension, [day]) => ["=", dimension, day]],
  [new RegExp(`^(${DAY})~(${DAY})$`), (dimension, [, from, to]) => ["between", dimension, from, to]],
  [new RegExp(`^(${DAY})~$`), (dimension, [, from]) => [">=", dimension, from]],
  [new RegExp(`^~(${DAY})$`), (dimension, [, to]) => ["<=", dimension, to]]
]

/** Whether the month, or the day and the time, of a value exist: there is no 31st of February. */
const exists = (text: string): boolean => {
  try {
    if (text.length === 7) Temporal.PlainYearMonth.from(text)
    else Temporal.PlainDateTime.from(text)
    return true
  } catch {
    return false
  }
}

/** Whether the dates that a value names exist. */
export const hasRealDates = (value: string): boolean =>
  value
    .split("~")
    .filter((part) => /^\d{4}-/.test(part))
    .every(exists)

/** The condition that a date parameter's value stands for; null: any time. Undefined if it is not such a value. */
export const dateClause = (dimension: unknown, value: string): Clause | null | undefined => {
  for (const [form, make] of FORMS) {
    const match = form.exec(value)
    if (match !== null) return make(dimension, match)
  }
  return undefined
}

export const isTruncationUnit = (unit: unknown): unit is TruncationUnit => TRUNCATION_UNITS.some((one) => one === unit)
