import { serveLake } from "../../../layers/lake/worker/serveLake.ts"

/** A lake's thread that exits during a call for a spool in a folder named `crash`, as a WebAssembly trap or running out of memory would. */
declare const self: Worker
serveLake()
const serve = self.onmessage
self.onmessage = (event: MessageEvent<{ readonly input?: { readonly spool?: { readonly folder: string } } }>) => {
  if (event.data.input?.spool?.folder === "crash") process.exit(3)
  serve?.call(self, event)
}
