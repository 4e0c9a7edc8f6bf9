import { moto } from "./moto.ts"
import { postgres } from "./postgres.ts"
import type { Service } from "./Service.ts"
import { seaweedfs } from "./seaweedfs.ts"
import { trino } from "./trino.ts"

/** In the order in which they are started: Trino looks for the others. */
export const SERVICES: ReadonlyArray<Service> = [postgres, seaweedfs, moto, trino]

/** All, or those of these names; a `TypeError` for a name that is none's. */
export const servicesNamed = (names: ReadonlyArray<string>): ReadonlyArray<Service> => {
  for (const name of names) {
    if (!SERVICES.some((service) => service.name === name)) {
      throw new TypeError(
        `There is no service ${name}; there are ${SERVICES.map((service) => service.name).join(", ")}.`
      )
    }
  }
  return names.length === 0 ? SERVICES : SERVICES.filter(({ name }) => names.includes(name))
}
