import { Exit } from "effect"
import { Rejection } from "../domain/Rejection.ts"
import type { Step } from "./Step.ts"

/** Rejects every payload while product analytics is off. */
export const requireLicense: Step = (_draft, { gate }) => (gate.isOn() ? Exit.void : Exit.fail(Rejection.Disabled()))
