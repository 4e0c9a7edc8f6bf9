import { readRecords } from "../../../layers/spool/readRecords.ts"
import type { Damage } from "../../../layers/spool/scan.ts"

declare const self: Worker

/** What is asked of the thread that reads a log. */
export interface ReadRequest {
  readonly folder: string
  readonly from: number
  readonly to: number
}

export interface ReadAnswer {
  readonly texts: ReadonlyArray<string>
  readonly damages: ReadonlyArray<Damage>
}

self.onmessage = ({ data }: MessageEvent<ReadRequest>) => {
  const damages: Array<Damage> = []
  const texts: Array<string> = []
  for (const { payload } of readRecords(data.folder, data.from, data.to, (damage) => damages.push(damage))) {
    texts.push(Buffer.from(payload).toString())
  }
  self.postMessage({ texts, damages } satisfies ReadAnswer)
}
