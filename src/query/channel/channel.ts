import { sqlLiteral } from "../../lib/sqlLiteral.ts"
import type { QueryDialect } from "../../ports/QueryEngine.ts"
import { EVENTS } from "../tables.ts"
import data from "./channelData.json" with { type: "json" }

/*
 * How a visitor came, by the first rule that applies: paid ads, direct, then by medium and by the kind of referrer, then any other
 * referrer; '' is what no rule knows. Domains match as registered, not by substring, and apps by their package. `CHANNELS` and the data
 * file are the only source: Postgres has them as a function, which migrations install, and Trino and DuckDB as a query.
 */

/** Version of the rules and of the data. A change of either needs a new version and a migration that installs it. */
export const CHANNEL_VERSION = data.version

/** Every channel that the rules can give. */
export const CHANNELS = [
  "direct",
  "paidAds",
  "referral",
  "affiliate",
  "sms",
  "llm",
  "organicSearch",
  "paidSearch",
  "organicSocial",
  "paidSocial",
  "email",
  "organicShopping",
  "paidShopping",
  "organicVideo",
  "paidVideo",
  ""
] as const
export type Channel = (typeof CHANNELS)[number]

/** What the rules read. The values are SQL expressions, all of them text that may be null. */
export interface ChannelInput {
  readonly referrer_domain: string
  readonly hostname: string
  readonly url_query: string
  readonly utm_source: string
  readonly utm_medium: string
  /** Any other sign of a campaign: `utm_campaign`, `utm_content`, `utm_term`. */
  readonly campaign: string
  /** The id of a paid click. Not `fbclid`, which organic links carry too. */
  readonly click_id: string
}

export const CHANNEL_PARAMETERS: ReadonlyArray<keyof ChannelInput> = [
  "referrer_domain",
  "hostname",
  "url_query",
  "utm_source",
  "utm_medium",
  "campaign",
  "click_id"
]

/** The columns of an event that the rules read, in every table and view of events. */
export const EVENT_CHANNEL_INPUT: ChannelInput = {
  referrer_domain: "referrer_domain",
  hostname: "hostname",
  url_query: "url_query",
  utm_source: "utm_source",
  utm_medium: "utm_medium",
  campaign: "coalesce(utm_campaign, utm_content, utm_term)",
  click_id: "coalesce(gclid, msclkid, ttclid, li_fat_id, twclid)"
}

/** A value that later steps use by its name, or a rule. */
type Step = { readonly name: string; readonly value: string } | { readonly when: string; readonly channel: string }

/** How a dialect decides whether the referrer belongs to a group. All read the same lists, and give the same answers. */
interface ReferrerTest {
  /** Values that `isFrom` uses, from `referrer`. */
  readonly values: ReadonlyArray<Step>
  readonly isFrom: (group: Group) => string
}

type Group = keyof typeof data.groups

const within = (value: string, list: ReadonlyArray<string>): string =>
  `${value} IN (${list.map(sqlLiteral).join(", ")})`

const contains = (value: string, ...parts: ReadonlyArray<string>): string =>
  parts.map((part) => `${value} LIKE ${sqlLiteral(`%${part}%`)}`).join(" OR ")

/** A host without port, in lower case. Host names of other scripts are in their ASCII form already. */
const normalHost = (host: string): string => `split_part(lower(coalesce(${host}, '')), ':', 1)`
const withoutWww = (host: string): string => `CASE WHEN ${host} LIKE 'www.%' THEN substr(${host}, 5) ELSE ${host} END`

/** The names with which an address of this kind begins: `mail.example.com`. */
const firstLabelsOf = (group: Group): ReadonlyArray<string> => (group === "email" ? data.groups.email.firstLabels : [])

