import type { EventRecord, IdentityRecord, Property } from "../../src/domain/Event.ts"
import type { SiteId } from "../../src/domain/ids.ts"
import { kindOf, VALUE_KINDS } from "../../src/domain/propertyType.ts"
import { ANY_EVENT, type PropertyOwner, UNNAMED_EVENT } from "../../src/ports/Properties.ts"

/** About 300 bytes each. */
const MAX_ENTRIES = 60_000

/** What a site's registry has limits for: keys of events, keys of a particular event, and attributes of visitors. */
export type PropertyGroup = "keys" | "event keys" | "attributes"

/** How many properties of each group are registered per site. Clients choose keys, so they must not be able to create any number of rows. */
export const MAX_PROPERTIES: Readonly<Record<PropertyGroup, number>> = {
  keys: 1_000,
  "event keys": 2_000,
  attributes: 1_000
}

const KIND_INDEX = new Map(VALUE_KINDS.map((kind, index) => [kind, index]))

const noCounts = (): Array<number> => VALUE_KINDS.map(() => 0)

/** Identifies a property. */
export interface PropertyName {
  readonly siteId: SiteId
  readonly owner: PropertyOwner
  readonly event: string
  readonly key: string
}

/** A property and the values that are not in the registry yet. */
class Entry implements PropertyName {
  readonly siteId: SiteId
  readonly owner: PropertyOwner
  readonly event: string
  readonly key: string
  /** Values by kind, in the order of `VALUE_KINDS`. */
  readonly counts = noCounts()
  first = Number.POSITIVE_INFINITY
  last = Number.NEGATIVE_INFINITY
  /** Kinds that the registry knows, as bits; null if it may not have the property at all. */
  known: number | null = null

  constructor({ event, key, owner, siteId }: PropertyName) {
    this.siteId = siteId
    this.owner = owner
    this.event = event
    this.key = key
  }

  /** Returns whether the registry does not know it yet. */
  add(kind: number, at: number): boolean {
    this.counts[kind]!++
    if (at < this.first) this.first = at
    if (at > this.last) this.last = at
    return this.known === null || (this.known & (1 << kind)) === 0
  }

  get isPending(): boolean {
    return this.counts.some((count) => count > 0)
  }

  get kinds(): number {
    return this.counts.reduce((kinds, count, kind) => (count > 0 ? kinds | (1 << kind) : kinds), 0)
  }

  /** Whether the registry lacks the property or one of its kinds. */
  get isNews(): boolean {
    return this.known === null ? this.isPending : (this.kinds & ~this.known) !== 0
  }
}

/** A property with the values to add to the registry. */
export interface PropertyChange extends PropertyName {
  /** By kind, in the order of `VALUE_KINDS`. */
  readonly counts: ReadonlyArray<number>
  /** Times in ms since the epoch of the earliest and the latest value. */
  readonly first: number
  readonly last: number
  /** Whether the registry lacks it, or one of its kinds. */
  readonly isNews: boolean
}

/** A property that the registry has, with its kinds as bits. */
export interface StoredProperty {
  readonly event: string
  readonly key: string
  readonly kinds: number
}

export const groupOf = (owner: PropertyOwner, event: string): PropertyGroup =>
  owner === "visitor" ? "attributes" : event === ANY_EVENT ? "keys" : "event keys"

/** The entries of one site and group. */
class Group {
  readonly #byEvent = new Map<string, Map<string, Entry>>()
  size = 0
  /** The registry refused a property, so it takes no others until it has been read again. */
  isFull = false

  find(event: string, key: string): Entry | undefined {
    return this.#byEvent.get(event)?.get(key)
  }

  add(entry: Entry): void {
    let keys = this.#byEvent.get(entry.event)
    if (keys === undefined) {
      keys = new Map()
      this.#byEvent.set(entry.event, keys)
    }
    if (!keys.has(entry.key)) this.size++
    keys.set(entry.key, entry)
  }

  delete({ event, key }: Pick<Entry, "event" | "key">): void {
    const keys = this.#byEvent.get(event)
    if (keys === undefined || !keys.delete(key)) return
    this.size--
    if (keys.size === 0) this.#byEvent.delete(event)
  }

  *[Symbol.iterator](): Generator<Entry> {
    for (const keys of this.#byEvent.values()) yield* keys.values()
  }
}

class SiteGroups {
  readonly groups: Readonly<Record<PropertyGroup, Group>> = {
    keys: new Group(),
    "event keys": new Group(),
    attributes: new Group()
  }
  /** Values, since the last call that asked, of properties that did not fit. */
  overflow = 0
}

/**
 * The properties that this process has seen, with the counts that are not in the registry yet. Bounded, whatever clients send: a site has
 * at most `MAX_PROPERTIES` of each group, and all sites together `MAX_ENTRIES`.
 */
export class SeenProperties {
  readonly #sites = new Map<SiteId, SiteGroups>()
  #size = 0
  #hasNews = false

  /** Whether there may be something that the registry lacks, counts aside. */
  get hasNews(): boolean {
    return this.#hasNews
  }

  event({ createdAt, name, properties, siteId }: EventRecord): void {
    if (properties.length === 0) return
    const site = this.#site(siteId)
    // An event that is named like the entries for all events has no entries of its own.
    const own = name === ANY_EVENT ? null : (name ?? UNNAMED_EVENT)
    for (const property of properties) {
      const { key } = property
      this.#add(site, { siteId, owner: "event", event: ANY_EVENT, key }, property, createdAt)
      if (own !== null) this.#add(site, { siteId, owner: "event", event: own, key }, property, createdAt)
    }
  }

