import type { Property } from "../domain/Event.ts"
import type { Source } from "./findSource.ts"
import type { DerivedIds } from "./Identity.ts"
import type { Payload, PayloadType } from "./payload.ts"
import type { Client } from "./resolveClient.ts"
import type { PageFields } from "./resolvePage.ts"
import type { Visit } from "./resolveVisit.ts"
import type { Token } from "./Tokens.ts"

/** The request that carried a payload. */
export interface RequestContext {
  readonly headers: Headers
  /** IP address at the other end of the connection. */
  readonly peer: string
  /** For a batch: ids derived so far, shared by its payloads. */
  readonly derived?: DerivedIds
}

/**
 * One payload on its way through the pipeline. Each step reads what earlier steps have written and fills in the fields of its own;
 * a field is undefined until its step has run. A draft belongs to one payload and is discarded with it.
 */
export class Draft {
  /** The JSON value as received. */
  readonly body: unknown
  readonly request: RequestContext
  /** When the payload was received, in ms since the epoch. */
  readonly now: number

  // decodeBody
  type!: PayloadType
  payload!: Payload
  // findSource
  source!: Source
  // readToken
  sentToken: string | null = null
  token: Token | null = null
  // resolveClient
  client!: Client
  // resolveTime: when the event happened, in ms since the epoch
  createdAt!: number
  // resolveVisit
  visit!: Visit
  // resolvePage
  page!: PageFields
  // flattenProperties
  properties!: ReadonlyArray<Property>

  constructor(body: unknown, request: RequestContext, now: number) {
    this.body = body
    this.request = request
    this.now = now
  }
}
