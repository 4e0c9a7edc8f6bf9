import type { OpenedSpool, Run, SpoolRolledBack, Written } from "../../forward/Destination.ts"
import type { IcebergError } from "../../iceberg/IcebergError.ts"
import type { Damage } from "../../spool/scan.ts"
import type { LakeConfig } from "../config.ts"
import type { Maintained, MaintainOptions } from "../maintain.ts"
import type { Committed } from "../writer/LakeWriter.ts"

/** What a lake's thread can do, by name: the input and the answer. */
export interface Operations {
  /** Loads what the other operations need. */
  readonly prepare: { readonly input: null; readonly answer: null }
  /** `LakeWriter.reconcile`. */
  readonly reconcile: { readonly input: OpenedSpool; readonly answer: null }
  /** `LakeWriter.write`. */
  readonly write: { readonly input: Run; readonly answer: Written }
  readonly maintain: { readonly input: MaintainOptions; readonly answer: Maintained }
}

export type Call = {
  [Name in keyof Operations]: {
    readonly type: "call"
    readonly id: number
    readonly name: Name
    readonly input: Operations[Name]["input"]
  }
}[keyof Operations]

/** `start` comes once, before anything else. Each call gets one answer. */
export type ToWorker = { readonly type: "start"; readonly config: LakeConfig } | Call

export type CommitEvent =
  | { readonly kind: "conflict" }
  | { readonly kind: "unknown" }
  | { readonly kind: "committed"; readonly committed: Committed }

/** Reported during a call, before its answer. */
export type CallEvent =
  | CommitEvent
  | { readonly kind: "rolled back"; readonly rolledBack: SpoolRolledBack }
  | { readonly kind: "damage"; readonly damage: Damage }

/** After a defect the thread cannot be used any more. */
export type FromWorker =
  | { readonly type: "event"; readonly id: number; readonly event: CallEvent }
  | { readonly type: "answered"; readonly id: number; readonly answer: unknown }
  | { readonly type: "failed"; readonly id: number; readonly reason: IcebergError["reason"]; readonly message: string }
  | { readonly type: "defect"; readonly id: number; readonly message: string }
