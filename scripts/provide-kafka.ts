import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../src/provide/find-program.ts'
import { kafkaCache, kafkaPrograms } from '../src/provide/kafka-home.ts'
import { provideTools } from './provide-tools.ts'

const KAFKA = '4.1.1'
const LOG4J = '2.24.3'

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>weir</groupId><artifactId>kafka</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>${KAFKA}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
      <version>${KAFKA}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>${LOG4J}</version>
    </dependency>
  </dependencies>
</project>
`

/**
 * Gets Kafka from Maven Central into the user's cache, unless this machine has one. Where it is not
 * to be had, the tests that need it skip and say why.
 */
export function provideKafka(): void {
  provideTools(['java'])
  if (hasKafka()) return
  provideTools(['mvn'])
  const mvn = findProgram('mvn')
  if (mvn === undefined) return
  console.error(`Getting Kafka ${KAFKA} from Maven Central …`)
  mkdirSync(kafkaCache(), { recursive: true })
  const folder = mkdtempSync(join(kafkaCache(), '.new-'))
  try {
    writeFileSync(join(folder, 'pom.xml'), POM)
    const what = [
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      '-DoutputDirectory=libs',
    ]
    const { status, stdout } = spawnSync(mvn, ['-q', '-B', ...what], {
      cwd: folder,
      encoding: 'utf8',
    })
    if (status !== 0) console.error(`Kafka was not to be had: ${stdout.slice(0, 2000)}`)
    // Another run may have been quicker.
    else if (!existsSync(home())) renameSync(folder, home())
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const home = (): string => join(kafkaCache(), `kafka-${KAFKA}`)

function hasKafka(): boolean {
  try {
    kafkaPrograms('')
    return true
  } catch {
    return false
  }
}
