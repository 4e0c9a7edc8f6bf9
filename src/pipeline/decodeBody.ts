import { Exit } from "effect"
import { Rejection } from "../domain/Rejection.ts"
import { invalidBody, isConforming, repairBody, type SendBody } from "./payload.ts"
import type { Step } from "./Step.ts"

/**
 * Checks the body. Only the type, the source, `url`, `timestamp` and `data` can cost the event;
 * other fields that do not conform are cut or dropped. Unknown fields are ignored by later steps.
 */
export const decodeBody: Step = (draft) => {
  let body = draft.body
  if (!isConforming(body)) {
    body = repairBody(body)
    const tree = invalidBody(body)
    if (tree !== null) return Exit.fail(Rejection.InvalidPayload({ tree }))
  }
  const { payload, type } = body as SendBody
  draft.type = type
  draft.payload = payload
  return Exit.void
}