/** For Trino and DuckDB: one regular expression per group, because they repeat the whole expression of a value at each of its uses. */
const byPattern = (matches: string): ReferrerTest => {
  const anyOf = (names: ReadonlyArray<string>): string => `(?:${names.join("|").replaceAll(".", "\\.")})`
  /** What follows a brand in its registered domains: `.com`, `.de`, `.co.uk`. */
  const suffix = `\\.(?:com|(?:${anyOf(data.secondLevelSuffixes)}\\.)?[a-z][a-z])`
  const pattern = (group: Group): string => {
    const { brands, domains, packages } = data.groups[group]
    const firstLabels = firstLabelsOf(group)
    const registered = [...(brands.length > 0 ? [anyOf(brands) + suffix] : []), anyOf(domains)]
    return [
      `(?:^|\\.)(?:${registered.join("|")})$`,
      `^${anyOf(packages)}$`,
      ...(firstLabels.length > 0 ? [`^${anyOf(firstLabels)}\\.`] : [])
    ].join("|")
  }
  return { values: [], isFrom: (group) => `${matches}(referrer, ${sqlLiteral(pattern(group))})` }
}

/** For Postgres: comparisons with lists, since a regular expression takes it ten times as long, and it has variables. */
const byLists: ReferrerTest = {
  values: [
    { name: "label1", value: "split_part(referrer, '.', -1)" },
    { name: "label2", value: "split_part(referrer, '.', -2)" },
    { name: "label3", value: "split_part(referrer, '.', -3)" },
    {
      name: "is_second",
      value: `length(label1) = 2 AND label3 <> '' AND ${within("label2", data.secondLevelSuffixes)}`
    },
    { name: "last_two", value: "label2 || '.' || label1" },
    { name: "last_three", value: "label3 || '.' || last_two" },
    {
      name: "brand",
      value: "CASE WHEN is_second THEN label3 WHEN length(label1) = 2 OR label1 = 'com' THEN label2 ELSE '' END"
    }
  ],
  isFrom: (group) => {
    const { brands, domains, packages } = data.groups[group]
    const labels = (domain: string) => domain.split(".").length
    const two = domains.filter((domain) => labels(domain) === 2)
    const three = domains.filter((domain) => labels(domain) === 3)
    const lists: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
      ["last_two", two],
      ["last_three", three],
      ["brand", brands],
      ["referrer", packages],
      ["split_part(referrer, '.', 1)", firstLabelsOf(group)]
    ]
    return `(${lists.flatMap(([value, list]) => (list.length === 0 ? [] : [within(value, list)])).join(" OR ")})`
  }
}

const REFERRER_TESTS: Readonly<Record<QueryDialect, ReferrerTest>> = {
  postgres: byLists,
  trino: byPattern("regexp_like"),
  duckdb: byPattern("regexp_matches")
}

