import { serveLake } from "../layers/lake/worker/serveLake.ts"

/** The thread that writes a collector's spool to the lake. */
serveLake()
