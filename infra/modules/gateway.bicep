// One ExpressRoute gateway of a virtual network.
param name string
param gatewayName string
param scalable bool
param tags object
param principalId string
param roleIds string[]
param actionGroupId string
param workspaceId string
param hubRuleId string
param hubName string

var prefix = scalable ? 'Scalable' : ''
var metrics = [
  { metric: 'ExpressRouteGatewayCountOfRoutesLearnedFromPeer', key: 'learned', text: 'learns no routes from a peer' }
  { metric: 'ExpressRouteGatewayCountOfRoutesAdvertisedToPeer', key: 'advertised', text: 'advertises no routes to a peer' }
]

resource gateway 'Microsoft.Network/virtualNetworkGateways@2025-09-01' existing = {
  name: gatewayName
}

resource stream 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(workspaceId) || !empty(hubRuleId)) {
  name: name
  scope: gateway
  properties: {
    workspaceId: empty(workspaceId) ? null : workspaceId
    eventHubAuthorizationRuleId: empty(hubRuleId) ? null : hubRuleId
    eventHubName: empty(hubRuleId) ? null : hubName
    metrics: [
      { category: 'AllMetrics', enabled: true }
    ]
  }
}

// Five minutes is the finest grain that these metrics have.
resource alert 'Microsoft.Insights/metricAlerts@2018-03-01' = [for m in metrics: {
  name: 'ma-${name}-${gatewayName}-${m.key}'
  location: 'global'
  tags: tags
  properties: {
    description: '${gatewayName} ${m.text}. To erfailover.'
    enabled: true
    severity: 1
    scopes: [gateway.id]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: m.key
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.Network/virtualNetworkGateways'
          metricName: '${prefix}${m.metric}'
          timeAggregation: 'Maximum'
          operator: 'LessThan'
          threshold: 1
          dimensions: [
            { name: 'BgpPeerAddress', operator: 'Include', values: ['*'] }
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
  name: 'ala-${name}-${gatewayName}-health'
  location: 'Global'
  tags: tags
  properties: {
    description: 'Resource Health of ${gatewayName}, every status. To erfailover.'
    enabled: true
    scopes: [gateway.id]
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
  name: guid(gateway.id, principalId, r)
  scope: gateway
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: r
  }
}]
