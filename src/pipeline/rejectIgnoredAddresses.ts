import { Exit } from "effect"
import { Rejection } from "../domain/Rejection.ts"
import type { Step } from "./Step.ts"

/** Rejects clients whose address is in `IGNORE_IP`. */
export const rejectIgnoredAddresses: Step = ({ client }, { policy }) =>
  policy.isIgnored(client.address) ? Exit.fail(Rejection.BlockedIp()) : Exit.void
