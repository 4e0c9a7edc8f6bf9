import { type Content, readFolder } from "../disk/spools.ts"

declare const self: Worker

/** A request to the thread that reads a spool. */
export interface ReadRequest {
  readonly folder: string
  readonly from: number
  readonly to: number
}

self.onmessage = ({ data: { folder, from, to } }: MessageEvent<ReadRequest>) => {
  self.postMessage(readFolder(folder, from, to) satisfies Content)
}
