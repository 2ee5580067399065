// One circuit: its rights, its stream, and the rules that feed us. The rules live
// beside the circuit, because a rule must be in the subscription of what it watches.
param name string
param circuitName string
param tags object
param principalId string
param roleIds string[]
param actionGroupId string
param workspaceId string
param hubRuleId string
param hubName string

// Two rules for each metric. A stateful alert is silent while it stays fired, so one
// rule alone could fire on 50 and never say that 0 followed. The window is one minute:
// the events parser takes the value of the alert, and a longer window would show 80
// for the first minute of a dead link.
var metrics = [
  { metric: 'BgpAvailability', key: 'bgp-down', threshold: 1, severity: 0, text: 'BGP is down on a link' }
  { metric: 'BgpAvailability', key: 'bgp-degraded', threshold: 100, severity: 2, text: 'BGP is not fully up on a link' }
  { metric: 'ArpAvailability', key: 'arp-down', threshold: 1, severity: 0, text: 'ARP is down on a link' }
  { metric: 'ArpAvailability', key: 'arp-degraded', threshold: 100, severity: 2, text: 'ARP is not fully up on a link' }
]

resource circuit 'Microsoft.Network/expressRouteCircuits@2025-09-01' existing = {
  name: circuitName
}

resource stream 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(workspaceId) || !empty(hubRuleId)) {
  name: name
  scope: circuit
  properties: {
    workspaceId: empty(workspaceId) ? null : workspaceId
    eventHubAuthorizationRuleId: empty(hubRuleId) ? null : hubRuleId
    eventHubName: empty(hubRuleId) ? null : hubName
    metrics: [
      { category: 'AllMetrics', enabled: true }
    ]
  }
}

resource alert 'Microsoft.Insights/metricAlerts@2018-03-01' = [for m in metrics: {
  name: 'ma-${name}-${circuitName}-${m.key}'
  location: 'global'
  tags: tags
  properties: {
    description: '${m.text} of ${circuitName}. To erfailover.'
    enabled: true
    severity: m.severity
    scopes: [circuit.id]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT1M'
    autoMitigate: true // a recovery must be told, not guessed from silence
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: m.key
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.Network/expressRouteCircuits'
          metricName: m.metric
          timeAggregation: 'Average'
          operator: 'LessThan'
          threshold: m.threshold
          dimensions: [
            { name: 'PeeringType', operator: 'Include', values: ['*'] }
            { name: 'Peer', operator: 'Include', values: ['*'] }
          ]
        }
      ]
    }
    actions: [
      { actionGroupId: actionGroupId }
    ]
  }
}]

resource health 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: 'ala-${name}-${circuitName}-health'
  location: 'Global'
  tags: tags
  properties: {
    description: 'Resource Health of ${circuitName}, every status. To erfailover.'
    enabled: true
    scopes: [circuit.id]
    condition: {
      allOf: [
        { field: 'category', equals: 'ResourceHealth' }
      ]
    }
    actions: {
      actionGroups: [
        { actionGroupId: actionGroupId }
      ]
    }
  }
}

resource assigned 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for r in roleIds: {
  name: guid(circuit.id, principalId, r)
  scope: circuit
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: r
  }
}]
