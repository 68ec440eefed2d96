import { noise, type Random } from './random.ts'
import type { MessageData } from './message.ts'

/** What the metrics of one device share at one moment. */
interface Moment {
  timeMs: number
  /** Since the device's reading before; 0 at its first. */
  elapsedMs: number
  /** Where the day stands, -1 (before dawn) to 1 (afternoon); each device a little apart. */
  day: number
  /** Whether the machine runs (a pump), or people are in (a room). */
  active: boolean
}

type Sample = (moment: Moment) => number | boolean

interface MetricModel {
  readonly name: string
  /** The state of this metric of one device lives in the closure. */
  readonly start: (random: Random) => Sample
}

interface DeviceModel {
  readonly product: string
  readonly metrics: readonly MetricModel[]
  /** Mean length of the spells in which the device is active, and in which it is not. */
  readonly activeMs: number
  readonly idleMs: number
}

export interface SimulatedDevice {
  readonly id: string
  readonly product: string
  readonly site: string
  /** The reading at this time, which must not be before the last one. */
  sample(timeMs: number): MessageData
}

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const SITES = ['north', 'south', 'east', 'west']

function rounded(value: number, decimals: number): number {
  const scale = 10 ** decimals
  return Math.round(value * scale) / scale
}

interface Level {
  readonly active: number
  readonly idle: number
  /** How far the day moves it, and the size of its noise. */
  readonly day: number
  readonly noise: number
  readonly decimals: number
}

/** A level with the day's cycle, an offset of its own for each device, and the sensor's noise. */
function level(name: string, shape: Level): MetricModel {
  const start = (random: Random): Sample => {
    const offset = noise(random) * shape.noise * 3
    let base = NaN
    return moment => {
      const target = moment.active ? shape.active : shape.idle
      // A machine does not jump to its new level: it approaches it with a time constant of 30 s.
      base =
        base === base ? target + (base - target) * Math.exp(-moment.elapsedMs / 30_000) : target
      const value = base + offset + shape.day * moment.day + shape.noise * noise(random)
      return rounded(Math.max(0, value), shape.decimals)
    }
  }
  return { name, start }
}

/** A walk in steps of the sensor's resolution that turns back at its bounds. */
function walk(name: string, bounds: { low: number; high: number; decimals: number }): MetricModel {
  const { low, high, decimals } = bounds
  const start = (random: Random): Sample => {
    const step = 10 ** -decimals
    let value = low + (high - low) * (0.3 + 0.4 * random())
    return () => {
      value += (Math.floor(random() * 5) - 2) * step
      value = Math.min(high, Math.max(low, value))
      return rounded(value, decimals)
    }
  }
  return { name, start }
}

/** Counts up while the device is active, as an energy meter or an hour meter does. */
function counter(name: string, rate: { perHour: number; decimals: number }): MetricModel {
  const start = (random: Random): Sample => {
    let total = Math.floor(random() * 10_000)
    return moment => {
      const share = moment.active ? 0.9 + 0.2 * random() : 0
      total += (rate.perHour * share * moment.elapsedMs) / HOUR_MS
      return rounded(total, rate.decimals)
    }
  }
  return { name, start }
}

const state = (name: string): MetricModel => ({ name, start: () => moment => moment.active })

const PUMP: DeviceModel = {
  product: 'pump',
  activeMs: 40 * 60_000,
  idleMs: 8 * 60_000,
  metrics: [
    level('pressure_bar', { active: 4.2, idle: 0.3, day: 0.25, noise: 0.03, decimals: 2 }),
    level('flow_m3h', { active: 32, idle: 0, day: 2.5, noise: 0.3, decimals: 1 }),
    level('vibration_mm_s', { active: 2.1, idle: 0.05, day: 0.1, noise: 0.08, decimals: 3 }),
    level('motor_temperature_c', { active: 68, idle: 31, day: 4, noise: 0.15, decimals: 1 }),
    level('current_a', { active: 11.4, idle: 0.2, day: 0.6, noise: 0.09, decimals: 2 }),
    state('running'),
    counter('energy_kwh', { perHour: 5.5, decimals: 3 }),
    level('speed_rpm', { active: 1480, idle: 0, day: 6, noise: 3, decimals: 0 }),
    counter('runtime_s', { perHour: 3600, decimals: 0 }),
    walk('tank_level_pct', { low: 5, high: 95, decimals: 1 }),
  ],
}

const CLIMATE: DeviceModel = {
  product: 'climate-sensor',
  activeMs: 90 * 60_000,
  idleMs: 45 * 60_000,
  metrics: [
    level('temperature_c', { active: 21.5, idle: 20.2, day: 2.2, noise: 0.04, decimals: 2 }),
    level('humidity_pct', { active: 47, idle: 44, day: 6, noise: 0.2, decimals: 1 }),
    level('co2_ppm', { active: 820, idle: 430, day: 40, noise: 6, decimals: 0 }),
    walk('battery_v', { low: 2.7, high: 3.6, decimals: 3 }),
    level('light_lux', { active: 420, idle: 60, day: 150, noise: 8, decimals: 0 }),
    state('occupied'),
    level('noise_db', { active: 52, idle: 34, day: 2, noise: 1.2, decimals: 1 }),
    walk('pressure_hpa', { low: 985, high: 1035, decimals: 1 }),
    counter('door_openings', { perHour: 14, decimals: 0 }),
    walk('rssi_dbm', { low: -95, high: -45, decimals: 0 }),
  ],
}

function metricsOf(model: DeviceModel, count: number): MetricModel[] {
  const metrics = model.metrics.slice(0, count)
  for (let extra = 1; metrics.length < count; extra++) {
    metrics.push(walk(`channel_${extra}`, { low: 0, high: 100, decimals: 2 }))
  }
  return metrics
}

/** Device `index` of a fleet: pumps and climate sensors in turn, spread over four sites. */
export function simulatedDevice(
  index: number,
  metricCount: number,
  random: Random,
): SimulatedDevice {
  const model = index % 2 === 0 ? PUMP : CLIMATE
  const names: string[] = []
  const samples: Sample[] = []
  for (const metric of metricsOf(model, metricCount)) {
    names.push(metric.name)
    samples.push(metric.start(random))
  }
  const moment: Moment = { timeMs: NaN, elapsedMs: 0, day: 0, active: random() < 0.8 }
  const dayPhase = (random() - 0.5) * 0.4
  return {
    id: `${model === PUMP ? 'pump' : 'climate'}-${String((index >> 1) + 1).padStart(4, '0')}`,
    product: model.product,
    site: SITES[(index >> 1) % SITES.length],
    sample(timeMs) {
      moment.elapsedMs = moment.timeMs === moment.timeMs ? timeMs - moment.timeMs : 0
      moment.timeMs = timeMs
      // The warmest hour is 15:00, the coldest 03:00.
      moment.day = Math.sin(2 * Math.PI * (timeMs / DAY_MS - 0.375) + dayPhase)
      const spellMs = moment.active ? model.activeMs : model.idleMs
      if (random() < 1 - Math.exp(-moment.elapsedMs / spellMs)) moment.active = !moment.active
      const data: MessageData = {}
      for (let m = 0; m < names.length; m++) data[names[m]] = samples[m](moment)
      return data
    },
  }
}
