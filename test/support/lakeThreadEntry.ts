import { serveLake } from "../../layers/lake/worker/serveLake.ts"

/** A lake's thread that a log in a folder named `crash` ends in the midst of things, as a trap in WebAssembly or an OOM would. */
declare const self: Worker
serveLake()
const serve = self.onmessage
self.onmessage = (event: MessageEvent<{ readonly given?: { readonly log?: { readonly folder: string } } }>) => {
  if (event.data.given?.log?.folder === "crash") process.exit(3)
  serve?.call(self, event)
}
