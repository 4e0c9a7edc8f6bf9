import { StorageError } from "../../src/domain/StorageError.ts"

export interface RefusalLimits {
  readonly folder: string
  readonly maxBytes: number
  readonly maxRecordBytes: number
  readonly timeoutMs: number
}

/** The answers to records that a spool does not store, made once. */
export const makeRefusals = ({ folder, maxBytes, maxRecordBytes, timeoutMs }: RefusalLimits) => {
  const unavailable = (message: string) => new StorageError({ reason: "Unavailable", message })
  return {
    tooManyWaiting: new StorageError({ reason: "Overloaded", message: "Too many records wait for the disk." }),
    full: new StorageError({
      reason: "Overloaded",
      message: `The spool is full (SPOOL_MAX_BYTES = ${maxBytes}): flushes are not keeping up.`
    }),
    tooLong: new StorageError({
      reason: "Refused",
      message: `The record can't be stored: it is longer than ${maxRecordBytes} bytes.`
    }),
    empty: new StorageError({ reason: "Refused", message: "The record can't be stored: it is empty." }),
    timedOut: unavailable(`The disk did not store the record within ${timeoutMs / 1_000} s.`),
    stopping: unavailable("The collector is stopping."),
    unwritable: (problem: string) => unavailable(`The spool in ${folder} can't be written: ${problem}.`)
  }
}

export type Refusals = ReturnType<typeof makeRefusals>
