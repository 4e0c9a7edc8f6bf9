import { serveLake } from "../layers/lake/worker/serveLake.ts"

/** The thread in which a collector's log becomes files of the lake. */
serveLake()
