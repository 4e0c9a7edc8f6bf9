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

/** What differs between the dialects. */
interface ChannelDialect {
  /** A label of a domain, counted from its end from 1; `''` or null if there is none. */
  readonly label: (domain: string, fromEnd: number) => string
}

const DIALECTS: Readonly<Record<QueryDialect, ChannelDialect>> = {
  postgres: { label: (domain, fromEnd) => `split_part(${domain}, '.', -${fromEnd})` },
  trino: { label: (domain, fromEnd) => `element_at(split(${domain}, '.'), -${fromEnd})` },
  duckdb: { label: (domain, fromEnd) => `string_split(${domain}, '.')[-${fromEnd}]` }
}

type Group = keyof typeof data.groups

const within = (value: string, list: ReadonlyArray<string>): string =>
  list.length === 0 ? "false" : `${value} IN (${list.map(sqlLiteral).join(", ")})`

const contains = (value: string, ...parts: ReadonlyArray<string>): string =>
  parts.map((part) => `${value} LIKE ${sqlLiteral(`%${part}%`)}`).join(" OR ")

/** A host without port and `www.`, in lower case. Host names of other scripts are in their ASCII form already. */
const normalHost = (host: string): string => `split_part(lower(coalesce(${host}, '')), ':', 1)`
const withoutWww = (host: string): string => `CASE WHEN ${host} LIKE 'www.%' THEN substr(${host}, 5) ELSE ${host} END`

/** Domains of a group that are a registered domain, and those that are a host below one. */
const domainsOf = (group: Group) => {
  const isHost = (domain: string) => domain.split(".").length > 2
  const { domains } = data.groups[group]
  return { registered: domains.filter((domain) => !isHost(domain)), hosts: domains.filter(isHost) }
}

/** Whether the referrer belongs to a group. */
const isFrom = (group: Group): string => {
  const { brands, packages } = data.groups[group]
  const { hosts, registered } = domainsOf(group)
  const conditions = [within("referrer", [...packages, ...hosts]), within("site", registered), within("brand", brands)]
  return conditions.filter((condition) => condition !== "false").join(" OR ")
}

/** The rules in their order. Values stand just before the first rule that uses them, so that most events need few. */
const steps = ({ label }: ChannelDialect, input: ChannelInput): ReadonlyArray<Step> => {
  const query = `'&' || lower(coalesce(${input.url_query}, ''))`
  const second = within("label2", data.secondLevelSuffixes)
  const { firstLabels } = data.groups.email
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
    { name: "label1", value: `coalesce(${label("referrer", 1)}, '')` },
    { name: "label2", value: `coalesce(${label("referrer", 2)}, '')` },
    { name: "label3", value: `coalesce(${label("referrer", 3)}, '')` },
    { name: "is_second", value: `length(label1) = 2 AND label3 <> '' AND ${second}` },
    {
      name: "site",
      value: "CASE WHEN is_second THEN label3 || '.' || label2 || '.' || label1 ELSE label2 || '.' || label1 END"
    },
    {
      name: "brand",
      value: "CASE WHEN is_second THEN label3 WHEN length(label1) = 2 OR label1 = 'com' THEN label2 ELSE '' END"
    },
    {
      when: `${isFrom("llm")} OR ${within("source", data.groups.llm.domains)}`,
      channel: "'llm'"
    },
    {
      name: "prefix",
      value: `CASE WHEN medium LIKE 'p%' OR ${contains("medium", "ppc", "retargeting", "paid")} THEN 'paid' ELSE 'organic' END`
    },
    { name: "is_mail", value: `${within("split_part(referrer, '.', 1)", firstLabels)} OR ${isFrom("email")}` },
    {
      when: `${contains("medium", "organic")} OR (NOT (is_mail) AND (${isFrom("search")}))`,
      channel: "prefix || 'Search'"
    },
    { when: `${contains("medium", "social")} OR ${isFrom("social")}`, channel: "prefix || 'Social'" },
    { when: `(is_mail) OR ${contains("medium", "mail")}`, channel: "'email'" },
    { when: `${contains("medium", "shop")} OR ${isFrom("shopping")}`, channel: "prefix || 'Shopping'" },
    { when: `${contains("medium", "video")} OR ${isFrom("video")}`, channel: "prefix || 'Video'" },
    { when: "referrer <> ''", channel: "'referral'" }
  ]
}

const isBoolean = (name: string): boolean => name.startsWith("is_")

/** The body of Postgres' function, whose parameters are `CHANNEL_PARAMETERS`. */
export const channelFunction = (): string => {
  const input = Object.fromEntries(CHANNEL_PARAMETERS.map((name) => [name, name])) as unknown as ChannelInput
  const all = steps(DIALECTS.postgres, input)
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
export const eventsWithChannel = (dialect: QueryDialect): string => {
  const events = EVENTS[dialect]
  if (dialect === "postgres") return events
  const levels = new Map<string, number>()
  const layers: Array<Array<string>> = []
  const cases: Array<string> = []
  const prefixed = (sql: string) => sql.replace(WORDS, (word) => (levels.has(word) ? `channel_${word}` : word))
  for (const step of steps(DIALECTS[dialect], EVENT_CHANNEL_INPUT)) {
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
