import { Effect, Result } from "effect"
import type { Query as EngineQuery, QueryEngine, QueryRows } from "../ports/QueryEngine.ts"
import type { Query } from "./fql/schema.ts"
import { didYouMean } from "./fql/suggest.ts"
import { foundNothing } from "./nothing.ts"
import type { QuestionContext } from "./plan/context.ts"
import type { PlannedQuestion } from "./resolve/query.ts"
import type { Warning } from "./resolve/SelectScope.ts"

/** A typing error is found as far back as this, or as the question goes, so that nothing larger is read for it. */
const DAYS = 90
/** With more names, not all of them are known. */
const MAX_NAMES = 1_000
/** An answer waits no longer for this. */
const DEADLINE = "2 seconds"

/** How to find out which events there are. */
export interface EventNames {
  /** The first day, in the question's time zone; null: all of them. */
  readonly since: string | null
  readonly question: Query
}

/** The question for the names of the events on the sites that a question reads. */
export const eventNamesOf = ({ now }: QuestionContext, { rows, zone }: PlannedQuestion): EventNames => {
  const dayOf = (instant: Temporal.Instant) => instant.toZonedDateTimeISO(zone).toPlainDate()
  const recent = dayOf(now).subtract({ days: DAYS })
  const first = rows.range.from === null ? null : dayOf(Temporal.Instant.from(rows.range.from))
  const since = first === null ? null : Temporal.PlainDate.compare(first, recent) < 0 ? first : recent
  const filter = [
    ["not-null", "event_name"],
    ...(rows.sites === null ? [] : [["=", "site_id", ...rows.sites]]),
    ...(since === null ? [] : [[">=", "created_at", since.toString()]])
  ]
  return {
    since: since?.toString() ?? null,
    question: {
      fql: 1,
      type: "query",
      source: "v_pa_events",
      filter: ["and", ...filter],
      breakout: ["event_name"],
      aggregation: [["count"]],
      "order-by": [
        ["desc", ["aggregation", 0]],
        ["asc", "event_name"]
      ],
      limit: MAX_NAMES,
      settings: { timezone: zone }
    } as Query
  }
}

/**
 * Warnings about the events that a question names and that there are none of, if it found nothing. An event may also be too new, so the
 * answer stands; and what cannot be looked up in time is not warned of.
 */
export const unknownEventWarnings = Effect.fnUntraced(function* (
  engine: Pick<QueryEngine["Service"], "run">,
  planned: PlannedQuestion,
  rows: QueryRows,
  names: { readonly since: string | null; readonly query: () => Result.Result<EngineQuery, unknown> } | null
): Effect.fn.Return<ReadonlyArray<Warning>> {
  if (names === null || !foundNothing(planned, rows)) return []
  const query = names.query()
  if (Result.isFailure(query)) return []
  const found = yield* engine.run(query.success).pipe(
    Effect.map((result) => result.rows.map(([name]) => String(name))),
    Effect.timeoutOrElse({ duration: DEADLINE, orElse: () => Effect.succeed(null) }),
    Effect.orElseSucceed(() => null)
  )
  if (found === null) return []
  return planned.events.flatMap((event): ReadonlyArray<Warning> => {
    if (found.includes(event) || found.length === MAX_NAMES) return []
    const missing =
      names.since === null
        ? `There is no event named \`${event}\`.`
        : `There has been no event named \`${event}\` since ${names.since}.`
    return [{ code: "unknown-event", detail: `${missing}${didYouMean(event, found)}` }]
  })
})
