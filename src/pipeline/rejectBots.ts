import { Exit } from "effect"
import { Rejection } from "../domain/Rejection.ts"
import type { Step } from "./Step.ts"

/** Rejects bots, unless `DISABLE_BOT_CHECK` is on. */
export const rejectBots: Step = ({ client }, { policy }) =>
  client.bot && policy.rejectBots ? Exit.fail(Rejection.Bot()) : Exit.void
