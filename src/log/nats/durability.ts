import type { NatsLink } from './link.ts'

export interface DurabilityOptions {
  readonly replicas: number
  /** Empty: the server is not asked. */
  readonly monitorUrl: string
}

const ASK_MS = 2000
/** The first version that can sync before it acknowledges. */
const FIRST_WITH_SYNC = [2, 10] as const

/**
 * What people should know about the server's promise: by default it writes to its disk within two
 * minutes of acknowledging, so a power failure takes what it has acknowledged. Clients cannot see
 * how it is configured; its monitoring can.
 */
export async function durabilityWarning(
  { serverVersion: version }: Pick<NatsLink, 'serverVersion'>,
  { replicas, monitorUrl }: DurabilityOptions,
): Promise<string | undefined> {
  const lost =
    replicas >= 3
      ? 'points that were acknowledged are lost if most of the servers lose power at once'
      : 'points that were acknowledged in the last two minutes may be lost if the server loses power'
  if (!canSync(version)) {
    return (
      `NATS ${version} cannot write to its disk before it acknowledges: ${lost}. ` +
      'From 2.10 on it can: jetstream { sync_interval: always }.'
    )
  }
  if (monitorUrl === '') {
    return (
      `Weir cannot see whether NATS writes to its disk before it acknowledges. Without ` +
      `jetstream { sync_interval: always } ${lost}. With nats.monitorUrl Weir looks by itself.`
    )
  }
  const syncs = await syncsAlways(monitorUrl)
  if (syncs === true) return undefined
  if (syncs === undefined) return `${monitorUrl}/varz does not say how NATS writes to its disk`
  return (
    `NATS does not write to its disk before it acknowledges: ${lost}. ` +
    'Set jetstream { sync_interval: always } in its configuration.'
  )
}

function canSync(version: string): boolean {
  const [major, minor] = version.split('.').map(Number)
  const [firstMajor, firstMinor] = FIRST_WITH_SYNC
  return major > firstMajor || (major === firstMajor && minor >= firstMinor)
}

async function syncsAlways(monitorUrl: string): Promise<boolean | undefined> {
  try {
    const url = new URL('varz', monitorUrl.endsWith('/') ? monitorUrl : `${monitorUrl}/`)
    const answer = await fetch(url, { signal: AbortSignal.timeout(ASK_MS) })
    const { jetstream } = (await answer.json()) as Varz
    return jetstream?.config === undefined ? undefined : jetstream.config.sync_always === true
  } catch {
    return undefined
  }
}

interface Varz {
  readonly jetstream?: { readonly config?: { readonly sync_always?: boolean } }
}
