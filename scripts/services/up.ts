import { existsSync, statSync } from "node:fs"
import { connect } from "node:net"
import { Failure } from "./Failure.ts"
import { say } from "./fetch.ts"
import { alone } from "./lock.ts"
import { type PortName, port, portVariable } from "./place.ts"
import { eventually, logFile, logTail, runningPid, startDetached, stopProcess } from "./processes.ts"
import type { Service } from "./Service.ts"

/** A local port accepts or refuses immediately. */
const CONNECT_MS = 1_000

const isTaken = (name: PortName): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port: port(name), timeout: CONNECT_MS })
    const answer = (taken: boolean) => {
      socket.destroy()
      resolve(taken)
    }
    socket.on("connect", () => answer(true))
    socket.on("error", () => answer(false))
    socket.on("timeout", () => answer(true))
  })

const wantFreePorts = async (service: Service): Promise<void> => {
  for (const name of service.ports) {
    if (await isTaken(name)) {
      throw new Failure(
        `${service.name}: port ${port(name)} is taken by another program. End it, or set ${portVariable(name)} to a free one.`
      )
    }
  }
}

const logSize = (name: string): number => (existsSync(logFile(name)) ? statSync(logFile(name)).size : 0)

/** Fails with the service's last output. */
const didNotStart = (service: Service, why: string, logStart: number): Failure => {
  const lines = logSize(service.name) > logStart ? logTail(service.name) : "(no output)"
  return new Failure(
    `${service.name}: ${why} Its last lines (all in ${logFile(service.name)}):\n${lines}\n` +
      `Run \`bun run services down ${service.name}\` and try again; if its data is broken, remove ${service.dataFolder}.`
  )
}

/** Starts the service unless it runs, and resumes when it is ready. Prints nothing if there was nothing to do. */
export const up = (service: Service): Promise<void> =>
  alone(service.name, async () => {
    const { name } = service
    const running = runningPid(name)
    if (running !== undefined && (await service.isReady())) {
      await service.settle?.()
      say(name, `is up (pid ${running})`)
      return
    }
    let pid = running
    const logStart = logSize(name)
    let began = Date.now()
    if (pid === undefined) {
      await service.fetch()
      await wantFreePorts(service)
      const command = await service.prepare()
      say(name, `starting ${service.version} on 127.0.0.1:${port(service.ports[0]!)}`)
      began = Date.now()
      pid = startDetached(name, command)
    }
    const ready = await eventually(service.startMs, async () => {
      if (runningPid(name) === undefined) throw didNotStart(service, "ended while starting.", logStart)
      return service.isReady()
    })
    if (!ready) {
      const failure = didNotStart(service, `is not ready after ${service.startMs / 1_000} s.`, logStart)
      await stopProcess(name, service.stopSignal, service.stopMs)
      throw failure
    }
    await service.settle?.()
    say(name, `ready in ${((Date.now() - began) / 1_000).toFixed(1)} s (pid ${pid})`)
  })

/** Ends the service if we started it, and resumes when it has ended. */
export const down = (service: Service): Promise<void> =>
  alone(service.name, async () => {
    const began = Date.now()
    const outcome = await stopProcess(service.name, service.stopSignal, service.stopMs)
    // The remains of a stopped service may belong to another launcher, whose service runs.
    if (outcome !== "was down") service.tidy?.()
    const how = {
      "was down": "is down",
      stopped: `stopped in ${((Date.now() - began) / 1_000).toFixed(1)} s`,
      killed: `did not stop within ${service.stopMs / 1_000} s and was killed`
    }
    say(service.name, how[outcome])
  })
