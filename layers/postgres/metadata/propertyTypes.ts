import { type PropertyType, typeOfCounts, VALUE_KINDS, type ValueCounts } from "../../../src/domain/propertyType.ts"
import { ANY_EVENT, type HiddenProperty, type PropertyOwner } from "../../../src/ports/Properties.ts"

/** What decides the type of a property. */
export interface TypeRow {
  readonly site_id: string
  readonly owner: PropertyOwner
  readonly event_name: string
  readonly key: string
  /** Kinds of values that it has had, as bits in the order of `VALUE_KINDS`. */
  readonly kinds: number
  readonly declared_type: PropertyType | null
  readonly hidden: boolean
}

interface KnownType {
  readonly type: PropertyType
  readonly isDeclared: boolean
}

const countsOf = (kinds: number): ValueCounts =>
  Object.fromEntries(VALUE_KINDS.map((kind, bit) => [kind, (kinds >> bit) & 1])) as ValueCounts

/** One object for each type, however many properties there are. */
const TYPES = new Map<string, KnownType>()
const knownType = ({ declared_type: declared, kinds }: TypeRow): KnownType => {
  const type = declared ?? typeOfCounts(countsOf(kinds))
  const name = `${type} ${declared !== null}`
  const known = TYPES.get(name) ?? { type, isDeclared: declared !== null }
  TYPES.set(name, known)
  return known
}

/** The types of a site's properties, by event and key. */
class SiteTypes {
  readonly #events = new Map<string, Map<string, KnownType>>()
  readonly #visitor = new Map<string, KnownType>()
  /** By owner, event and key. */
  readonly #hidden = new Map<string, HiddenProperty & { readonly owner: PropertyOwner }>()

  /** Returns whether it was not known yet. */
  set(row: TypeRow): boolean {
    const keys = row.owner === "visitor" ? this.#visitor : this.#event(row.event_name)
    const isNew = !keys.has(row.key)
    keys.set(row.key, knownType(row))
    this.#setHidden(row)
    return isNew
  }

  hidden(owner: PropertyOwner): ReadonlyArray<HiddenProperty> {
    return [...this.#hidden.values()].filter((one) => one.owner === owner)
  }

  #setHidden({ event_name: event, hidden, key, owner }: TypeRow): void {
    const id = JSON.stringify([owner, event, key])
    if (hidden) this.#hidden.set(id, { owner, event, key })
    else this.#hidden.delete(id)
  }

  /** The event's own property, unless an administrator declared the key's type for all events, or only that is registered. */
  property(event: string | null, key: string): KnownType | undefined {
    const any = this.#events.get(ANY_EVENT)?.get(key)
    const own = event === null ? undefined : this.#events.get(event)?.get(key)
    if (own?.isDeclared === true) return own
    return any?.isDeclared === true ? any : (own ?? any)
  }

  attribute(key: string): KnownType | undefined {
    return this.#visitor.get(key)
  }

  propertyKeys(event: string | null): ReadonlyArray<string> {
    return [...(this.#events.get(event ?? ANY_EVENT)?.keys() ?? [])]
  }

  attributeKeys(): ReadonlyArray<string> {
    return [...this.#visitor.keys()]
  }

  #event(name: string): Map<string, KnownType> {
    const known = this.#events.get(name)
    if (known !== undefined) return known
    const keys = new Map<string, KnownType>()
    this.#events.set(name, keys)
    return keys
  }
}

/** What the sites agree on; text if they do not, null if none has a type. */
const agreed = (types: ReadonlyArray<PropertyType | null>): PropertyType | null => {
  const known = new Set(types.filter((type) => type !== null))
  return known.size > 1 ? "text" : ([...known][0] ?? null)
}

/** The types of all registered properties. */
export class PropertyTypes {
  readonly #sites = new Map<string, SiteTypes>()
  size = 0

  add(rows: Iterable<TypeRow>): void {
    for (const row of rows) {
      const site = this.#sites.get(row.site_id) ?? new SiteTypes()
      this.#sites.set(row.site_id, site)
      if (site.set(row)) this.size++
    }
  }

  propertyType(sites: ReadonlyArray<string>, event: string | null, key: string): PropertyType | null {
    return agreed(sites.map((id) => this.#sites.get(id)?.property(event, key)?.type ?? null))
  }

  propertyKeys(sites: ReadonlyArray<string>, event: string | null): ReadonlyArray<string> {
    return [...new Set(sites.flatMap((id) => this.#sites.get(id)?.propertyKeys(event) ?? []))]
  }

  attributeKeys(sites: ReadonlyArray<string>): ReadonlyArray<string> {
    return [...new Set(sites.flatMap((id) => this.#sites.get(id)?.attributeKeys() ?? []))]
  }

  isPropertyDeclared(sites: ReadonlyArray<string>, event: string | null, key: string): boolean {
    return sites.some((id) => this.#sites.get(id)?.property(event, key)?.isDeclared === true)
  }

  isAttributeDeclared(sites: ReadonlyArray<string>, key: string): boolean {
    return sites.some((id) => this.#sites.get(id)?.attribute(key)?.isDeclared === true)
  }

  hidden(sites: ReadonlyArray<string>, owner: PropertyOwner): ReadonlyArray<HiddenProperty> {
    return sites.flatMap((id) => this.#sites.get(id)?.hidden(owner) ?? [])
  }

  attributeType(sites: ReadonlyArray<string>, key: string): PropertyType | null {
    return agreed(sites.map((id) => this.#sites.get(id)?.attribute(key)?.type ?? null))
  }
}
