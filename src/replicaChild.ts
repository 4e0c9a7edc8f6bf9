import { serveReplica } from "../layers/replica/child/serveReplica.ts"

/** The process that has the columnar replica's file, for another process that stores events. */
serveReplica()