/** The rules in their order. Values stand just before the first rule that uses them, so that most events need few. */
const steps = (dialect: QueryDialect, input: ChannelInput): ReadonlyArray<Step> => {
  const query = `'&' || lower(coalesce(${input.url_query}, ''))`
  const { isFrom, values } = REFERRER_TESTS[dialect]
  return [
    { name: "medium", value: `lower(coalesce(${input.utm_medium}, ''))` },
    { when: `${input.click_id} <> '' OR ${within("medium", data.paidMedia)}`, channel: "'paidAds'" },
    {
      when: `strpos(${input.url_query}, '=') > 0 AND (${data.paidParameters.map((name) => `strpos(${query}, '&${name}=') > 0`).join(" OR ")})`,
      channel: "'paidAds'"
    },
    { name: "host", value: normalHost(input.referrer_domain) },
    { name: "own", value: normalHost(input.hostname) },
    { name: "referrer", value: `CASE WHEN (${withoutWww("host")}) = (${withoutWww("own")}) THEN '' ELSE host END` },
    { name: "source", value: `lower(coalesce(${input.utm_source}, ''))` },
    {
      when: `referrer = '' AND source = '' AND medium = '' AND coalesce(${input.campaign}, '') = ''`,
      channel: "'direct'"
    },
    { when: contains("medium", "referral", "app", "link"), channel: "'referral'" },
    { when: contains("medium", "affiliate"), channel: "'affiliate'" },
    { when: `${contains("medium", "sms")} OR ${contains("source", "sms")}`, channel: "'sms'" },
    ...values,
    { when: `${isFrom("llm")} OR ${within("source", data.groups.llm.domains)}`, channel: "'llm'" },
    {
      name: "prefix",
      value: `CASE WHEN medium LIKE 'p%' OR ${contains("medium", "ppc", "retargeting", "paid")} THEN 'paid' ELSE 'organic' END`
    },
    { name: "is_mail", value: isFrom("email") },
    {
      when: `${contains("medium", "organic")} OR (NOT is_mail AND ${isFrom("search")})`,
      channel: "prefix || 'Search'"
    },
    { when: `${contains("medium", "social")} OR ${isFrom("social")}`, channel: "prefix || 'Social'" },
    { when: `is_mail OR ${contains("medium", "mail")}`, channel: "'email'" },
    { when: `${contains("medium", "shop")} OR ${isFrom("shopping")}`, channel: "prefix || 'Shopping'" },
    { when: `${contains("medium", "video")} OR ${isFrom("video")}`, channel: "prefix || 'Video'" },
    { when: "referrer <> ''", channel: "'referral'" }
  ]
}

const isBoolean = (name: string): boolean => name.startsWith("is_")

/** The body of Postgres' function, whose parameters are `CHANNEL_PARAMETERS`. */
export const channelFunction = (): string => {
  const input = Object.fromEntries(CHANNEL_PARAMETERS.map((name) => [name, name])) as unknown as ChannelInput
  const all = steps("postgres", input)
  const variables = all.flatMap((step) =>
    "name" in step ? [`  ${step.name} ${isBoolean(step.name) ? "boolean" : "text"};`] : []
  )
  const statements = all.map((step) =>
    "name" in step
      ? `  ${step.name} := ${step.value};`
      : `  IF ${step.when} THEN\n    RETURN ${step.channel};\n  END IF;`
  )
  return `CREATE FUNCTION product_analytics_channel(
  ${CHANNEL_PARAMETERS.map((name) => `${name} text`).join(", ")}
) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $function$
DECLARE
${variables.join("\n")}
BEGIN
${statements.join("\n")}
  RETURN '';
END
$function$;`
}

/** Names of values within SQL, outside of string literals. */
const WORDS = /'(?:[^']|'')*'|\b[a-z_]+\d?\b/g

/** The events of an engine, for a FROM clause, with the column `channel`. A view in Postgres has it; in the lake it is computed. */
export const eventsWithChannel = (dialect: QueryDialect, events = EVENTS[dialect]): string => {
  if (dialect === "postgres") return events
  const levels = new Map<string, number>()
  const layers: Array<Array<string>> = []
  const cases: Array<string> = []
  const prefixed = (sql: string) => sql.replace(WORDS, (word) => (levels.has(word) ? `channel_${word}` : word))
  for (const step of steps(dialect, EVENT_CHANNEL_INPUT)) {
    if ("name" in step) {
      const level = Math.max(-1, ...(step.value.match(WORDS) ?? []).map((word) => levels.get(word) ?? -1)) + 1
      const value = `${prefixed(step.value)} AS channel_${step.name}`
      if (layers[level] === undefined) layers.push([value])
      else layers[level].push(value)
      levels.set(step.name, level)
    } else cases.push(`WHEN ${prefixed(step.when)} THEN ${prefixed(step.channel)}`)
  }
  // A value uses those of earlier layers, so each layer is a query of its own.
  const layered = layers.reduce((from, values) => `(SELECT *, ${values.join(", ")} FROM ${from}) AS layer`, events)
  return `(SELECT *, CASE ${cases.join(" ")} ELSE '' END AS channel FROM ${layered}) AS event`
}
