// One ExpressRoute Direct port pair: is there light, is the line up.
param name string
param portName string
param tags object
param principalId string
param roleIds string[]
param actionGroupId string

// Healthy light is between -10 and 0 dBm.
var metrics = [
  { metric: 'LineProtocol', key: 'line', operator: 'LessThan', threshold: 1, severity: 0, text: 'Line protocol is down on a link' }
  { metric: 'RxLightLevel', key: 'rx-low', operator: 'LessThan', threshold: -10, severity: 2, text: 'Received light is too low on a link' }
  { metric: 'RxLightLevel', key: 'rx-high', operator: 'GreaterThan', threshold: 0, severity: 2, text: 'Received light is too high on a link' }
  { metric: 'TxLightLevel', key: 'tx-low', operator: 'LessThan', threshold: -10, severity: 2, text: 'Sent light is too low on a link' }
  { metric: 'TxLightLevel', key: 'tx-high', operator: 'GreaterThan', threshold: 0, severity: 2, text: 'Sent light is too high on a link' }
]

resource port 'Microsoft.Network/expressRoutePorts@2025-09-01' existing = {
  name: portName
}

resource alert 'Microsoft.Insights/metricAlerts@2018-03-01' = [for m in metrics: {
  name: 'ma-${name}-${portName}-${m.key}'
  location: 'global'
  tags: tags
  properties: {
    description: '${m.text} of ${portName}. To erfailover.'
    enabled: true
    severity: m.severity
    scopes: [port.id]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT1M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: m.key
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.Network/expressRoutePorts'
          metricName: m.metric
          timeAggregation: 'Average'
          operator: m.operator
          threshold: m.threshold
          dimensions: [
            { name: 'Link', operator: 'Include', values: ['*'] } // not Lane: some hardware has none
          ]
        }
      ]
    }
    actions: [
      { actionGroupId: actionGroupId }
    ]
  }
}]

resource assigned 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for r in roleIds: {
  name: guid(port.id, principalId, r)
  scope: port
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: r
  }
}]
