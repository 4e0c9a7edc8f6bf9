import type { ColumnNumbers, TableNumbers } from "./numbers.ts"

/** How the numbers of a column are computed. */
export type Kind = "string" | "map" | "integer" | "boolean" | "date" | "timestamp" | { readonly scale: number }

/** What differs between SQL engines. All expressions are SQL. */
export interface Dialect {
  readonly quote: (name: string) => string
  /** The kind of a type in the engine's own name; null for a type that our tables do not have. */
  readonly kindOf: (type: string) => Kind | null
  readonly asString: (value: string) => string
  readonly codePoints: (value: string) => string
  /** The first 7 hexadecimal digits of the MD5, as a number. */
  readonly digest: (value: string) => string
  /** As a number whose sum cannot overflow: microseconds, days, 0 and 1, or the decimal. */
  readonly number: (value: string, kind: Exclude<Kind, "string" | "map">) => string
  /** A relation for FROM with a row `k`, `v` for each entry of the column. */
  readonly entries: (table: string, column: string) => string
  /** Whether a null map can be distinguished from an empty one. */
  readonly nullMaps: boolean
}

export type Row = ReadonlyArray<string | null>

const base = (type: string) => type.toLowerCase().replace(/\s+/g, " ").trim()
const decimalKind = (type: string): Kind | null => {
  const found = /^decimal\((\d+), ?(\d+)\)$/.exec(type)
  return found === null ? null : { scale: Number(found[2]) }
}

const kinds =
  (named: ReadonlyArray<readonly [RegExp, Kind]>) =>
  (type: string): Kind | null =>
    decimalKind(base(type)) ?? named.find(([pattern]) => pattern.test(base(type)))?.[1] ?? null

const ansi = (name: string) => `"${name.replaceAll('"', '""')}"`
const isDecimal = (kind: Kind): kind is { readonly scale: number } => typeof kind === "object"

export const duckdbDialect: Dialect = {
  quote: ansi,
  kindOf: kinds([
    [/^varchar$/, "string"],
    [/^map\(varchar, varchar\)$/, "map"],
    [/^(integer|bigint)$/, "integer"],
    [/^boolean$/, "boolean"],
    [/^date$/, "date"],
    [/^timestamp/, "timestamp"]
  ]),
  asString: (value) => `CAST(${value} AS VARCHAR)`,
  codePoints: (value) => `length(${value})`,
  digest: (value) => `CAST('0x' || substr(md5(${value}), 1, 7) AS BIGINT)`,
  number: (value, kind) => {
    if (isDecimal(kind)) return `CAST(${value} AS DECIMAL(38, ${kind.scale}))`
    const integers = {
      integer: value,
      boolean: value,
      date: `(${value} - DATE '1970-01-01')`,
      timestamp: `epoch_us(${value})`
    }
    return `CAST(${integers[kind]} AS HUGEINT)`
  },
  entries: (table, column) =>
    `(SELECT e.key AS k, e.value AS v FROM (SELECT unnest(map_entries(${column})) AS e FROM ${table}))`,
  nullMaps: true
}

export const trinoDialect: Dialect = {
  quote: ansi,
  kindOf: kinds([
    [/^varchar/, "string"],
    [/^map\(varchar, varchar\)$/, "map"],
    [/^(integer|bigint)$/, "integer"],
    [/^boolean$/, "boolean"],
    [/^date$/, "date"],
    [/^timestamp/, "timestamp"]
  ]),
  asString: (value) => `CAST(${value} AS varchar)`,
  codePoints: (value) => `length(${value})`,
  digest: (value) => `from_base(substr(to_hex(md5(to_utf8(${value}))), 1, 7), 16)`,
  number: (value, kind) => {
    if (isDecimal(kind)) return `CAST(${value} AS decimal(38, ${kind.scale}))`
    const integers = {
      integer: value,
      boolean: `CAST(${value} AS integer)`,
      date: `date_diff('day', DATE '1970-01-01', ${value})`,
      // A double holds seconds with microseconds exactly enough to round until the year 2106.
      timestamp: `CAST(round(to_unixtime(${value}) * 1000000) AS bigint)`
    }
    return `CAST(${integers[kind]} AS decimal(38, 0))`
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
      [/^string$/, "string"],
      [/^int(32|64)$/, "integer"],
      [/^bool$/, "boolean"],
      [/^date(32)?$/, "date"],
      [/^datetime64\(6/, "timestamp"]
    ])(plain)
  },
  asString: (value) => `toString(${value})`,
  codePoints: (value) => `lengthUTF8(${value})`,
  digest: (value) =>
    `if(isNull(${value}), NULL, bitShiftRight(reinterpretAsUInt32(reverse(substring(MD5(assumeNotNull(${value})), 1, 4))), 4))`,
  number: (value, kind) => {
    if (isDecimal(kind)) return `toDecimal128(${value}, ${kind.scale})`
    const integers = {
      integer: value,
      boolean: value,
      date: `toInt32(${value})`,
      timestamp: `toUnixTimestamp64Micro(${value})`
    }
    return `toInt128(${integers[kind]})`
  },
  entries: (table, column) =>
    `(SELECT k, v FROM ${table} ARRAY JOIN mapKeys(${column}) AS k, mapValues(${column}) AS v)`,
  nullMaps: false
}

