import { nearest, suggestion } from "../fql/suggest.ts"

/*
 * The views that questions read. Names, columns and semantic types are the public contract, whatever engine stores the rows; an engine
 * that stores them in another form maps them (`dialects/*Model.ts`).
 */

/** How the values of a column look. `instant`: a moment. `uuid`: an id. */
export type BaseType = "text" | "uuid" | "integer" | "decimal" | "boolean" | "instant"

/** Metabase's vocabulary of semantic types. */
export const SEMANTIC_TYPES = [
  "PK",
  "FK",
  "Name",
  "Title",
  "Description",
  "Category",
  "URL",
  "Email",
  "City",
  "State",
  "Country",
  "ZipCode",
  "Latitude",
  "Longitude",
  "CreationTimestamp",
  "UpdatedTimestamp",
  "JoinTimestamp",
  "Quantity",
  "Score",
  "Percentage",
  "Duration",
  "Price",
  "Currency",
  "Income",
  "Cost",
  "Source",
  "Product",
  "User",
  "Company",
  "SerializedJSON"
] as const
export type SemanticType = (typeof SEMANTIC_TYPES)[number]

/** Whether a column is offered: always, in details only, never to people who may not see personal data, or never. */
export type Visibility = "normal" | "details-only" | "sensitive" | "hidden"

export const VIEW_NAMES = [
  "v_pa_sites",
  "v_pa_sessions",
  "v_pa_events",
  "v_pa_event_data",
  "v_pa_session_data",
  "v_pa_visits",
  "v_pa_user_flows"
] as const
export type ViewName = (typeof VIEW_NAMES)[number]

export interface ViewColumn {
  readonly name: string
  readonly type: BaseType
  readonly semantic: SemanticType | null
  readonly description: string
  readonly visibility: Visibility
  /** The view whose `id` this column holds. */
  readonly references: ViewName | null
  /** Labels of stored codes. */
  readonly labels: ReadonlyMap<number, string> | null
  /** The unit of a number. */
  readonly unit: "ms" | "s" | null
}

export interface View {
  readonly name: ViewName
  readonly label: string
  readonly description: string
  readonly entity: "EventTable" | "GenericTable"
  readonly columns: ReadonlyArray<ViewColumn>
  /** The column that holds a row's site. */
  readonly site: string
  /** The column whose range bounds the rows to read. */
  readonly time: string | null
}

type Details = Partial<Omit<ViewColumn, "name" | "type" | "description">>

const column = (name: string, type: BaseType, description: string, details: Details = {}): ViewColumn => ({
  name,
  type,
  description,
  semantic: null,
  visibility: "normal",
  references: null,
  labels: null,
  unit: null,
  ...details
})

const key = (description: string) => column("id", "uuid", description, { semantic: "PK" })
const to = (name: string, references: ViewName, description: string) =>
  column(name, "uuid", description, { semantic: "FK", references })
const category = (name: string, description: string) => column(name, "text", description, { semantic: "Category" })
const url = (name: string, description: string) => column(name, "text", description, { semantic: "URL" })
const created = (name: string, description: string) =>
  column(name, "instant", description, { semantic: "CreationTimestamp" })
const updated = (name: string, description: string) =>
  column(name, "instant", description, { semantic: "UpdatedTimestamp" })
const clickId = (name: string, network: string) =>
  column(name, "text", `Click id of ${network}.`, { visibility: "details-only" })
const vital = (name: string, meaning: string) =>
  column(name, "decimal", `${meaning}, in milliseconds. Web vitals only.`, { semantic: "Duration", unit: "ms" })

const EVENT_TYPE_LABELS: ReadonlyMap<number, string> = new Map([
  [1, "Pageview"],
  [2, "Custom Event"],
  [3, "Link"],
  [4, "Pixel"],
  [5, "Web vitals"]
])

const DATA_TYPE_LABELS: ReadonlyMap<number, string> = new Map([
  [1, "String"],
  [2, "Number"],
  [3, "Boolean"],
  [4, "Date"],
  [5, "Array"]
])

const dataValues = (owner: string): ReadonlyArray<ViewColumn> => [
  category("data_key", `Name of the ${owner}. Nested names are joined with dots.`),
  column("string_value", "text", "The value as text."),
  column("number_value", "decimal", "The value of a number."),
  column("date_value", "instant", "The value of a date."),
  column("data_type", "integer", "Type of the value.", { semantic: "Category", labels: DATA_TYPE_LABELS }),
  created("created_at", `When the ${owner} was recorded.`)
]

const utm = (name: string, meaning: string, semantic: SemanticType = "Category") =>
  column(name, "text", `${meaning}, from the page's URL.`, { semantic })

const VISITOR_SYSTEM: ReadonlyArray<ViewColumn> = [
  category("browser", "Browser."),
  category("os", "Operating system."),
  category("device", "Kind of device.")
]

