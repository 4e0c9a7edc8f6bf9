import { SIZE } from "./columnSizes.ts"
import type { EventRecord } from "./Event.ts"

/** The fields of an event that are columns of its row. Properties and the session have tables of their own. */
export type EventField = Exclude<keyof EventRecord, "properties" | "session">

/**
 * What a column holds: `time` in ms since the epoch, `smallint` a small whole number, `decimal` a number with a fixed number of
 * decimal places.
 */
export type EventColumn = { readonly column: string; readonly nullable: boolean } & (
  | { readonly kind: "time" | "uuid" | "smallint" }
  | { readonly kind: "string"; readonly size: number }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
)

const required = <const A extends object>(column: string, kind: A) => ({ column, nullable: false, ...kind }) as const
const optional = <const A extends object>(column: string, kind: A) => ({ column, nullable: true, ...kind }) as const
const string = (size: number) => ({ kind: "string", size }) as const
const decimal = (precision: number, scale: number) => ({ kind: "decimal", precision, scale }) as const

/**
 * The columns of an event, in the order of `product_analytics_event`. A column is declared here and in a migration; whatever does not
 * derive from this table fails to compile, or fails a test that names the column.
 */
export const EVENT_COLUMNS = {
  createdAt: required("created_at", { kind: "time" }),
  id: required("event_id", { kind: "uuid" }),
  siteId: required("site_id", { kind: "uuid" }),
  sessionId: required("session_id", { kind: "uuid" }),
  visitId: required("visit_id", { kind: "uuid" }),
  type: required("event_type", { kind: "smallint" }),
  name: optional("event_name", string(SIZE.eventName)),
  tag: optional("tag", string(SIZE.tag)),
  hostname: optional("hostname", string(SIZE.hostname)),
  urlPath: required("url_path", string(SIZE.url)),
  urlQuery: optional("url_query", string(SIZE.url)),
  pageTitle: optional("page_title", string(SIZE.pageTitle)),
  referrerPath: optional("referrer_path", string(SIZE.url)),
  referrerQuery: optional("referrer_query", string(SIZE.url)),
  referrerDomain: optional("referrer_domain", string(SIZE.url)),
  utmSource: optional("utm_source", string(SIZE.campaign)),
  utmMedium: optional("utm_medium", string(SIZE.campaign)),
  utmCampaign: optional("utm_campaign", string(SIZE.campaign)),
  utmContent: optional("utm_content", string(SIZE.campaign)),
  utmTerm: optional("utm_term", string(SIZE.campaign)),
  gclid: optional("gclid", string(SIZE.campaign)),
  fbclid: optional("fbclid", string(SIZE.campaign)),
  msclkid: optional("msclkid", string(SIZE.campaign)),
  ttclid: optional("ttclid", string(SIZE.campaign)),
  liFatId: optional("li_fat_id", string(SIZE.campaign)),
  twclid: optional("twclid", string(SIZE.campaign)),
  lcp: optional("lcp", decimal(10, 1)),
  inp: optional("inp", decimal(10, 1)),
  fcp: optional("fcp", decimal(10, 1)),
  ttfb: optional("ttfb", decimal(10, 1)),
  cls: optional("cls", decimal(10, 4)),
  revenue: optional("revenue", decimal(19, 4)),
  currency: optional("currency", string(SIZE.currency))
} as const satisfies Readonly<Record<EventField, EventColumn>>

/** The columns as a list of fields with their column. */
export const EVENT_COLUMN_LIST: ReadonlyArray<readonly [field: EventField, column: EventColumn]> = Object.entries(
  EVENT_COLUMNS
) as unknown as ReadonlyArray<readonly [EventField, EventColumn]>
