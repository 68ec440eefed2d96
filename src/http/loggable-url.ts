/** `p` and `u` are the password and the user of InfluxDB 1 clients. */
const SECRETS = /([?&](?:p|u|token|key|api_key|access_token)=)[^&]*/g
/** The path of a ThingsBoard device. */
const TOKEN = /^(\/api\/v1\/)(?!telemetry\/|devices\/)[^/?]+(?=\/(?:telemetry|attributes)(?:$|\?))/

/** A request's URL as a log line may have it: without keys and passwords. */
export function loggableUrl(url: string): string {
  return url.replace(TOKEN, '$1***').replaceAll(SECRETS, '$1***')
}
