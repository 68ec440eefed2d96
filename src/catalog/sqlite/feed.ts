import type { Connection } from './connection.ts'

/** Each numbers its changes on its own. */
export type Stream = 'registry' | 'units'

const VERSION = `SELECT version FROM feed WHERE stream = ?`
const ADVANCE = `UPDATE feed SET version = version + ?2 WHERE stream = ?1 RETURNING version`

export function versionOf(connection: Connection, stream: Stream): number {
  return Number(connection.get(VERSION, stream)?.version)
}

/** Within a transaction: the first of `count` versions that nothing else has. */
export function takeVersions(connection: Connection, stream: Stream, count: number): number {
  return Number(connection.get(ADVANCE, stream, count)?.version) - count + 1
}
