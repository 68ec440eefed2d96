import { simulatedDevice, type SimulatedDevice } from './device-model.ts'
import { faults, type FaultRates } from './faults.ts'
import type { Message } from './message.ts'
import { randomOf } from './random.ts'

export interface FleetOptions {
  readonly devices: number
  readonly metrics: number
  /** Between two readings of one device. */
  readonly intervalMs: number
  readonly seed: number
  readonly faults: FaultRates
  /** Device time at which the fleet begins, milliseconds since 1970. */
  readonly startMs: number
  /** Infinity: until it is stopped. */
  readonly durationMs: number
}

/** The fleet's devices; the same seed gives the same devices with the same values to come. */
export function fleetDevices(options: FleetOptions): SimulatedDevice[] {
  const devices: SimulatedDevice[] = []
  for (let d = 0; d < options.devices; d++) {
    devices.push(simulatedDevice(d, options.metrics, randomOf(options.seed, d)))
  }
  return devices
}

/**
 * The fleet's messages in the order in which they are to be sent. Every device has its own phase
 * in the interval, and the timestamps are those of its schedule: when the sending side is held
 * up, the readings arrive late but whole, as from devices that keep what they could not send.
 */
export function* fleetMessages(options: FleetOptions): Generator<Message, void, void> {
  const { intervalMs, seed, startMs, durationMs } = options
  const devices = fleetDevices(options)
  const phases = new Float64Array(devices.length)
  const phaseRandom = randomOf(seed, -2)
  for (let d = 0; d < devices.length; d++) phases[d] = phaseRandom() * intervalMs
  const order = Array.from(devices.keys()).sort((a, b) => phases[a] - phases[b])
  const spoil = faults({ rates: options.faults, intervalMs, seed, devices: devices.length })
  for (let round = 0; ; round++) {
    for (const d of order) {
      const dueMs = round * intervalMs + phases[d]
      if (dueMs >= durationMs) {
        yield* spoil.rest()
        return
      }
      const timestamp = Math.floor(startMs + dueMs)
      const data = devices[d].sample(timestamp)
      yield* spoil.pass(d, { deviceId: devices[d].id, timestamp, data, dueMs })
    }
  }
}
