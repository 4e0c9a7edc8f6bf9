import { Context } from "effect"

/** ISO 3166-1 alpha-2, ISO 3166-2 (`GB-ENG`), English city name. */
export interface Location {
  readonly country: string | null
  readonly region: string | null
  readonly city: string | null
}

export type GeoState =
  | { readonly _tag: "Off"; readonly why: string }
  /** `refused`: why the file as it is now is not used, while the one loaded before still is; null when they are the same. */
  | {
      readonly _tag: "On"
      readonly path: string
      readonly databaseType: string
      readonly builtAt: Date
      readonly refused: string | null
    }

/** Where an IP address is, from a local database. Addresses are looked up and dropped, never stored or logged. */
export class Geo extends Context.Service<
  Geo,
  {
    /** Null when the address is not in the database or there is none. */
    readonly locate: (ip: string) => Location | null
    readonly state: () => GeoState
  }
>()("footfall/ports/Geo") {}
