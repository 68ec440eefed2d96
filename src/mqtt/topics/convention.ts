import type { TelemetryTarget } from '../options.ts'

/**
 * One way of saying in a topic what its payload measures: the target, or undefined when the topic
 * is not of this convention. Asked once per topic; the answer is kept.
 */
export type TopicConvention = (levels: readonly string[]) => TelemetryTarget | undefined
