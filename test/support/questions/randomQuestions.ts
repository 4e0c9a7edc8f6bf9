import { VIEWS } from "../../../src/query/metadata/views.ts"
import { EVENT_NAMES, PATHS, RANDOM_SITES, TEXTS } from "./randomEvents.ts"

type Kind = "text" | "number" | "boolean" | "instant" | "uuid"
type Json = unknown

const KIND_OF = {
  text: "text",
  uuid: "uuid",
  integer: "number",
  decimal: "number",
  boolean: "boolean",
  instant: "instant"
} as const

/** The time by which a view's rows are limited, and how often it is asked. */
const SOURCES = [
  ["v_pa_events", "created_at", 8],
  ["v_pa_visits", "started_at", 3],
  ["v_pa_sessions", "created_at", 2],
  ["v_pa_event_data", "created_at", 1],
  ["v_pa_session_data", "created_at", 1]
] as const

const RANGES = [
  ["2026-03-27", "2026-04-02"],
  ["2026-03-29", "2026-03-29"],
  ["2026-10-23", "2026-10-28"],
  ["2025-12-30", "2026-01-02"],
  ["2026-03-28T22:55:00", "2026-03-29T03:10:00"],
  ["2026-01-01", "2026-12-31"]
] as const

const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
const UNITS = ["minute", "hour", "day", "week", "month", "quarter", "year"]
const PARTS = [
  "second-of-minute",
  "minute-of-hour",
  "hour-of-day",
  "day-of-week",
  "day-of-month",
  "day-of-year",
  "week-of-year",
  "month-of-year",
  "quarter-of-year",
  "year-of-era"
]
const METRICS = [
  "visitors",
  "visits",
  "pageviews",
  "events",
  "bounces",
  "bounce-rate",
  "total-time",
  "visit-duration",
  "views-per-visit",
  "entries",
  "exits"
]

