import { Context } from "effect"

/** ISO 3166-1 alpha-2, ISO 3166-2 (`GB-ENG`), English city name. */
export interface Location {
  readonly country: string | null
  readonly region: string | null
  readonly city: string | null
}

/** `why` and `reloadError` are whole sentences for operators. */
export type GeoState =
  /** The database is being read for the first time. */
  | { readonly _tag: "Loading"; readonly why: string }
  /** There is no usable database. */
  | { readonly _tag: "Off"; readonly why: string }
  /** `reloadError`: why the file's current content was rejected while the database loaded before stays in use; null if it was not. */
  | {
      readonly _tag: "On"
      readonly path: string
      readonly databaseType: string
      readonly builtAt: Date
      readonly reloadError: string | null
    }

/** Looks up the location of an IP address in a local database. Addresses are neither stored nor logged. */
export class Geo extends Context.Service<
  Geo,
  {
    /** Null when the database does not contain the address, or there is no database. */
    readonly locate: (ip: string) => Location | null
    readonly state: () => GeoState
  }
>()("footfall/ports/Geo") {}
