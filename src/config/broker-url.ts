const PROTOCOLS = ['mqtt:', 'mqtts:', 'ws:', 'wss:']

/** What is wrong with the url of an outside broker, if anything. Secrets have places of their own. */
export function brokerUrlProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) return 'is no url; for example mqtts://broker.example.com:8883'
  if (!PROTOCOLS.includes(url.protocol))
    return 'begins with none of mqtt://, mqtts://, ws://, wss://'
  if (url.hostname === '') return 'names no host'
  const isWeb = url.protocol.startsWith('ws')
  if (!isWeb && !['', '/'].includes(url.pathname))
    return 'has a path, which only ws:// and wss:// do'
  return undefined
}

/** Whether somebody put a name or a password there, where they would be seen in logs. */
export function hasCredentials(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { username, password } = new URL(text)
  return username !== '' || password !== ''
}
