import type { ColumnNumbers, TableNumbers } from "./numbers.ts"

/** How the values of a column are told as one exact number. */
export type Kind = "text" | "map" | "whole" | "boolean" | "date" | "timestamp" | { readonly scale: number }

/** What differs between engines that speak SQL. Every expression is of SQL text. */
export interface Dialect {
  readonly quote: (name: string) => string
  /** Of a type as the engine names it; undefined for one that tables of ours don't have. */
  readonly kindOf: (type: string) => Kind | undefined
  readonly asText: (value: string) => string
  readonly codePoints: (text: string) => string
  /** The first 7 hexadecimal digits of the MD5, as a number. */
  readonly digest: (text: string) => string
  /** As a number that may be added up without bounds: micros, days, 0 and 1, or the decimal. */
  readonly number: (value: string, kind: Exclude<Kind, "text" | "map">) => string
  /** What comes after FROM for one row `k`, `v` for each entry of the column. */
  readonly entries: (table: string, column: string) => string
  /** Whether a map that is null can be told from an empty one. */
  readonly nullMaps: boolean
}

export type Row = ReadonlyArray<string | null>

const base = (type: string) => type.toLowerCase().replace(/\s+/g, " ").trim()
const scaleOf = (type: string): Kind | undefined => {
  const found = /^decimal\((\d+), ?(\d+)\)$/.exec(type)
  return found === null ? undefined : { scale: Number(found[2]) }
}

const kinds =
  (named: ReadonlyArray<readonly [RegExp, Kind]>) =>
  (type: string): Kind | undefined =>
    scaleOf(base(type)) ?? named.find(([pattern]) => pattern.test(base(type)))?.[1]

const ansi = (name: string) => `"${name.replaceAll('"', '""')}"`
const isDecimal = (kind: Kind): kind is { readonly scale: number } => typeof kind === "object"

export const duckdbDialect: Dialect = {
  quote: ansi,
  kindOf: kinds([
    [/^varchar$/, "text"],
    [/^map\(varchar, varchar\)$/, "map"],
    [/^(integer|bigint)$/, "whole"],
    [/^boolean$/, "boolean"],
    [/^date$/, "date"],
    [/^timestamp/, "timestamp"]
  ]),
  asText: (value) => `CAST(${value} AS VARCHAR)`,
  codePoints: (text) => `length(${text})`,
  digest: (text) => `CAST('0x' || substr(md5(${text}), 1, 7) AS BIGINT)`,
  number: (value, kind) => {
    if (isDecimal(kind)) return `CAST(${value} AS DECIMAL(38, ${kind.scale}))`
    const whole = {
      whole: value,
      boolean: value,
      date: `(${value} - DATE '1970-01-01')`,
      timestamp: `epoch_us(${value})`
    }
    return `CAST(${whole[kind]} AS HUGEINT)`
  },
  entries: (table, column) =>
    `(SELECT e.key AS k, e.value AS v FROM (SELECT unnest(map_entries(${column})) AS e FROM ${table}))`,
  nullMaps: true
}

export const trinoDialect: Dialect = {
  quote: ansi,
  kindOf: kinds([
    [/^varchar/, "text"],
    [/^map\(varchar, varchar\)$/, "map"],
    [/^(integer|bigint)$/, "whole"],
    [/^boolean$/, "boolean"],
    [/^date$/, "date"],
    [/^timestamp/, "timestamp"]
  ]),
  asText: (value) => `CAST(${value} AS varchar)`,
  codePoints: (text) => `length(${text})`,
  digest: (text) => `from_base(substr(to_hex(md5(to_utf8(${text}))), 1, 7), 16)`,
  number: (value, kind) => {
    if (isDecimal(kind)) return `CAST(${value} AS decimal(38, ${kind.scale}))`
    const whole = {
      whole: value,
      boolean: `CAST(${value} AS integer)`,
      date: `date_diff('day', DATE '1970-01-01', ${value})`,
      // A double holds seconds with microseconds exactly enough to round until the year 2106.
      timestamp: `CAST(round(to_unixtime(${value}) * 1000000) AS bigint)`
    }
    return `CAST(${whole[kind]} AS decimal(38, 0))`
  },
  entries: (table, column) => `${table} CROSS JOIN UNNEST(${column}) AS u (k, v)`,
  nullMaps: true
}

