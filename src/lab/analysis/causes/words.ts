import type { Scene } from '../explanation.ts'
import { figure } from './figure.ts'

/** Above it something is as good as full: what arrives in bursts cannot use the rest. */
export const FULL = 0.9
/** Of all cores: interrupts, the network and the disk cost CPU that no process is charged for. */
export const MACHINE_FULL = 0.85

export function machineText({ use }: Scene): string {
  return `${figure(use.machinePct)} % of ${use.cores} cores are used`
}

export function processes(count: number): string {
  return count === 1 ? 'one process' : `${count} processes`
}

export function upper(word: string): string {
  return word === 'api' ? 'The API' : `The ${word}`
}
