import type { ReplicaStatus } from "../../../ports/Replica.ts"

/** A replica's status, as the API and the command line show it. */
export const replicaJson = ({ asOf, bytes, check, isUsable, phase, progress, why }: ReplicaStatus) => ({
  phase,
  usable: isUsable,
  why,
  as_of: asOf,
  rebuilt_events: progress?.rows ?? null,
  total_events: progress?.total ?? null,
  linked_events: progress?.linked ?? null,
  file_bytes: bytes,
  checked_at: check === null ? null : new Date(check.at).toISOString(),
  differences: check?.differences ?? null
})
