import { existsSync, globSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { WeirError } from '../ports/errors.ts'
import { findProgram, isExecutable, programVersion } from './find-program.ts'

const LEAST_JAVA = 17
const LEAST_KAFKA = 4

/** A Kafka that can be run. */
export interface KafkaPrograms {
  readonly java: string
  /** For `java -cp`. */
  readonly classPath: string
  readonly version: string
}

/** Where `npm run servers` and `npm test` of this project put the Kafka that they get. */
export function kafkaCache(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'weir')
}

/**
 * The Kafka in `home`, else in that of KAFKA_HOME, else in the usual places.
 *
 * @throws WeirError `config` when there is none, or no Java for it.
 */
export function kafkaPrograms(home: string): KafkaPrograms {
  const java = javaProgram()
  const named = home !== '' ? home : process.env['KAFKA_HOME']
  const places =
    named !== undefined && named !== ''
      ? [named]
      : [...globSync(join(kafkaCache(), 'kafka-*')).sort().reverse(), ...USUAL]
  for (const place of places) {
    const libraries = existsSync(join(place, 'libs')) ? join(place, 'libs') : place
    const version = kafkaVersion(libraries)
    if (version === undefined) continue
    if (Number.parseInt(version) >= LEAST_KAFKA) {
      return { java, classPath: join(libraries, '*'), version }
    }
  }
  const where = named === undefined || named === '' ? 'on this machine' : `in ${named}`
  const message =
    `there is no Kafka ${LEAST_KAFKA} ${where}: unpack one (https://kafka.apache.org/downloads) ` +
    'and name its folder with kafka.home or KAFKA_HOME, or give addresses with kafka.brokers'
  throw new WeirError('config', message)
}

const USUAL = [
  '/opt/kafka',
  '/usr/local/kafka',
  '/usr/share/kafka',
  '/opt/homebrew/opt/kafka/libexec',
]

function kafkaVersion(libraries: string): string | undefined {
  if (!existsSync(libraries)) return undefined
  const names = readdirSync(libraries)
  return names.flatMap(name => /^kafka_2\.13-(\d+(?:\.\d+)+)\.jar$/.exec(name)?.[1] ?? [])[0]
}

function javaProgram(): string {
  const home = process.env['JAVA_HOME'] ?? ''
  const own = join(home, 'bin/java')
  const java = home !== '' && isExecutable(own) ? own : findProgram('java')
  const version = java === undefined ? undefined : programVersion(java, '-version')
  if (java !== undefined && Number.parseInt(version ?? '0') >= LEAST_JAVA) return java
  const message =
    `Kafka needs Java ${LEAST_JAVA}, and ${java === undefined ? 'there is no java' : `${java} is ${version}`}: ` +
    'install it (Debian: apt-get install default-jre-headless), or give addresses with kafka.brokers'
  throw new WeirError('config', message)
}
