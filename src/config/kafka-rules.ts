import type { Config } from './schema.ts'

type Report = (path: string, message: string, hint: string) => void

/** How the options of Kafka must fit together. */
export function kafkaProblems({ kafka }: Config, report: Report): void {
  const { sasl, tls, replication, minInsyncReplicas, requestTimeoutMs, appendTimeoutMs } = kafka
  const { mechanism, username, ...passwords } = sasl
  const given = Object.values(passwords).filter(text => text !== '').length
  if (mechanism !== 'none' && (username === '' || given !== 1)) {
    const hint = 'Give username and one of password, passwordFile and passwordEnv.'
    report('kafka.sasl', `${mechanism} needs a name and one password`, hint)
  }
  if (mechanism === 'none' && (username !== '' || given > 0)) {
    const hint = 'Say PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, as the brokers have it.'
    report('kafka.sasl.mechanism', 'is none, and a name or a password is given', hint)
  }
  if ((tls.certFile === '') !== (tls.keyFile === '')) {
    report('kafka.tls.keyFile', 'has a certificate or a key without the other', 'Give both.')
  }
  if (!tls.enabled && (tls.caFile !== '' || tls.certFile !== '')) {
    report('kafka.tls.enabled', 'is false, and certificates are given', 'Say true.')
  }
  if (replication > 0 && minInsyncReplicas > replication) {
    const message = `is above kafka.replication (${replication}): nothing could be written`
    report('kafka.minInsyncReplicas', message, 'Of 3 copies ask for 2.')
  }
  if (requestTimeoutMs > appendTimeoutMs) {
    const message = `is above kafka.appendTimeoutMs (${appendTimeoutMs})`
    report('kafka.requestTimeoutMs', message, 'Leave time for a second try.')
  }
}
