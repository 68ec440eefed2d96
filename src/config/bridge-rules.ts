import { hasCredentials } from './broker-url.ts'
import type { Config } from './schema.ts'

type Bridge = Config['mqtt']['bridges'][number]
type Report = (path: string, message: string, hint: string) => void

/** How the options of the bridges must fit together. */
export function bridgeProblems({ mqtt: { bridges } }: Config, report: Report): void {
  const names = new Set<string>()
  const sessions = new Set<string>()
  for (const [i, bridge] of bridges.entries()) {
    const at = `mqtt.bridges[${i}]`
    const session = JSON.stringify([bridge.url, bridge.clientId])
    if (names.has(bridge.name)) {
      report(`${at}.name`, `${bridge.name} is the name of another bridge`, 'Give each its own.')
    }
    if (sessions.has(session)) {
      const hint = 'A broker cuts the other connection of the same client id. Give each its own.'
      report(`${at}.clientId`, `${bridge.clientId} is used twice at this broker`, hint)
    }
    names.add(bridge.name)
    sessions.add(session)
    loginProblems(bridge, at, report)
    topicProblems(bridge, at, report)
  }
}

function loginProblems({ url, tls, ...login }: Bridge, at: string, report: Report): void {
  if (hasCredentials(url)) {
    const hint = 'Use username and passwordFile (or passwordEnv, password): urls are logged.'
    report(`${at}.url`, 'has a user name or a password', hint)
  }
  const { username, password, passwordFile, passwordEnv } = login
  const given = [password, passwordFile, passwordEnv].filter(each => each !== undefined).length
  if (given > 1) {
    const hint = 'Keep one of password, passwordFile and passwordEnv.'
    report(`${at}.password`, 'is given more than once', hint)
  }
  if (given > 0 && username === undefined) {
    report(`${at}.username`, 'is missing', 'MQTT 3.1.1 has no password without a user name.')
  }
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    report(`${at}.tls`, 'has a certificate or a key without the other', 'Give both.')
  }
  const isSecure = /^(mqtts|wss):/.test(url)
  if (!isSecure && (Object.keys(tls).length > 1 || !tls.rejectUnauthorized)) {
    report(`${at}.tls`, 'is for mqtts:// and wss:// only', 'Change the url, or drop the section.')
  }
}

function topicProblems({ topics }: Bridge, at: string, report: Report): void {
  if (topics.length === 0) {
    report(`${at}.topics`, 'is empty', 'A bridge without topics has nothing to do.')
  }
  for (const [i, { filter, template, path }] of topics.entries()) {
    if ((filter === undefined) === (template === undefined)) {
      report(`${at}.topics[${i}]`, 'has neither a filter nor a template, or both', 'Keep one.')
    }
    if (path !== undefined && template === undefined) {
      report(
        `${at}.topics[${i}].path`,
        'needs a template',
        'A filter is read by known conventions.',
      )
    }
  }
}
