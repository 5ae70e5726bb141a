// Reads TraceQL queries as a JSON list, and prints what Grafana's grammar of it makes of each: whether it can be read,
// and the attributes that it asks for.
import { readFileSync } from 'node:fs'

import { parser } from '@grafana/lezer-traceql'

function read(query) {
  const attributes = []
  let isRead = true
  parser.parse(query).iterate({
    enter(node) {
      if (node.type.isError) isRead = false
      if (node.name === 'AttributeField') attributes.push(query.slice(node.from, node.to))
    },
  })
  return { isRead, attributes }
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(read)))
