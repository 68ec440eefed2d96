import { isUtf8 } from 'node:buffer'

/** Levels of a topic or a filter; the broker's matching recurses over them. */
const MAX_LEVELS = 100

/** Why a string is no MQTT string at all: the client that sends it breaks the protocol. */
export function stringProblem(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return 'has a NUL character'
  return isUtf8(bytes) ? undefined : 'is not well-formed UTF-8'
}

/** What is wrong with the topic of a message, if anything. */
export function topicProblem(topic: string): string | undefined {
  if (topic === '') return 'is empty'
  if (/[+#]/.test(topic)) return 'has a wildcard'
  return levelsProblem(topic)
}

/** What is wrong with a filter that a client subscribes to, if anything. */
export function filterProblem(filter: string): string | undefined {
  if (filter === '') return 'is empty'
  const levels = filter.split('/')
  for (const [i, level] of levels.entries()) {
    if (level.includes('#') && (level !== '#' || i !== levels.length - 1)) {
      return 'has a # that is not its whole last level'
    }
    if (level.includes('+') && level !== '+') return 'has a + that is not a whole level'
  }
  return levelsProblem(filter)
}

function levelsProblem(topic: string): string | undefined {
  return topic.split('/', MAX_LEVELS + 1).length > MAX_LEVELS
    ? `has more than ${MAX_LEVELS} levels`
    : undefined
}