export const sparkDialect: Dialect = {
  quote: (name) => `\`${name.replaceAll("`", "``")}\``,
  kindOf: kinds([
    [/^string$/, "string"],
    [/^map<string, ?string>$/, "map"],
    [/^(int|bigint)$/, "integer"],
    [/^boolean$/, "boolean"],
    [/^date$/, "date"],
    [/^timestamp/, "timestamp"]
  ]),
  asString: (value) => `CAST(${value} AS STRING)`,
  codePoints: (value) => `char_length(${value})`,
  digest: (value) => `CAST(conv(substr(md5(encode(${value}, 'UTF-8')), 1, 7), 16, 10) AS BIGINT)`,
  number: (value, kind) => {
    if (isDecimal(kind)) return `CAST(${value} AS DECIMAL(38, ${kind.scale}))`
    const integers = {
      integer: value,
      boolean: `CAST(${value} AS INT)`,
      date: `unix_date(${value})`,
      timestamp: `unix_micros(${value})`
    }
    return `CAST(${integers[kind]} AS DECIMAL(38, 0))`
  },
  entries: (table, column) => `(SELECT explode(${column}) AS (k, v) FROM ${table})`,
  nullMaps: true
}

/** `1.5` with four decimal places is `1.5000`: some engines drop trailing zeros. */
const withScale = (number: string | null, scale: number): string | null => {
  if (number === null || scale === 0) return number
  const [integer, fraction = ""] = number.split(".")
  return `${integer}.${fraction.padEnd(scale, "0")}`
}

/** A column's SQL expressions, and how to read its numbers from their values, in the same order. */
interface Measure {
  readonly from: string
  readonly select: ReadonlyArray<string>
  readonly read: (values: Row) => ColumnNumbers
}

const measure = (dialect: Dialect, table: string, name: string, kind: Kind): Measure => {
  const column = dialect.quote(name)
  if (kind === "string") {
    return {
      from: table,
      select: [`count(${column})`, `sum(${dialect.codePoints(column)})`, `sum(${dialect.digest(column)})`],
      read: ([nonNull, codePoints, digest]) => ({
        kind: "string",
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
      const isEmpty = Number(nonNull) === 0
      const read = (value: string | null) => (isEmpty ? null : withScale(value, scale))
      return { kind: "number", nonNull: Number(nonNull), sum: read(sum), min: read(min), max: read(max) }
    }
  }
}

/**
 * The table's numbers, computed with one statement, and one more for each map. `columns` have the engine's own type names;
 * `run` returns the rows of a statement with all values as strings.
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
    if (kind === null) throw new TypeError(`The type ${type} of the column ${name} is not supported.`)
    return { name, ...measure(dialect, table, name, kind) }
  })
  const selectRow = async (select: ReadonlyArray<string>, from: string): Promise<Row> => {
    const list = select.map((expression, at) => `${dialect.asString(expression)} AS c${at}`).join(", ")
    return (await run(`SELECT ${list} FROM ${from}`))[0] ?? []
  }
  const plain = measures.filter(({ from }) => from === table)
  const general = ["count(*)", `count(DISTINCT ${dialect.quote(id)})`]
  const row = await selectRow([...general, ...plain.flatMap(({ select }) => select)], table)
  const numbers: Record<string, ColumnNumbers> = {}
  let at = general.length
  for (const { name, read, select } of plain) {
    numbers[name] = read(row.slice(at, at + select.length))
    at += select.length
  }
  for (const { from, name, read, select } of measures) {
    if (from !== table) numbers[name] = read(await selectRow(select, from))
  }
  const ordered = Object.fromEntries(measures.map(({ name }) => [name, numbers[name]!]))
  return { rows: Number(row[0]), distinctIds: Number(row[1]), columns: ordered }
}