/** Questions of every part of the language; nearly all are valid. */
export const randomQuestions = (random: () => number) => {
  const int = (below: number): number => Math.floor(random() * below)
  const pick = <A>(values: ReadonlyArray<A>): A => values[int(values.length)]!
  const chance = (share: number): boolean => random() < share
  const several = <A>(most: number, make: () => A): ReadonlyArray<A> => Array.from({ length: 1 + int(most) }, make)

  const source = () => {
    const weighted = SOURCES.flatMap((one) => Array.from({ length: one[2] }, () => one))
    return pick(weighted)
  }

  /** A dimension of a kind; null if the source has none. */
  const dimension = (view: string, kind: Kind): Json | null => {
    if (view === "v_pa_events" && chance(0.25)) {
      if (kind === "text")
        return pick([
          ["prop", "plan"],
          ["prop", "plan", { event: pick(EVENT_NAMES) }],
          ["attr", "tier"]
        ])
      if (kind === "number")
        return pick([
          ["prop", "price", { type: "number" }],
          ["attr", "age", { type: "number" }]
        ])
      if (kind === "boolean") return ["prop", "trial", { type: "boolean" }]
    }
    if (view === "v_pa_events" && chance(0.25)) {
      if (kind === "text")
        return pick(["country", "browser", "v_pa_visits.entry_path", "v_pa_visits.channel", "v_pa_sites.name"])
      if (kind === "number") return pick(["v_pa_visits.pageviews", "v_pa_visits.duration_s"])
      if (kind === "boolean") return "v_pa_visits.is_bounce"
      if (kind === "instant") return pick(["v_pa_visits.started_at", ["field", "v_pa_sessions.created_at", {}]])
    }
    const columns = VIEWS.find(({ name }) => name === view)!.columns.filter(
      ({ name, type, visibility }) =>
        visibility !== "hidden" && KIND_OF[type] === kind && !(view === "v_pa_sessions" && name === "updated_at")
    )
    return columns.length === 0 ? null : ["field", pick(columns).name]
  }

  const textValue = (): string => pick([...TEXTS, ...PATHS, ...EVENT_NAMES, "DE", "chrome", "example.com"])
  // A name that no site has is refused.
  const siteName = (): string => pick(["Site 0", "Site 1"])
  const numberValue = (): number => pick([0, 1, 2, 2.5, -3, 100, 1e6])
  const dateValue = (): string =>
    pick(["2026-03-28", "2026-03-29", "2026-10-25", "2026-03-29T01:30:00", "2026-03-29T02:30:00Z"])

  const leaf = (view: string): Json => {
    const kind = pick(["text", "text", "text", "number", "number", "boolean", "instant"] as const)
    const field = dimension(view, kind)
    if (field === null) return ["not-null", dimension(view, "uuid")]
    if (chance(0.1)) return [pick(["is-null", "not-null"]), field]
    switch (kind) {
      case "text":
        return pick([
          () => [pick(["=", "!="]), field, ...several(3, field === "v_pa_sites.name" ? siteName : textValue)],
          () => [pick(["=", "!="]), field, null, textValue()],
          () => [
            pick(["contains", "does-not-contain", "starts-with", "ends-with"]),
            field,
            textValue(),
            ...(chance(0.3) ? [{ "case-sensitive": chance(0.5) }] : [])
          ],
          () => [pick(["is-empty", "not-empty"]), field],
          () => ["wildcard", field, pick(["/a*", "/blog/*", "**", "/**/b", "%", "*"])],
          () => [pick(["matches", "does-not-match"]), field, pick(["^/blog", "a|b", "[0-9]+", "größe$"])]
        ])()
      case "number":
        return chance(0.2)
          ? ["between", field, numberValue(), numberValue()]
          : [pick(["=", "!=", "<", "<=", ">", ">="]), field, numberValue()]
      case "boolean":
        return [pick(["=", "!="]), field, chance(0.5)]
      case "instant":
        return chance(0.5)
          ? ["between", field, ...pick(RANGES)]
          : [pick(["=", "<", ">=", ">", "<="]), field, dateValue()]
    }
  }

  const condition = (view: string, depth = 0): Json => {
    if (view === "v_pa_events" && chance(0.06)) {
      return [pick(["did", "did-not"]), leaf(view), ...(chance(0.4) ? [{ min: 1 + int(3) }] : [])]
    }
    if (depth < 2 && chance(0.25)) {
      return chance(0.3)
        ? ["not", condition(view, depth + 1)]
        : [pick(["and", "or"]), ...several(3, () => condition(view, depth + 1))]
    }
    return leaf(view)
  }

  const grouped = (view: string, time: string): Json => {
    const roll = random()
    if (roll < 0.3) return ["field", time, { "temporal-unit": pick(UNITS) }]
    if (roll < 0.4) return ["field", time, { "temporal-unit": pick(PARTS) }]
    if (roll < 0.5) {
      const number = dimension(view, "number")
      const bins = {
        binning: pick<object>([
          { strategy: "bin-width", "bin-width": pick([1, 2.5, 1_000]) },
          { strategy: "num-bins", "num-bins": pick([1, 3, 10]) },
          { strategy: "default" }
        ])
      }
      if (number !== null) {
        return Array.isArray(number)
          ? [number[0], number[1], { ...(number[2] as object), ...bins }]
          : ["field", number, bins]
      }
    }
    return dimension(view, pick(["text", "text", "number", "boolean"])) ?? dimension(view, "uuid")
  }

  const aggregation = (view: string, isInTime: boolean): Json => {
    const any = () => dimension(view, pick(["text", "number", "instant", "uuid"])) ?? dimension(view, "uuid")
    const number = dimension(view, "number")
    const choices: Array<() => Json> = [
      () => ["count"],
      () => ["count", any()],
      () => ["distinct", any()],
      () => ["count-where", condition(view)],
      () => ["distinct-where", any(), condition(view)],
      () => ["share", condition(view)],
      () => [pick(["min", "max"]), dimension(view, "instant")],
      ...(number === null
        ? []
        : [
            () => [pick(["sum", "avg", "min", "max", "stddev", "var", "median"]), number],
            () => ["percentile", number, pick([0, 0.25, 0.9, 1])],
            () => ["sum-where", number, condition(view)]
          ]),
      ...(view === "v_pa_events"
        ? [
            () => ["metric", pick(METRICS)],
            () => ["metric", pick(METRICS)],
            () => ["metric", pick(METRICS)],
            () => ["metric", pick(["revenue", "arpu"]), { currency: pick(["EUR", "USD"]) }],
            () => ["metric", pick(["conversions", "conversion-rate"]), { goal: ["=", "event_name", pick(EVENT_NAMES)] }]
          ]
        : []),
      ...(isInTime
        ? [
            () => ["cum-count"],
            () => ["offset", ["count"], -1],
            ...(number === null ? [] : [() => ["cum-sum", number]])
          ]
        : [])
    ]
    const one = pick(choices)()
    return chance(0.1) ? [pick(["+", "-", "*", "/"]), one, chance(0.5) ? ["count"] : 3] : one
  }

  const expression = (view: string): Json => {
    const text = dimension(view, "text") ?? "x"
    const number = dimension(view, "number") ?? 7
    const time = dimension(view, "instant")
    return pick<() => Json>([
      () => [pick(["lower", "upper", "trim", "length"]), text],
      () => ["concat", text, "-", text],
      () => ["substring", text, 1 + int(3), 1 + int(4)],
      () => ["coalesce", text, "none"],
      () => ["case", [[condition(view), "yes"]], { default: "no" }],
      () => [pick(["+", "-", "*", "/", "%"]), number, numberValue()],
      () => [pick(["abs", "round", "floor", "ceil"]), number],
      () => ["temporal-extract", time, pick(PARTS)],
      () => ["datetime-add", time, pick([-1, 1, 26]), pick(["hour", "day", "week", "month"])],
      () => ["datetime-diff", time, dateValue(), pick(["minute", "hour", "day", "week", "month"])],
      () => ["split-part", text, "/", 1 + int(3)],
      () => ["replace", text, "a", "b"]
    ])()
  }

  const compare = () =>
    chance(0.15)
      ? { compare: pick(["previous-period", "previous-year", "previous-year-same-weekday", "2026-03-28~2026-03-29"]) }
      : {}
  const settings = () => ({
    ...compare(),
    ...(chance(0.6) && { timezone: pick(ZONES) }),
    ...(chance(0.3) && { "week-start": pick(["monday", "sunday"]) }),
    ...(chance(0.2) && { fill: false })
  })

  const plain = (depth: number): Record<string, Json> => {
    const [view, time] = source()
    const range = ["between", time, ...pick(RANGES)]
    const filters = [
      ...(chance(0.9) ? [range] : []),
      ...(chance(0.5) ? [["=", "site_id", pick(RANDOM_SITES)]] : []),
      ...(chance(0.6) ? [condition(view)] : [])
    ]
    const isGrouped = chance(0.8)
    const hasExpression = chance(0.15)
    const named = hasExpression ? { expressions: { custom: expression(view) } } : {}
    const filter = filters.length === 0 ? {} : { filter: filters.length === 1 ? filters[0] : ["and", ...filters] }
    const base = { fql: 1, type: "query", source: view, ...named, ...filter, settings: settings() }
    if (!isGrouped) {
      const id = VIEWS.find(({ name }) => name === view)!.columns[0]!.name
      const fields = several(4, () => dimension(view, pick(["text", "number", "boolean", "instant"])) ?? id)
      return {
        ...base,
        fields: [id, ...fields, ...(hasExpression ? [["expression", "custom"]] : [])],
        "order-by": [["asc", id]],
        ...(chance(0.5) && { limit: 1 + int(100) })
      }
    }
    const breakout = chance(0.75) ? several(2, () => grouped(view, time)) : []
    const all = hasExpression ? [...breakout, ["expression", "custom"]] : breakout
    const first = all[0]
    const isInTime = Array.isArray(first) && UNITS.includes(first[2]?.["temporal-unit"])
    const question = {
      ...base,
      ...(view === "v_pa_events" && chance(0.2) && { compat: "umami" }),
      aggregation: several(3, () => aggregation(view, isInTime)),
      ...(all.length > 0 && { breakout: all })
    }
    if (depth > 0 || !chance(0.08)) return all.length > 0 && chance(0.2) ? limited(question) : question
    return nested(plain(1))
  }

  /** The question's first groups, and mostly all others as one. */
  const limited = (question: Record<string, Json>): Record<string, Json> => {
    const running = /"(?:cum-count|cum-sum|offset)"/
    const aggregation = (question["aggregation"] as ReadonlyArray<ReadonlyArray<Json>>).filter(
      (one) => !running.test(JSON.stringify(one))
    )
    const text = dimension(question["source"] as string, "text")
    return {
      ...question,
      aggregation,
      breakout: [...(question["breakout"] as ReadonlyArray<Json>), ...(text === null ? [] : [text])],
      ...(aggregation[0]?.[0] === "count" && { "order-by": [["desc", ["aggregation", 0]]] }),
      ...(chance(0.3) && { having: [">", ["count"], 1 + int(3)] }),
      limit: 1 + int(4),
      settings: { ...(question["settings"] as object), other: chance(0.8) }
    }
  }

  /** A question about the groups of another. */
  const nested = (inner: Record<string, Json>): Record<string, Json> => ({
    fql: 1,
    type: "query",
    source: { query: { ...inner, settings: { ...(inner["settings"] as object), fill: false } } },
    aggregation: [["count"]]
  })

  const OF_VISITS = [
    "visitors",
    "visits",
    "pageviews",
    "bounces",
    "bounce-rate",
    "total-time",
    "visit-duration",
    "views-per-visit"
  ]
  const VISIT_FIELDS = [
    "country",
    "v_pa_sessions.browser",
    "v_pa_sites.name",
    "v_pa_visits.entry_path",
    ["field", "v_pa_visits.exit_path"],
    "v_pa_visits.channel",
    "channel",
    "v_pa_visits.is_bounce",
    "v_pa_visits.utm_source",
    "v_pa_visits.pageviews",
    ["attr", "tier"]
  ]
  const visitCondition = (): Json =>
    pick([
      () => ["=", "country", pick(["DE", "US"]), null],
      () => ["!=", ["field", "v_pa_visits.entry_path"], pick(PATHS)],
      () => [">", "v_pa_visits.pageviews", int(3)],
      () => ["=", "channel", "direct"],
      () => ["not", ["=", ["attr", "tier"], textValue()]],
      () => ["or", ["=", "v_pa_sessions.device", "mobile"], ["is-null", "browser"]],
      () => ["=", ["field", "created_at", { "temporal-unit": "hour-of-day" }], int(24)],
      () => ["<", ["field", "created_at", { "temporal-unit": "day-of-week" }], 1 + int(7)]
    ])()
  /** Questions about events that their visits can answer. */
  const ofVisits = (): Record<string, Json> => ({
    fql: 1,
    type: "query",
    source: "v_pa_events",
    settings: { timezone: pick(ZONES), ...compare() },
    filter: [
      "and",
      ["between", "created_at", ...pick(RANGES)],
      ...(chance(0.5) ? [["=", "site_id", pick(RANDOM_SITES)]] : []),
      ...(chance(0.6) ? [visitCondition()] : [])
    ],
    aggregation: several(4, () => ["metric", pick(OF_VISITS)]),
    ...(chance(0.7) && { breakout: several(2, () => (chance(0.4) ? timeField() : pick(VISIT_FIELDS))) })
  })
  const timeField = (): Json => [
    "field",
    "created_at",
    { "temporal-unit": pick([...UNITS, ...PARTS].filter((unit) => !unit.startsWith("minute"))) }
  ]

  /** Questions about visitors by the hours of a week. */
  const ofHours = (): Record<string, Json> => ({
    ...ofVisits(),
    aggregation: [["metric", "visitors"]],
    breakout: [
      ...["day-of-week", "hour-of-day"].map((unit) => ["field", "created_at", { "temporal-unit": unit }]),
      ...(chance(0.3) ? [pick(["country", "v_pa_sites.name", "v_pa_visits.channel"])] : [])
    ]
  })

  /** Questions about visitors, events of one kind, and their names. */
  const ofFirsts = (): Record<string, Json> => {
    const isCustom = chance(0.4)
    const name = isCustom ? "event_name" : "url_path"
    return {
      fql: 1,
      type: "query",
      source: "v_pa_events",
      settings: { timezone: pick(ZONES), ...compare() },
      filter: [
        "and",
        ["=", "event_type", isCustom ? 2 : 1],
        ...(chance(0.8) ? [["between", "created_at", ...pick(RANGES)]] : []),
        ...(chance(0.3) ? [["=", "site_id", pick(RANDOM_SITES)]] : []),
        ...(chance(0.3) ? [["=", "country", pick(["DE", "US"]), null]] : []),
        ...(chance(0.2) ? [["=", name, isCustom ? "signup" : pick(PATHS)]] : [])
      ],
      aggregation: [["metric", "visitors"], ["count"], ...(chance(0.3) ? [["metric", "visits"]] : [])],
      breakout: [...(chance(0.8) ? [name] : []), ...(chance(0.3) ? [pick(["country", "device", "site_id"])] : [])]
    }
  }

  const period = (): ReadonlyArray<Json> => (chance(0.9) ? [["between", "created_at", ...pick(RANGES)]] : [])
  const site = (): ReadonlyArray<Json> => (chance(0.4) ? [["=", "site_id", pick(RANDOM_SITES)]] : [])

  /** Questions about the pages on which visits begin and end. */
  const ofPages = (): Record<string, Json> => ({
    ...ofVisits(),
    filter: [
      "and",
      ["!=", "event_type", 5],
      ...period(),
      ...site(),
      ...(chance(0.6) ? [["=", "event_type", ...pick([[1], [1, 2], [1, 3, 4], [2]])]] : []),
      ...(chance(0.3) ? [[pick(["=", "!=", "starts-with"]), "url_path", pick(PATHS)]] : []),
      ...(chance(0.3) ? [visitCondition()] : [])
    ],
    aggregation: [
      ["metric", pick(["pageviews", "visitors", "visits", "events"])],
      ...several(4, () => [
        "metric",
        pick(["entries", "exits", "bounces", "bounce-rate", "total-time", "visit-duration"])
      ])
    ],
    breakout: ["url_path", ...(chance(0.3) ? [pick(VISIT_FIELDS)] : []), ...(chance(0.1) ? [timeField()] : [])]
  })

  /** Questions that visits can answer but for a part. */
  const ofMost = (): Record<string, Json> => ({
    ...ofVisits(),
    aggregation: [
      ...several(3, () => ["metric", pick(["visitors", "visits", "bounces", "visit-duration"])]),
      ...several(2, () =>
        pick<Json>([
          ["metric", "revenue", { currency: "EUR" }],
          ["metric", "events"],
          ["metric", "conversions", { goal: ["=", "event_name", "signup"] }],
          ["metric", "conversion-rate", { goal: ["=", "event_type", 2] }],
          ["count"],
          ["max", "created_at"]
        ])
      )
    ],
    breakout: several(2, () => (chance(0.1) ? timeField() : pick(VISIT_FIELDS)))
  })

  const goal = (): Json =>
    pick([
      () => ["=", "event_name", pick(EVENT_NAMES)],
      () => ["=", "event_type", pick([2, 3, 5])],
      () => ["starts-with", "url_path", pick(PATHS)],
      () => ["and", ["=", "event_name", pick(EVENT_NAMES)], ["=", "channel", "direct"]],
      () => ["or", ["=", "event_name", pick(EVENT_NAMES)], ["=", "url_path", pick(PATHS)]]
    ])()

  /** Questions about goals, by what is known of visits. */
  const ofGoals = (): Record<string, Json> => ({
    ...ofVisits(),
    filter: [
      "and",
      ...period(),
      ...site(),
      ...(chance(0.2) ? [["!=", "event_type", 5]] : []),
      ...(chance(0.4)
        ? [
            pick<Json>([
              ["=", "channel", "direct"],
              [">", "v_pa_visits.pageviews", int(3)]
            ])
          ]
        : [])
    ],
    aggregation: [
      ["metric", "conversions", { goal: goal() }],
      ...several(3, () =>
        pick<() => Json>([
          () => ["metric", "conversion-rate", { goal: goal() }],
          () => ["metric", pick(["revenue", "arpu"]), { currency: pick(["EUR", "USD"]) }],
          () => ["metric", pick(["visitors", "events"])],
          () => ["count-where", goal()],
          () => ["sum-where", "revenue", goal()]
        ])()
      )
    ],
    breakout: [
      ...(chance(0.7)
        ? [pick<Json>(["channel", "v_pa_visits.entry_path", "v_pa_visits.is_bounce", "v_pa_visits.utm_source"])]
        : []),
      ...(chance(0.3) ? [pick<Json>(["v_pa_visits.channel", "site_id", "country"])] : [])
    ]
  })

  const ofFlows = (): Record<string, Json> => ({
    fql: 1,
    type: "query",
    source: "v_pa_user_flows",
    settings: { timezone: "UTC", ...compare() },
    filter: ["and", ["between", "day", ...pick(RANGES)], ...(chance(0.2) ? [[">", "value", 1]] : []), ...site()],
    aggregation: [pick([["sum", "value"], ["max", "value"], ["count"]])],
    breakout: several(3, () => pick(["source", "target", ["field", "day", { "temporal-unit": pick(["day", "week"]) }]]))
  })

  /** Lists of the largest groups, of which engines may look up the names of a few. */
  const ofLargest = (): Record<string, Json> => {
    const question = chance(0.3) ? ofFlows() : ofPages()
    const { aggregation } = question as { readonly aggregation: ReadonlyArray<Json> }
    return {
      ...question,
      aggregation: chance(0.5) ? aggregation : [pick<Json>([["count"], ["distinct", "site_id"]]), ...aggregation],
      breakout: question["source"] === "v_pa_user_flows" ? ["source", "target"] : ["url_path"],
      "order-by": [["desc", ["aggregation", 0]]],
      limit: 1 + Math.floor(random() * 5),
      settings: { ...(question["settings"] as object), other: chance(0.5) }
    }
  }

  return {
    next: (): Record<string, Json> =>
      pick([
        () => plain(0),
        () => plain(0),
        ofVisits,
        ofFirsts,
        ofHours,
        ofPages,
        ofMost,
        ofGoals,
        ofFlows,
        ofLargest
      ])(),
    ofGoals,
    ofHours,
    ofVisits,
    /** Clauses about events, as they are in questions. */
    clause: (): Json =>
      pick([() => condition("v_pa_events"), () => aggregation("v_pa_events", true), () => expression("v_pa_events")])()
  }
}
