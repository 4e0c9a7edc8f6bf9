import { serveLake } from "../layers/iceberg/worker/serveLake.ts"

/** The thread in which a collector's log becomes files of the lake. */
serveLake()