  identity({ createdAt, properties, session: { siteId } }: IdentityRecord): void {
    if (properties.length === 0) return
    const site = this.#site(siteId)
    for (const property of properties) {
      this.#add(site, { siteId, owner: "visitor", event: ANY_EVENT, key: property.key }, property, createdAt)
    }
  }

  /** What the registry lacks; with `counts`, also what only adds to its counts. It counts as pending until it is confirmed. */
  changes(counts: boolean): ReadonlyArray<PropertyChange> {
    const changes: Array<PropertyChange> = []
    this.#hasNews = false
    for (const entry of this.#entries()) {
      const isNews = entry.isNews
      if (!isNews && !(counts && entry.isPending)) continue
      const { event, first, key, last, owner, siteId } = entry
      changes.push({ siteId, owner, event, key, counts: [...entry.counts], first, last, isNews })
    }
    return changes
  }

  /** The registry has these changes now. */
  confirm(changes: Iterable<PropertyChange>): void {
    for (const change of changes) {
      const entry = this.#find(change)
      if (entry === undefined) continue
      change.counts.forEach((count, kind) => {
        entry.counts[kind]! -= count
        if (count > 0) entry.known = (entry.known ?? 0) | (1 << kind)
      })
    }
  }

  /** The changes could not be written. */
  failed(): void {
    this.#hasNews = true
  }

  /** The registry has no room for these properties. Their groups take no others until the registry has been read again. */
  refused(changes: Iterable<PropertyName>): void {
    for (const change of changes) {
      const entry = this.#find(change)
      const site = this.#sites.get(change.siteId)
      if (entry === undefined || site === undefined) continue
      const group = site.groups[groupOf(change.owner, change.event)]
      site.overflow += entry.counts.reduce((sum, count) => sum + count, 0)
      group.delete(entry)
      this.#size--
      group.isFull = true
    }
  }

  /** Groups that are full, and whose registered properties should be read again. */
  full(): ReadonlyArray<{ readonly siteId: SiteId; readonly group: PropertyGroup }> {
    return [...this.#sites].flatMap(([siteId, { groups }]) =>
      (Object.keys(groups) as ReadonlyArray<PropertyGroup>).flatMap((group) =>
        groups[group].isFull ? [{ siteId, group }] : []
      )
    )
  }

  /** The properties that the registry has in a full group. */
  reload(siteId: SiteId, name: PropertyGroup, stored: ReadonlyArray<StoredProperty>): void {
    const group = this.#site(siteId).groups[name]
    group.isFull = stored.length >= MAX_PROPERTIES[name]
    for (const { event, key, kinds } of stored) {
      const known = group.find(event, key)
      if (known === undefined && this.#size >= MAX_ENTRIES) continue
      const owner = name === "attributes" ? "visitor" : "event"
      const entry = known ?? this.#make(group, { siteId, owner, event, key })
      entry.known = kinds
    }
  }

  /** Forgets what the registry has, if there is much of it. It is noted again when it is seen. */
  trim(): void {
    if (this.#size < MAX_ENTRIES) return
    for (const site of this.#sites.values()) {
      for (const group of Object.values(site.groups)) {
        for (const entry of group) {
          if (entry.known === null || entry.isPending) continue
          group.delete(entry)
          this.#size--
        }
      }
    }
    for (const [id, site] of this.#sites) {
      if (site.overflow === 0 && Object.values(site.groups).every(({ size }) => size === 0)) this.#sites.delete(id)
    }
  }

  /** How many values of each site, since the last call, had a property that did not fit. */
  takeOverflow(): ReadonlyMap<SiteId, number> {
    const overflow = new Map<SiteId, number>()
    for (const [id, site] of this.#sites) {
      if (site.overflow > 0) overflow.set(id, site.overflow)
      site.overflow = 0
    }
    return overflow
  }

  #add(site: SiteGroups, name: PropertyName, property: Property, at: number): void {
    const entry = this.#entry(site, name)
    if (entry === null) site.overflow++
    else if (entry.add(KIND_INDEX.get(kindOf(property))!, at)) this.#hasNews = true
  }

  #site(id: SiteId): SiteGroups {
    const known = this.#sites.get(id)
    if (known !== undefined) return known
    const site = new SiteGroups()
    this.#sites.set(id, site)
    return site
  }

  /** The entry of a property, new or known; null if there is no room. */
  #entry(site: SiteGroups, name: PropertyName): Entry | null {
    const groupName = groupOf(name.owner, name.event)
    const group = site.groups[groupName]
    const known = group.find(name.event, name.key)
    if (known !== undefined) return known
    if (group.isFull || this.#size >= MAX_ENTRIES) return null
    if (group.size < MAX_PROPERTIES[groupName]) return this.#make(group, name)
    // Other processes may have registered this one, so the registry is read again.
    group.isFull = true
    return null
  }

  #make(group: Group, name: PropertyName): Entry {
    const entry = new Entry(name)
    group.add(entry)
    this.#size++
    return entry
  }

  #find({ event, key, owner, siteId }: PropertyName): Entry | undefined {
    return this.#sites.get(siteId)?.groups[groupOf(owner, event)].find(event, key)
  }

  *#entries(): Generator<Entry> {
    for (const { groups } of this.#sites.values()) {
      for (const group of Object.values(groups)) yield* group
    }
  }
}
