import type { PropertyType } from "../../domain/propertyType.ts"
import type { Clause, Query } from "../fql/schema.ts"
import type { Labels, Origin } from "../metadata/labels.ts"
import type { ViewName } from "../metadata/views.ts"
import type { Compat, TimeRange, WeekStart } from "./plan.ts"

/** A site that a question may read. */
export interface QuestionSite {
  readonly id: string
  readonly name: string
  readonly timezone: string
  readonly weekStart: WeekStart
  readonly currency: string
  readonly definitions: Compat
  readonly domains: ReadonlyArray<string>
  readonly archived: boolean
  /** ISO 8601 in UTC, like `updatedAt`. */
  readonly createdAt: string
  readonly updatedAt: string
}

/** What administrators hid from the person who asks: it can't be named, as if it did not exist. */
export interface HiddenFields {
  readonly hasColumn: (view: ViewName, column: string) => boolean
  /**
   * Hidden on one of these sites: the property of this event or of every event; of any event if `event` is null. With the names of
   * events, the properties of each event are hidden.
   */
  readonly hasProperty: (sites: ReadonlyArray<string>, event: string | null, key: string) => boolean
  readonly hasAttribute: (sites: ReadonlyArray<string>, key: string) => boolean
  /** Keys that have a hidden property or attribute on one of these sites. */
  readonly keys: (sites: ReadonlyArray<string>, owner: "event" | "visitor") => ReadonlyArray<string>
}

/** The range of a question, and the one that is read in its place. */
export interface ComparedRanges {
  readonly own: TimeRange
  readonly other: TimeRange
}

/** What a question means depends on: everything that it refers to, looked up beforehand. */
export interface QuestionContext {
  readonly now: Temporal.Instant
  /** Sites that the person may read, archived ones included. */
  readonly sites: ReadonlyArray<QuestionSite>
  /** Whether `sites` is a limit; otherwise the person may read every site. */
  readonly isLimited: boolean
  readonly timezone: string
  readonly weekStart: WeekStart
  /** The type of a property on these sites: of this event, or of any event if `event` is null. Null if it is not registered. */
  readonly propertyType: (sites: ReadonlyArray<string>, event: string | null, key: string) => PropertyType | null
  /** The registered keys of this event's properties on these sites; of every event's if `event` is null. */
  readonly propertyKeys: (sites: ReadonlyArray<string>, event: string | null) => ReadonlyArray<string>
  readonly attributeKeys: (sites: ReadonlyArray<string>) => ReadonlyArray<string>
  readonly attributeType: (sites: ReadonlyArray<string>, key: string) => PropertyType | null
  /** Whether an administrator declared this type on one of the sites; otherwise it is what all values are. */
  readonly isPropertyDeclared: (sites: ReadonlyArray<string>, event: string | null, key: string) => boolean
  readonly isAttributeDeclared: (sites: ReadonlyArray<string>, key: string) => boolean
  /** What is shown in the place of values on these sites; null: the values themselves. */
  readonly labels: (sites: ReadonlyArray<QuestionSite>, origin: Origin) => Labels | null
  /** The title that administrators chose for a field on these sites; null: the program's. */
  readonly title: (sites: ReadonlyArray<string>, origin: Origin) => string | null
  /** Null: nothing is hidden from the person. */
  readonly hidden: HiddenFields | null
  /** Saved questions, segments and cohorts that the question refers to. */
  readonly cards: ReadonlyMap<string, Query>
  readonly segments: ReadonlyMap<string, Clause>
  readonly cohorts: ReadonlyMap<string, Clause>
  /** Ids of those that are in the trash. */
  readonly trashed: ReadonlySet<string>
  /** Null: the question is asked about its own range. */
  readonly comparing: ComparedRanges | null
}
