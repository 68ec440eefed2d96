import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import type { Config } from '../config/schema.ts'
import type { KafkaLogOptions } from '../log/kafka/kafka-log.ts'
import type { Log } from '../ports/log.ts'
import { WeirError } from '../ports/errors.ts'

/** The log on Kafka as it is configured; the library is loaded here and not before. */
export async function openKafkaLog({ kafka, startTimeoutMs }: Config): Promise<Log> {
  const { KafkaLog } = await import('../log/kafka/kafka-log.ts')
  return KafkaLog.open({ ...optionsOf(kafka), openTimeoutMs: startTimeoutMs })
}

/** @throws WeirError `config` when a file cannot be read, or a variable is missing. */
function optionsOf(kafka: Config['kafka']): Omit<KafkaLogOptions, 'openTimeoutMs'> {
  const { brokers, clientId, requestTimeoutMs, tls, sasl, ...rest } = kafka
  const { mechanism, username } = sasl
  const login =
    mechanism === 'none' ? {} : { sasl: { mechanism, username, password: passwordOf(sasl) } }
  return {
    ...rest,
    connection: {
      ...{ brokers, clientId, requestTimeoutMs },
      ...(tls.enabled ? { tls: tlsOf(tls) } : {}),
      ...login,
    },
  }
}

function tlsOf({ caFile, certFile, keyFile }: Config['kafka']['tls']): ConnectionOptions {
  return {
    ...(caFile === '' ? {} : { ca: read('kafka.tls.caFile', caFile) }),
    ...(certFile === '' ? {} : { cert: read('kafka.tls.certFile', certFile) }),
    ...(keyFile === '' ? {} : { key: read('kafka.tls.keyFile', keyFile) }),
  }
}

function passwordOf({ password, passwordFile, passwordEnv }: Config['kafka']['sasl']): string {
  if (passwordFile !== '') return read('kafka.sasl.passwordFile', passwordFile).trimEnd()
  if (passwordEnv === '') return password
  const value = process.env[passwordEnv]
  if (value !== undefined) return value
  throw new WeirError('config', `the environment variable ${passwordEnv} is not set`)
}

function read(path: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new WeirError('config', `${path}: ${detail}`, { cause })
  }
}
