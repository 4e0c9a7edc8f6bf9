import type { CatalogConfig } from "./catalog/CatalogConfig.ts"

/** Where a lake is and how it is reached: all that a thread of its own needs to work on it. Holds secrets; never logged. */
export interface LakeConfig {
  readonly catalog: CatalogConfig
  /** Levels, outermost first. */
  readonly namespace: ReadonlyArray<string>
}