export const VIEWS: ReadonlyArray<View> = [
  {
    name: "v_pa_sites",
    label: "Sites",
    description: "One row for each site, archived sites included.",
    entity: "GenericTable",
    site: "id",
    time: null,
    columns: [
      key("Id of the site, as in the tracker's snippet."),
      column("uuid", "uuid", "The id again, under the name that some tools expect.", { visibility: "details-only" }),
      column("name", "text", "Name of the site.", { semantic: "Name" }),
      column("allowed_domains", "text", "Domains that may send events, separated by commas.", {
        visibility: "details-only"
      }),
      column("archived", "boolean", "Whether the site is archived.", { semantic: "Category" }),
      created("created_at", "When the site was created."),
      updated("updated_at", "When the site was last changed."),
      category("timezone", "Time zone of the site's reports."),
      category("week_start", "First day of the week in the site's reports."),
      category("currency", "Default currency of the site.")
    ]
  },
  {
    name: "v_pa_sessions",
    label: "Visitors",
    description: "One row for each visitor. Umami calls a visitor a session.",
    entity: "GenericTable",
    site: "site_id",
    time: "created_at",
    columns: [
      key("Id of the visitor."),
      column("session_uuid", "uuid", "The id again, under the name that some tools expect.", {
        visibility: "details-only"
      }),
      to("site_id", "v_pa_sites", "Site that was visited."),
      column("distinct_id", "text", "The operator's own id of the visitor, from `identify`.", { semantic: "User" }),
      ...VISITOR_SYSTEM,
      category("screen", "Size of the screen, as in `1920x1080`."),
      category("language", "Language of the browser."),
      column("country", "text", "Country, ISO 3166-1 alpha-2.", { semantic: "Country" }),
      column("subdivision1", "text", "Region, ISO 3166-2.", { semantic: "State" }),
      column("city", "text", "City.", { semantic: "City" }),
      created("created_at", "When the visitor was first seen."),
      updated("updated_at", "When the row last changed."),
      updated("last_seen_at", "Time of the visitor's newest event."),
      column("first_referrer_domain", "text", "Referring domain of the visitor's first event.", { semantic: "Source" }),
      column("first_utm_source", "text", "UTM source of the visitor's first event.", { semantic: "Source" }),
      category("first_utm_medium", "UTM medium of the visitor's first event."),
      category("first_utm_campaign", "UTM campaign of the visitor's first event."),
      url("first_path", "Path of the visitor's first event."),
      column("region", "text", "Region, under Umami's name.", { semantic: "State", visibility: "details-only" })
    ]
  },
  {
    name: "v_pa_events",
    label: "Events",
    description:
      "One row for each pageview, custom event, click on a tracked link, loaded pixel and web vitals report.",
    entity: "EventTable",
    site: "site_id",
    time: "created_at",
    columns: [
      key("Id of the event."),
      to("site_id", "v_pa_sites", "Site of the event."),
      to("session_id", "v_pa_sessions", "Visitor who caused the event."),
      to("visit_id", "v_pa_visits", "Visit as stored by the collector."),
      column("event_type", "integer", "What kind of event this is.", {
        semantic: "Category",
        labels: EVENT_TYPE_LABELS
      }),
      category("event_name", "Name of a custom event. Empty for pageviews."),
      url("url_path", "Path of the page."),
      column("url_query", "text", "Query string of the page's URL."),
      url("referrer_path", "Path of the referring page."),
      column("referrer_query", "text", "Query string of the referring page's URL."),
      category("referrer_domain", "Domain of the referring page."),
      column("page_title", "text", "Title of the page.", { semantic: "Title" }),
      utm("utm_source", "UTM source", "Source"),
      utm("utm_medium", "UTM medium"),
      utm("utm_campaign", "UTM campaign"),
      utm("utm_content", "UTM content"),
      utm("utm_term", "UTM term"),
      clickId("gclid", "Google Ads"),
      clickId("fbclid", "Facebook. Organic links carry it, too"),
      created("created_at", "When the event happened."),
      category("hostname", "Host name of the page."),
      category("tag", "Tag that the tracker was given."),
      clickId("msclkid", "Microsoft Advertising"),
      clickId("ttclid", "TikTok"),
      clickId("li_fat_id", "LinkedIn"),
      clickId("twclid", "X"),
      category("channel", "How the visit came about, such as organicSearch or email."),
      vital("lcp", "Largest contentful paint"),
      vital("inp", "Interaction to next paint"),
      vital("fcp", "First contentful paint"),
      vital("ttfb", "Time to first byte"),
      column("cls", "decimal", "Cumulative layout shift, a score. Web vitals only.", { semantic: "Score" }),
      column("revenue", "decimal", "Amount of the event, in its currency.", { semantic: "Income" }),
      column("currency", "text", "Currency of the amount, ISO 4217.", { semantic: "Currency" }),
      column("is_entry", "boolean", "Whether this is the first pageview of its stored visit.", {
        semantic: "Category"
      }),
      column("is_exit", "boolean", "Whether this is the last pageview of its stored visit.", { semantic: "Category" })
    ]
  },
  {
    name: "v_pa_event_data",
    label: "Event properties",
    description: "One row for each property of an event.",
    entity: "GenericTable",
    site: "site_id",
    time: "created_at",
    columns: [
      key("Id of the property's row."),
      to("event_id", "v_pa_events", "Event that has the property."),
      ...dataValues("event"),
      to("site_id", "v_pa_sites", "Site of the event."),
      to("session_id", "v_pa_sessions", "Visitor who caused the event.")
    ]
  },
  {
    name: "v_pa_session_data",
    label: "Visitor attributes",
    description: "One row for each attribute of a visitor, from `identify`.",
    entity: "GenericTable",
    site: "site_id",
    time: null,
    columns: [
      key("Id of the attribute's row."),
      to("session_id", "v_pa_sessions", "Visitor who has the attribute."),
      ...dataValues("attribute"),
      to("site_id", "v_pa_sites", "Site that was visited."),
      column("distinct_id", "text", "The operator's own id of the visitor.", { semantic: "User" })
    ]
  },
  {
    name: "v_pa_visits",
    label: "Visits",
    description:
      "One row for each visit within the question's range: a visitor's events without a gap of more than 30 minutes.",
    entity: "GenericTable",
    site: "site_id",
    time: "started_at",
    columns: [
      key("Id of the visit's first event in the range."),
      to("site_id", "v_pa_sites", "Site that was visited."),
      to("session_id", "v_pa_sessions", "Visitor."),
      created("started_at", "Time of the first event."),
      column("ended_at", "instant", "Time of the last event."),
      column("pageviews", "integer", "Number of pageviews.", { semantic: "Quantity" }),
      column("events", "integer", "Number of custom events.", { semantic: "Quantity" }),
      column("duration_s", "integer", "Whole seconds from the first event to the last.", {
        semantic: "Duration",
        unit: "s"
      }),
      column("is_bounce", "boolean", "Whether the visit has one pageview and no custom event.", {
        semantic: "Category"
      }),
      url("entry_path", "Path of the first page."),
      url("exit_path", "Path of the last page."),
      category("referrer_domain", "Domain of the page that referred to the first page."),
      category("channel", "How the visit came about, such as organicSearch or email."),
      utm("utm_source", "UTM source", "Source"),
      utm("utm_medium", "UTM medium"),
      utm("utm_campaign", "UTM campaign"),
      utm("utm_content", "UTM content"),
      utm("utm_term", "UTM term"),
      column("country", "text", "Country, ISO 3166-1 alpha-2.", { semantic: "Country" }),
      category("device", "Kind of device."),
      category("browser", "Browser."),
      category("os", "Operating system.")
    ]
  },
  {
    name: "v_pa_user_flows",
    label: "User flows",
    description: "Steps of visitors from one page to another that they had not seen before, counted by day.",
    entity: "GenericTable",
    site: "site_id",
    time: "day",
    columns: [
      to("site_id", "v_pa_sites", "Site that was visited."),
      created("day", "Day of the step (UTC)."),
      column("step", "integer", "Number of the step, from 1 for the visitor's first."),
      url("source", "Path before the step."),
      url("target", "Path after the step."),
      column("value", "integer", "How often the step was taken.", { semantic: "Quantity" })
    ]
  }
]

const BY_NAME: ReadonlyMap<string, View> = new Map(VIEWS.map((view) => [view.name, view]))

/** The view of this name; undefined if questions may not read it. */
export const findView = (name: string): View | undefined => BY_NAME.get(name)

/** ` Did you mean …? The views are …`: what to say after a name that is not a view's. */
export const knownViews = (given: string): string => {
  // People leave the prefix out.
  const meant = nearest(given, VIEW_NAMES) ?? nearest(`v_pa_${given}`, VIEW_NAMES)
  return `${suggestion(meant)} The views are ${VIEW_NAMES.map((name) => `\`${name}\``).join(", ")}.`
}

export const viewOf = (name: ViewName): View => BY_NAME.get(name)!

/** A view of visits that are split by time: see `Presence`. */
export const presentIn = (view: View): View => ({
  ...view,
  time: "present_at",
  columns: [
    ...view.columns,
    column("present_at", "instant", "Time of the visit's first event in the unit."),
    column("present_pageviews", "integer", "Number of the visit's pageviews in the unit.")
  ]
})

/** The columns that are ids of other views' rows: the joins that a question need not spell out. */
export const referencesOf = (view: View): ReadonlyArray<ViewColumn> =>
  view.columns.filter(({ references }) => references !== null)
