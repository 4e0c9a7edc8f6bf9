import { Context, type Effect, Schema } from "effect"
import type { SiteId } from "../domain/ids.ts"
import type { PropertyType, ValueCounts } from "../domain/propertyType.ts"

/** Whose property it is: an event's, or a visitor's attribute from `identify`. */
export type PropertyOwner = "event" | "visitor"

/** In the place of an event's name: the property of every event, whatever its name. The owner `visitor` has only this. */
export const ANY_EVENT = "*"
/** In the place of an event's name: events without one, which are pageviews. */
export const UNNAMED_EVENT = ""

/** A property that events of a site had, or an attribute that its visitors have. */
export interface RegisteredProperty {
  /** The id of the field that stands for it. */
  readonly fieldId: number
  readonly siteId: SiteId
  readonly owner: PropertyOwner
  /** A name, `UNNAMED_EVENT` or `ANY_EVENT`. */
  readonly event: string
  readonly key: string
  /** How many values there were, of each kind. Counted since the last rebuild; a process that is killed loses up to a minute. */
  readonly counts: ValueCounts
  /** Times of the first and the last event that had it. */
  readonly firstSeen: Date
  readonly lastSeen: Date
  /** The declared type, or what all values are. */
  readonly type: PropertyType
  readonly declaredType: PropertyType | null
  /** What the values look like (`Email`, `URL`, …); null if nothing in particular. */
  readonly semanticType: string | null
  /** Whether an administrator hid it. */
  readonly isHidden: boolean
}

/** A property of this event, or of every event, that an administrator hid. */
export interface HiddenProperty {
  /** A name, `UNNAMED_EVENT` or `ANY_EVENT`. */
  readonly event: string
  readonly key: string
}

/** Which properties a list contains. */
export interface PropertyListOptions {
  readonly sites: ReadonlyArray<string>
  /** Only those whose key or event contains this, in upper or lower case. */
  readonly search?: string
  /** Default: true. */
  readonly includesHidden?: boolean
  /** Only keys of all events, and attributes. Otherwise these are left out where the same key of particular events is listed. */
  readonly onlyKeys?: boolean
  readonly limit: number
}

/** The app database can't be reached. */
export class PropertiesError extends Schema.TaggedError<PropertiesError>()("PropertiesError", {
  message: Schema.String
}) {}

/**
 * The registry of properties. Their types are in memory, and follow what collectors see and what administrators declare within seconds.
 * While the app database is unreachable, the last known ones are used.
 */
export class Properties extends Context.Service<
  Properties,
  {
    /**
     * The type of a property of this event on these sites; of any event if `event` is null. It is text if the sites disagree, and null
     * if the property is not registered.
     */
    readonly propertyType: (sites: ReadonlyArray<string>, event: string | null, key: string) => PropertyType | null
    /** The type of a visitor's attribute on these sites. */
    readonly attributeType: (sites: ReadonlyArray<string>, key: string) => PropertyType | null
    /** The keys of this event's properties on these sites; of every event's if `event` is null. */
    readonly propertyKeys: (sites: ReadonlyArray<string>, event: string | null) => ReadonlyArray<string>
    /** The keys of visitors' attributes on these sites. */
    readonly attributeKeys: (sites: ReadonlyArray<string>) => ReadonlyArray<string>
    /** Whether an administrator declared the type of a property of this event on one of these sites. */
    readonly isPropertyDeclared: (sites: ReadonlyArray<string>, event: string | null, key: string) => boolean
    readonly isAttributeDeclared: (sites: ReadonlyArray<string>, key: string) => boolean
    /** What administrators hid on one of these sites: properties of events, or attributes of visitors. */
    readonly hidden: (sites: ReadonlyArray<string>, owner: PropertyOwner) => ReadonlyArray<HiddenProperty>
    /** Reads the types again now. */
    readonly refresh: Effect.Effect<void, PropertiesError>
    /** The most frequent first. */
    readonly list: (options: PropertyListOptions) => Effect.Effect<ReadonlyArray<RegisteredProperty>, PropertiesError>
    /** The property of a field; null if there is none. */
    readonly find: (fieldId: number) => Effect.Effect<RegisteredProperty | null, PropertiesError>
  }
>()("footfall/ports/Properties") {}