export const clickhouseDialect: Dialect = {
  quote: (name) => `\`${name.replaceAll("`", "\\`")}\``,
  kindOf: (type) => {
    const plain = type.replace(/^Nullable\((.*)\)$/, "$1")
    if (/^Map\(String, (Nullable\()?String\)?\)$/.test(plain)) return "map"
    return kinds([
      [/^string$/, "text"],
      [/^int(32|64)$/, "whole"],
      [/^bool$/, "boolean"],
      [/^date(32)?$/, "date"],
      [/^datetime64\(6/, "timestamp"]
    ])(plain)
  },
  asText: (value) => `toString(${value})`,
  codePoints: (text) => `lengthUTF8(${text})`,
  digest: (text) =>
    `if(isNull(${text}), NULL, bitShiftRight(reinterpretAsUInt32(reverse(substring(MD5(assumeNotNull(${text})), 1, 4))), 4))`,
  number: (value, kind) => {
    if (isDecimal(kind)) return `toDecimal128(${value}, ${kind.scale})`
    const whole = {
      whole: value,
      boolean: value,
      date: `toInt32(${value})`,
      timestamp: `toUnixTimestamp64Micro(${value})`
    }
    return `toInt128(${whole[kind]})`
  },
  entries: (table, column) =>
    `(SELECT k, v FROM ${table} ARRAY JOIN mapKeys(${column}) AS k, mapValues(${column}) AS v)`,
  nullMaps: false
}

export const sparkDialect: Dialect = {
  quote: (name) => `\`${name.replaceAll("`", "``")}\``,
  kindOf: kinds([
    [/^string$/, "text"],
    [/^map<string, ?string>$/, "map"],
    [/^(int|bigint)$/, "whole"],
    [/^boolean$/, "boolean"],
    [/^date$/, "date"],
    [/^timestamp/, "timestamp"]
  ]),
  asText: (value) => `CAST(${value} AS STRING)`,
  codePoints: (text) => `char_length(${text})`,
  digest: (text) => `CAST(conv(substr(md5(encode(${text}, 'UTF-8')), 1, 7), 16, 10) AS BIGINT)`,
  number: (value, kind) => {
    if (isDecimal(kind)) return `CAST(${value} AS DECIMAL(38, ${kind.scale}))`
    const whole = {
      whole: value,
      boolean: `CAST(${value} AS INT)`,
      date: `unix_date(${value})`,
      timestamp: `unix_micros(${value})`
    }
    return `CAST(${whole[kind]} AS DECIMAL(38, 0))`
  },
  entries: (table, column) => `(SELECT explode(${column}) AS (k, v) FROM ${table})`,
  nullMaps: true
}

/** `1.5` with four digits after the point is `1.5000`: some engines leave zeros out. */
const withScale = (number: string | null, scale: number): string | null => {
  if (number === null || scale === 0) return number
  const [whole, fraction = ""] = number.split(".")
  return `${whole}.${fraction.padEnd(scale, "0")}`
}

/** One column's expressions, and how their values, in that order, make its numbers. */
interface Measure {
  readonly from: string
  readonly select: ReadonlyArray<string>
  readonly read: (values: Row) => ColumnNumbers
}

const measure = (dialect: Dialect, table: string, name: string, kind: Kind): Measure => {
  const column = dialect.quote(name)
  if (kind === "text") {
    return {
      from: table,
      select: [`count(${column})`, `sum(${dialect.codePoints(column)})`, `sum(${dialect.digest(column)})`],
      read: ([nonNull, codePoints, digest]) => ({
        kind: "text",
        nonNull: Number(nonNull),
        codePoints: codePoints ?? "0",
        digest: digest ?? "0"
      })
    }
  }
  if (kind === "map") {
    const entry = `CASE WHEN v IS NULL THEN k ELSE concat(k, '=', v) END`
    return {
      from: dialect.entries(table, column),
      select: [
        "count(*)",
        "count(v)",
        `sum(${dialect.codePoints("v")})`,
        `sum(${dialect.digest(entry)})`,
        dialect.nullMaps ? `(SELECT count(${column}) FROM ${table})` : "NULL"
      ],
      read: ([entries, values, codePoints, digest, nonNull]) => ({
        kind: "map",
        nonNull: nonNull == null ? null : Number(nonNull),
        entries: Number(entries),
        nullValues: Number(entries) - Number(values),
        codePoints: codePoints ?? "0",
        digest: digest ?? "0"
      })
    }
  }
  const number = dialect.number(column, kind)
  const scale = isDecimal(kind) ? kind.scale : 0
  return {
    from: table,
    select: [`count(${column})`, `sum(${number})`, `min(${number})`, `max(${number})`],
    read: ([nonNull, sum = null, min = null, max = null]) => {
      const none = Number(nonNull) === 0
      const told = (value: string | null) => (none ? null : withScale(value, scale))
      return { kind: "number", nonNull: Number(nonNull), sum: told(sum), min: told(min), max: told(max) }
    }
  }
}

/**
 * The table's numbers, by as many statements as there are maps, and one. `columns` are the engine's own names of the types;
 * `run` answers every row of a statement, each value as text.
 */
export const sqlNumbers = async (
  dialect: Dialect,
  table: string,
  id: string,
  columns: ReadonlyArray<{ readonly name: string; readonly type: string }>,
  run: (statement: string) => Promise<ReadonlyArray<Row>>
): Promise<TableNumbers> => {
  const measures = columns.map(({ name, type }) => {
    const kind = dialect.kindOf(type)
    if (kind === undefined) throw new TypeError(`no numbers are defined for ${name} of type ${type}`)
    return { name, ...measure(dialect, table, name, kind) }
  })
  const ask = async (select: ReadonlyArray<string>, from: string): Promise<Row> => {
    const list = select.map((each, at) => `${dialect.asText(each)} AS c${at}`).join(", ")
    return (await run(`SELECT ${list} FROM ${from}`))[0] ?? []
  }
  const plain = measures.filter(({ from }) => from === table)
  const general = ["count(*)", `count(DISTINCT ${dialect.quote(id)})`]
  const answer = await ask([...general, ...plain.flatMap(({ select }) => select)], table)
  const numbers: Record<string, ColumnNumbers> = {}
  let at = general.length
  for (const { name, read, select } of plain) {
    numbers[name] = read(answer.slice(at, at + select.length))
    at += select.length
  }
  for (const { from, name, read, select } of measures) {
    if (from !== table) numbers[name] = read(await ask(select, from))
  }
  const ordered = Object.fromEntries(measures.map(({ name }) => [name, numbers[name]!]))
  return { rows: Number(answer[0]), distinctIds: Number(answer[1]), columns: ordered }
}
