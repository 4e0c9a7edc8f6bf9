import type { IcebergError } from "../../iceberg/IcebergError.ts"
import type { Damage } from "../../spool/scan.ts"
import type { LakeConfig } from "../LakeConfig.ts"
import type { Maintained, MaintainOptions } from "../maintain.ts"
import type { Committed, FellBack, FlushResult, Log, OpenedLog } from "../writer/LakeWriter.ts"

/** What a lake's thread does, by name: what it is given and what it answers. */
export interface Operations {
  /** Loads what the others need. */
  readonly prepare: { readonly given: null; readonly answer: null }
  /** `LakeWriter.compare`. */
  readonly compare: { readonly given: OpenedLog; readonly answer: null }
  readonly flush: { readonly given: { readonly log: Log; readonly upTo: number }; readonly answer: FlushResult }
  readonly maintain: { readonly given: MaintainOptions; readonly answer: Maintained }
}

export type Call = {
  [Name in keyof Operations]: {
    readonly type: "call"
    readonly id: number
    readonly name: Name
    readonly given: Operations[Name]["given"]
  }
}[keyof Operations]

/** `start` comes once, before anything else; each call is answered once. */
export type ToWorker = { readonly type: "start"; readonly config: LakeConfig } | Call

/** What is told of a call before its answer. */
export type CallEvent =
  | { readonly kind: "conflict" }
  | { readonly kind: "unknown" }
  | { readonly kind: "committed"; readonly committed: Committed }
  | { readonly kind: "fell back"; readonly fellBack: FellBack }
  | { readonly kind: "damage"; readonly damage: Damage }

/** A defect is not to be expected of anything; the thread is of no use after it. */
export type FromWorker =
  | { readonly type: "told"; readonly id: number; readonly event: CallEvent }
  | { readonly type: "answered"; readonly id: number; readonly answer: unknown }
  | { readonly type: "failed"; readonly id: number; readonly reason: IcebergError["reason"]; readonly message: string }
  | { readonly type: "defect"; readonly id: number; readonly message: string }
